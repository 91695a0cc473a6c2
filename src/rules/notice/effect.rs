//! When a change takes effect, for whom, and what holds it.

use jiff::Timestamp;

use super::{
    instant,
    recipient::{clears_at, clears_in_silence},
};
use crate::proto::v1::{
    Notice, NoticeChange, NoticeRecipient,
    notice_policy::{Enforcement, Rollout},
    recipient_change::Status,
};

/// Customers that are named where there are many.
pub const NAMED: usize = 1_000;

/// Where those stand whom one change concerns, at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many it concerns.
    pub concerned: usize,
    /// How many of them it may apply to.
    pub cleared: usize,
    /// Those it may not apply to yet, with what they wait for: the first of them by name.
    pub waiting: Vec<Waiting>,
    /// When one more is cleared, as far as time alone does that.
    pub next: Option<Timestamp>,
    /// When the last one is cleared in silence; `None` if an answer is needed for that, or somebody was not told.
    pub last: Option<Timestamp>,
    /// Somebody is not cleared by silence.
    pub needs_answer: bool,
}

/// A customer that a change waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The customer.
    pub customer: String,
    /// Where it stands.
    pub status: Status,
    /// When it is cleared in silence.
    pub clear_time: Option<Timestamp>,
}

impl Waiting {
    /// What it waits for, in words that follow the change's id.
    pub fn words(&self) -> String {
        let status = self.status.as_str_name().trim_start_matches("STATUS_");
        match (self.clear_time, self.status) {
            (Some(time), _) => format!("{status}, cleared at {time} if nobody objects"),
            (None, Status::Pending) => format!("{status}: it has to authorize the change, or was not told yet"),
            (None, _) => status.to_owned(),
        }
    }
}

impl Standing {
    /// How many it is held back from.
    pub fn held_back(&self) -> usize {
        self.concerned - self.cleared
    }

    /// Adds a recipient, in the order of names.
    pub fn add(&mut self, notice: &Notice, change_id: &str, recipient: &NoticeRecipient, at: Timestamp) {
        let Some(change) = recipient.changes.iter().find(|change| change.change_id == change_id) else { return };
        self.concerned += 1;
        let emergency = emergency(notice);
        let clear = clears_at(recipient, change, emergency);
        let silent = clears_in_silence(recipient, change, emergency);
        match silent {
            Some(time) => self.last = self.last.max(Some(time)),
            None => self.needs_answer = true,
        }
        if clear.is_some_and(|clear| clear <= at) {
            self.cleared += 1;
            return;
        }
        if let Some(time) = silent.filter(|time| *time > at) {
            self.next = Some(self.next.map_or(time, |next| next.min(time)));
        }
        if self.waiting.len() < NAMED {
            let customer = recipient.customer.clone();
            self.waiting.push(Waiting { customer, status: change.status(), clear_time: silent });
        }
    }
}

/// When an emergency was announced; `None` if it is none.
pub fn emergency(notice: &Notice) -> Option<Timestamp> {
    notice.emergency.as_ref().and(instant(notice.publish_time.as_ref()))
}

/// Whether gates refuse, by the policy the notice was published under.
pub fn binds(notice: &Notice) -> bool {
    notice.policy.as_ref().is_some_and(|policy| policy.enforcement() == Enforcement::Required)
}

/// Whether all customers get its changes at the same time.
pub fn is_together(notice: &Notice) -> bool {
    let policy = notice.policy.as_ref().map_or(Rollout::Unspecified, |policy| policy.rollout());
    let rollout = if notice.rollout() == Rollout::Unspecified { policy } else { notice.rollout() };
    // What cannot wait does not wait for the last one; and where gates only advise, nothing is held back from anybody.
    (rollout == Rollout::Together || !binds(notice)) && notice.emergency.is_none()
}

/// The ids of the changes that apply to a recipient already: they have taken effect, and are not held back from it.
pub fn applied(notice: &Notice, recipient: &NoticeRecipient, at: Timestamp) -> Vec<String> {
    let is_cleared = |change: &NoticeChange| {
        let own = recipient.changes.iter().find(|own| own.change_id == change.change_id);
        own.and_then(|own| clears_at(recipient, own, emergency(notice))).is_some_and(|clear| clear <= at)
    };
    let effective = notice.changes.iter().filter(|change| change.effective_time.is_some());
    let applied = effective.filter(|change| change.held_back_count == 0 || is_cleared(change));
    applied.map(|change| change.change_id.clone()).collect()
}

/// What is to be done with a change of a published notice at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing before this instant; `None`: before somebody answers.
    Later(Option<Timestamp>),
    /// Its time has come, but customers are not cleared; looked at again at this instant.
    Held(Option<Timestamp>),
    /// It takes effect, for those who are cleared.
    Now,
}

/// What is to be done with a change that has not taken effect.
pub fn turn(notice: &Notice, change: &NoticeChange, standing: &Standing, at: Timestamp) -> Turn {
    let requested = instant(notice.requested_effective_time.as_ref());
    // Where gates only advise, a change waits for as long as nobody has said when it is to be.
    let waits = change.waits && (binds(notice) || requested.is_none());
    let promised = instant(notice.promise_clear_time.as_ref()).filter(|_| waits && notice.emergency.is_none());
    let due = requested.max(promised).max(instant(notice.publish_time.as_ref()));
    if due.is_some_and(|due| due > at) {
        return Turn::Later(due);
    }
    // Nobody is passed over because an audience is still being written.
    if !notice.audience_complete {
        return Turn::Later(Some(at));
    }
    let clear =
        if is_together(notice) { standing.held_back() == 0 } else { standing.cleared > 0 || standing.concerned == 0 };
    if !waits || clear {
        return Turn::Now;
    }
    // Of those who get it together the last one counts; without an answer that is needed there is none.
    let next = match is_together(notice) {
        true if standing.needs_answer => None,
        true => standing.last,
        false => standing.next,
    };
    match requested {
        Some(_) => Turn::Held(next),
        None => Turn::Later(next),
    }
}
