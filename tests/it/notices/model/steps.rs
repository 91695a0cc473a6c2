//! What can happen in a history, before it is known what there is for it to happen to: numbers stand for the things that
//! exist then.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::machine::{Outcome, Policy, Receipt, Start};

/// An agreement; its dates count from when it is made.
#[derive(Debug, Clone)]
pub struct Agreed {
    pub specific: bool,
    pub notice: Option<i32>,
    pub objection: Option<i32>,
    pub business: bool,
    pub holiday: Option<i64>,
    pub kolkata: bool,
    pub start: Start,
    pub email: bool,
    pub termination: Option<Option<i32>>,
    pub emergency: bool,
    pub accepted: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    Add,
    AddAgain,
    Replace,
    Remove,
    Widen,
    Narrow,
}

#[derive(Debug, Clone)]
pub struct Announcement {
    pub changes: Vec<(Wanted, usize)>,
    /// In how many hours.
    pub requested: Option<i64>,
    pub together: Option<bool>,
    pub emergency: bool,
}

#[derive(Debug, Clone)]
pub enum Step {
    Announce(Announcement),
    /// Once more, what was refused.
    Publish(usize),
    Withdraw(usize, Option<usize>),
    Authorize(usize, usize, Option<usize>),
    Deny(usize, usize, Option<usize>),
    /// Lodged hours ago.
    Object(usize, usize, Option<usize>, i64),
    Resolve(usize, Outcome),
    Record(usize, usize, Receipt, i64),
    Acknowledge(usize, usize, i64),
    Join(Option<Agreed>),
    Agree(usize, Option<Agreed>),
    /// In how many days; or not any more.
    End(usize, Option<i64>),
    Leave(usize),
    Promise(Policy),
    /// Hours.
    Wait(i64),
    /// Until something may happen, or a second before.
    WaitNext(bool),
}

#[derive(Debug, Clone)]
pub struct History {
    pub policy: Policy,
    pub customers: Vec<Option<Agreed>>,
    pub steps: Vec<Step>,
}

fn agreed() -> impl Strategy<Value = Option<Agreed>> {
    let periods =
        (select(vec![None, Some(0), Some(5), Some(10), Some(30)]), select(vec![None, Some(0), Some(3), Some(30)]));
    let counting = (prop::bool::weighted(0.25), option::weighted(0.5, 1..8_i64), prop::bool::weighted(0.25));
    let start = select(vec![Start::Sent, Start::Sent, Start::Delivered, Start::Published]);
    let termination = select(vec![None, None, Some(None), Some(Some(0)), Some(Some(4)), Some(Some(45))]);
    let rest = (
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.3),
        option::weighted(0.1, -5..20_i64),
    );
    let all = (periods, counting, start, termination, rest).prop_map(
        |(
            (notice, objection),
            (business, holiday, kolkata),
            start,
            termination,
            (specific, email, emergency, accepted),
        )| {
            Agreed {
                specific,
                notice,
                objection,
                business,
                holiday,
                kolkata,
                start,
                email,
                termination,
                emergency,
                accepted,
            }
        },
    );
    option::weighted(0.9, all)
}

fn policy() -> impl Strategy<Value = Policy> {
    let notice = select(vec![None, None, Some(0), Some(7), Some(20)]);
    (notice, select(vec![None, None, Some(0), Some(4)]), prop::bool::weighted(0.2))
        .prop_map(|(notice, objection, together)| Policy { notice, objection, together })
}

fn announcement() -> impl Strategy<Value = Announcement> {
    let kind = prop_oneof![
        4 => Just(Wanted::Add),
        1 => Just(Wanted::AddAgain),
        2 => Just(Wanted::Replace),
        1 => Just(Wanted::Remove),
        3 => Just(Wanted::Widen),
        1 => Just(Wanted::Narrow),
    ];
    let requested = option::weighted(0.6, -30..1_000_i64);
    let together = select(vec![None, None, Some(false), Some(true)]);
    (vec((kind, 0..8_usize), 1..4), requested, together, prop::bool::weighted(0.12))
        .prop_map(|(changes, requested, together, emergency)| Announcement { changes, requested, together, emergency })
}

fn step() -> impl Strategy<Value = Step> {
    let at = || (0..4_usize, 0..6_usize);
    let only = || option::weighted(0.3, 0..3_usize);
    let ago = || prop_oneof![3 => Just(0), 1 => 0..200_i64];
    let outcome = select(vec![
        Outcome::Withdrawn,
        Outcome::Alternative,
        Outcome::TakenBack,
        Outcome::Terminated,
        Outcome::NoGrounds,
    ]);
    let receipt = select(vec![Receipt::Sent, Receipt::Delivered, Receipt::Bounced]);
    prop_oneof![
        5 => announcement().prop_map(Step::Announce),
        1 => (0..4_usize).prop_map(Step::Publish),
        2 => (0..4_usize, option::weighted(0.6, 0..3_usize)).prop_map(|(notice, only)| Step::Withdraw(notice, only)),
        3 => (at(), only()).prop_map(|((notice, who), only)| Step::Authorize(notice, who, only)),
        2 => (at(), only()).prop_map(|((notice, who), only)| Step::Deny(notice, who, only)),
        5 => (at(), only(), ago()).prop_map(|((notice, who), only, ago)| Step::Object(notice, who, only, ago)),
        3 => (0..4_usize, outcome).prop_map(|(objection, outcome)| Step::Resolve(objection, outcome)),
        5 => (at(), receipt, ago()).prop_map(|((notice, who), receipt, ago)| Step::Record(notice, who, receipt, ago)),
        1 => (at(), ago()).prop_map(|((notice, who), ago)| Step::Acknowledge(notice, who, ago)),
        2 => agreed().prop_map(Step::Join),
        1 => (0..6_usize, agreed()).prop_map(|(who, agreed)| Step::Agree(who, agreed)),
        1 => (0..6_usize, option::weighted(0.8, -2..30_i64)).prop_map(|(who, days)| Step::End(who, days)),
        1 => (0..6_usize).prop_map(Step::Leave),
        1 => policy().prop_map(Step::Promise),
        4 => prop_oneof![0..48_i64, 0..1_200_i64].prop_map(Step::Wait),
        6 => any::<bool>().prop_map(Step::WaitNext),
    ]
}

pub fn history() -> impl Strategy<Value = History> {
    (policy(), vec(agreed(), 0..4), announcement(), vec(step(), 4..14)).prop_map(
        |(policy, customers, first, mut steps)| {
            steps.insert(0, Step::Announce(first));
            History { policy, customers, steps }
        },
    )
}
