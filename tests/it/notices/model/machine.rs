//! The notice machine as DESIGN §6 and the contract tell it, in the simplest way that is right: after each step every
//! instant that matters is gone through in order, and all of the state is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::days::{Counting, Day, Instant, date, day_of, over, text};

/// What the model does not allow either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

pub type Done = Result<(), Refused>;

fn ensure(allowed: bool) -> Done {
    if allowed { Ok(()) } else { Err(Refused) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Sent,
    Delivered,
    Published,
}

/// An agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub specific: bool,
    pub notice: Option<i32>,
    pub objection: Option<i32>,
    pub business: bool,
    pub holiday: Option<Day>,
    pub ahead: i64,
    pub start: Start,
    /// Told by e-mail, which has to be recorded; else by publishing.
    pub email: bool,
    /// A TERMINATION_RIGHT, with its days.
    pub termination: Option<Option<i32>>,
    pub emergency: bool,
    pub accepted: Option<Day>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    pub notice: Option<i32>,
    pub objection: Option<i32>,
    pub together: bool,
}

#[derive(Debug, Clone)]
pub struct Customer {
    pub terms: Option<Terms>,
    pub end: Option<Day>,
    pub deleted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Proposed,
    Announced,
    Active,
    Retired,
}

/// A change of a notice, by their numbers.
pub type Key = (usize, usize);

#[derive(Debug, Clone)]
pub struct Sub {
    pub stage: Stage,
    /// What put it on the list; none: it was found there.
    pub on: Option<Key>,
    pub off: Option<Key>,
    /// Where it was, by what brought it there.
    pub places: Vec<(Option<Key>, Vec<String>)>,
}

impl Sub {
    pub fn places(&self) -> &[String] {
        self.places.last().map_or(&[], |(_, places)| places)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Add,
    Replace(String),
    Remove,
    Locate(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct Change {
    pub kind: Kind,
    pub sub: String,
    pub waits: bool,
    pub effective: Option<Instant>,
    pub withdrawn: Option<Instant>,
}

impl Change {
    fn adds(&self) -> bool {
        matches!(self.kind, Kind::Add | Kind::Replace(_))
    }

    fn pending(&self) -> bool {
        self.effective.is_none() && self.withdrawn.is_none()
    }

    fn about(&self) -> Vec<&String> {
        match &self.kind {
            Kind::Replace(other) => vec![&self.sub, other],
            _ => vec![&self.sub],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Approved,
    Published,
    Held,
    Effective,
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Authorized,
    DeemedAuthorized,
    Objected,
    Denied,
    DeemedDenied,
    Released,
}

#[derive(Debug, Clone)]
pub struct Stand {
    pub change: usize,
    pub status: Status,
    pub decided: Instant,
    pub objection: Option<usize>,
    /// When an open objection stops to block.
    pub end: Option<Instant>,
    /// Nothing waits for it because the customer left.
    pub left: bool,
}

#[derive(Debug, Clone)]
pub struct Recipient {
    pub terms: Option<Terms>,
    pub send: Option<Instant>,
    pub deliver: Option<Instant>,
    pub published: Option<Instant>,
    pub release: Option<Instant>,
    pub stands: Vec<Stand>,
}

impl Recipient {
    fn specific(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.specific)
    }

    pub fn start(&self) -> Option<Instant> {
        match self.terms.as_ref().map_or(Start::Sent, |terms| terms.start) {
            Start::Sent => self.send,
            Start::Delivered => self.deliver,
            Start::Published => self.published,
        }
    }

    fn counting(&self, business: bool) -> Counting {
        let (holiday, ahead) = self.terms.as_ref().map_or((None, 0), |terms| (terms.holiday, terms.ahead));
        Counting { business, holiday, ahead }
    }

    /// Days in which to object, and how they are counted. 0: no right to object.
    fn objection_days(&self, policy: Policy) -> (i32, bool) {
        let Some(terms) = &self.terms else { return (policy.objection.or(policy.notice).unwrap_or(0), false) };
        match (terms.objection, terms.notice.unwrap_or(policy.notice.unwrap_or(0))) {
            (Some(days), _) => (days, terms.business),
            (None, 0) => (policy.objection.unwrap_or(0), false),
            (None, days) => (days, terms.business && terms.notice.is_some()),
        }
    }

    fn may_object(&self, policy: Policy) -> bool {
        self.objection_days(policy).0 > 0
    }

    pub fn deadline(&self, policy: Policy) -> Option<Instant> {
        let (days, business) = self.objection_days(policy);
        let promised = policy.objection.unwrap_or(0);
        let ends = |start| over(start, days, self.counting(business)).max(over(start, promised, self.counting(false)));
        self.start().filter(|_| days > 0).map(ends)
    }

    /// The later end of the periods and of the promise.
    pub fn periods(&self, policy: Policy) -> Option<Instant> {
        let start = self.start()?;
        let own = self.terms.as_ref().and_then(|terms| Some((terms.notice?, terms.business)));
        let promise = policy.notice.unwrap_or(0);
        let (days, business) = own.unwrap_or((promise, false));
        let ends = [over(start, days, self.counting(business)), over(start, promise, self.counting(false))];
        ends.into_iter().chain(self.deadline(policy)).max()
    }

    /// The same where an objection is open that stops to block.
    pub fn clear(&self, stand: &Stand, policy: Policy) -> Option<Instant> {
        let end = stand.end.filter(|_| stand.status == Status::Objected);
        self.periods(policy).map(|periods| end.map_or(periods, |end| end.max(periods)))
    }

    /// When silence has its consequence: at the deadline; without a right to object, for a general authorization at once,
    /// and for a specific one when its notice is over.
    fn silence(&self, policy: Policy) -> Option<Instant> {
        let start = self.start()?;
        self.deadline(policy).or(if self.specific() { self.periods(policy) } else { Some(start) })
    }

    /// From when on a change applies, as things stand.
    fn applies(&self, stand: &Stand, notice: &Notice) -> Option<Instant> {
        if notice.emergency && self.terms.as_ref().is_some_and(|terms| terms.emergency) {
            return notice.publish;
        }
        match stand.status {
            Status::Authorized | Status::Released => Some(stand.decided),
            Status::DeemedAuthorized => self.periods(notice.policy).map(|periods| periods.max(stand.decided)),
            Status::Objected => stand.end.and(self.clear(stand, notice.policy)),
            Status::Pending | Status::Denied | Status::DeemedDenied => None,
        }
    }

    fn pass(&mut self, policy: Policy, at: Instant) {
        let silence = self.silence(policy).filter(|end| self.release.is_none_or(|release| *end < release));
        let deemed = if self.specific() { Status::DeemedDenied } else { Status::DeemedAuthorized };
        for stand in &mut self.stands {
            if let Some(end) = silence.filter(|end| *end <= at && stand.status == Status::Pending) {
                (stand.status, stand.decided) = (deemed, end.max(stand.decided));
            }
        }
    }

    /// Who has left by an instant is waited for no more; what it answered to what applies to it (`applied`) stays.
    fn leave(&mut self, applied: &[usize], at: Instant) {
        let Some(release) = self.release.filter(|end| *end <= at) else { return };
        for stand in &mut self.stands {
            if stand.status != Status::Released && !applied.contains(&stand.change) {
                (stand.status, stand.decided, stand.left) = (Status::Released, release, true);
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct Notice {
    pub changes: Vec<Change>,
    pub state: State,
    pub requested: Option<Instant>,
    pub together: Option<bool>,
    pub emergency: bool,
    pub publish: Option<Instant>,
    pub policy: Policy,
    pub promise: Option<Instant>,
    pub earliest: Option<Instant>,
    pub recipients: BTreeMap<usize, Recipient>,
}

impl Notice {
    fn open(&self) -> bool {
        matches!(self.state, State::Published | State::Held)
    }

    fn cleared(&self, change: usize, at: Instant) -> (usize, usize) {
        let mut count = (0, 0);
        for recipient in self.recipients.values() {
            for stand in recipient.stands.iter().filter(|stand| stand.change == change) {
                count.0 += 1;
                count.1 += usize::from(recipient.applies(stand, self).is_some_and(|clear| clear <= at));
            }
        }
        count
    }

    /// Whether its time has come, and whether it may take effect.
    fn turn(&self, index: usize, at: Instant) -> (bool, bool) {
        let change = &self.changes[index];
        let promise = self.promise.filter(|_| change.waits && !self.emergency);
        let come = [self.requested, promise, self.publish].into_iter().flatten().all(|time| time <= at);
        let (concerned, cleared) = self.cleared(index, at);
        let together = self.together.unwrap_or(self.policy.together) && !self.emergency;
        let clear = if together { cleared == concerned } else { cleared > 0 || concerned == 0 };
        (come, !change.waits || clear)
    }

    /// Whether a change that has taken effect does not apply to a customer.
    fn held(&self, index: usize, customer: usize, at: Instant) -> bool {
        let change = &self.changes[index];
        if change.effective.is_none() || !change.waits {
            return false;
        }
        let Some(recipient) = self.recipients.get(&customer) else { return false };
        let stand = recipient.stands.iter().find(|stand| stand.change == index);
        stand.is_some_and(|stand| recipient.applies(stand, self).is_none_or(|clear| clear > at))
    }

    /// Whether it is open, or something of it is held back from somebody.
    fn waits(&self, at: Instant) -> bool {
        let held = |index| self.recipients.keys().any(|customer| self.held(index, *customer, at));
        self.open() || (0..self.changes.len()).any(held)
    }

    /// Nothing waits any more for whoever has left.
    fn leave(&mut self, at: Instant) {
        let applied = |customer: usize| {
            let all = 0..self.changes.len();
            all.filter(|index| self.changes[*index].effective.is_some() && !self.held(*index, customer, at)).collect()
        };
        let applied: BTreeMap<usize, Vec<usize>> =
            self.recipients.keys().map(|customer| (*customer, applied(*customer))).collect();
        for (customer, recipient) in &mut self.recipients {
            recipient.leave(&applied[customer], at);
        }
    }
}

#[derive(Debug, Clone)]
pub struct Objection {
    pub notice: usize,
    pub customer: usize,
    pub changes: Vec<usize>,
    pub late: bool,
    pub open: bool,
    pub end: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Withdrawn,
    Alternative,
    TakenBack,
    Terminated,
    NoGrounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    Sent,
    Delivered,
    Bounced,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub now: Instant,
    pub policy: Policy,
    pub customers: Vec<Customer>,
    pub subs: BTreeMap<String, Sub>,
    pub notices: Vec<Notice>,
    pub objections: Vec<Objection>,
}

impl Model {
    pub fn new(now: Instant, policy: Policy) -> Self {
        Self { now, policy, customers: Vec::new(), subs: BTreeMap::new(), notices: Vec::new(), objections: Vec::new() }
    }

    // What time does.

    /// Every instant at which time can decide something, after now.
    pub fn ahead(&self) -> BTreeSet<Instant> {
        let mut all = BTreeSet::new();
        for notice in &self.notices {
            all.extend(notice.requested);
            all.extend(notice.promise);
            for recipient in notice.recipients.values() {
                all.extend(recipient.silence(notice.policy));
                all.extend(recipient.release);
                all.extend(recipient.stands.iter().filter_map(|stand| recipient.clear(stand, notice.policy)));
            }
        }
        all.split_off(&(self.now + 1))
    }

    pub fn wait(&mut self, until: Instant) {
        while let Some(next) = self.ahead().first().copied().filter(|next| *next <= until) {
            self.now = next;
            self.settle();
        }
        self.now = until;
        self.settle();
    }

    /// Does what is to be done now: first silence, then effects.
    fn settle(&mut self) {
        let now = self.now;
        for notice in &mut self.notices {
            let policy = notice.policy;
            notice.recipients.values_mut().for_each(|recipient| recipient.pass(policy, now));
            notice.leave(now);
        }
        for number in 0..self.notices.len() {
            if !self.notices[number].open() {
                continue;
            }
            let mut held = false;
            for index in 0..self.notices[number].changes.len() {
                let notice = &mut self.notices[number];
                if !notice.changes[index].pending() {
                    continue;
                }
                let (come, clear) = notice.turn(index, now);
                if come && clear {
                    notice.changes[index].effective = Some(now);
                    let change = notice.changes[index].clone();
                    self.take_effect((number, index), &change);
                } else {
                    held |= come && notice.requested.is_some();
                }
            }
            let notice = &mut self.notices[number];
            notice.state = if held { State::Held } else { State::Published };
            if !notice.changes.iter().any(Change::pending) {
                notice.state = State::Effective;
            }
        }
    }

    fn take_effect(&mut self, key: Key, change: &Change) {
        let sub = self.subs.get_mut(&change.sub).expect("a subprocessor");
        match &change.kind {
            Kind::Add | Kind::Replace(_) => (sub.stage, sub.on) = (Stage::Active, Some(key)),
            Kind::Remove => (sub.stage, sub.off) = (Stage::Retired, Some(key)),
            Kind::Locate(places) => sub.places.push((Some(key), places.clone())),
        }
        if let Kind::Replace(other) = &change.kind {
            let other = self.subs.get_mut(other).expect("a subprocessor");
            (other.stage, other.off) = (Stage::Retired, Some(key));
        }
    }

    // What people do. Each is followed by what there is to be done at once.

    /// Whether a change fits what the registry holds.
    fn fits(&self, change: &Change) -> bool {
        let stage = |sub: &String| self.subs.get(sub).map(|sub| sub.stage);
        let active = |sub: &String| stage(sub) == Some(Stage::Active);
        match &change.kind {
            Kind::Add => matches!(stage(&change.sub), None | Some(Stage::Proposed | Stage::Announced)),
            Kind::Replace(other) => {
                active(other) && matches!(stage(&change.sub), None | Some(Stage::Proposed | Stage::Announced))
            }
            Kind::Remove | Kind::Locate(_) => active(&change.sub),
        }
    }

    /// Drafts and approves a notice.
    pub fn draft(&mut self, notice: Notice) -> Done {
        ensure(notice.changes.iter().all(|change| self.fits(change)))?;
        self.notices.push(notice);
        Ok(())
    }

    pub fn publish(&mut self, number: usize) -> Done {
        let (now, policy) = (self.now, self.policy);
        let notice = self.notices.get(number).ok_or(Refused)?;
        ensure(notice.state == State::Approved)?;
        ensure(notice.changes.iter().all(|change| self.fits(change)))?;
        let own: Vec<&String> = notice.changes.iter().flat_map(Change::about).collect();
        let mut others = self.notices.iter().filter(|other| other.open());
        ensure(!others.any(|other| {
            other.changes.iter().filter(|change| change.pending()).flat_map(Change::about).any(|sub| own.contains(&sub))
        }))?;
        let mut notice = notice.clone();
        for change in &mut notice.changes {
            change.waits = match &change.kind {
                Kind::Add | Kind::Replace(_) => true,
                Kind::Remove => false,
                Kind::Locate(places) => {
                    let before = self.subs[&change.sub].places();
                    places.iter().any(|place| !before.contains(place))
                }
            };
            if change.adds() {
                let fresh =
                    Sub { stage: Stage::Announced, on: None, off: None, places: vec![(None, vec!["DE".to_owned()])] };
                self.subs.entry(change.sub.clone()).or_insert(fresh).stage = Stage::Announced;
            }
        }
        let any = notice.changes.iter().any(|change| change.waits);
        notice.state = State::Published;
        notice.publish = Some(now);
        notice.policy = policy;
        let plain = Counting { business: false, holiday: None, ahead: 0 };
        notice.promise = any.then(|| over(now, policy.notice.unwrap_or(0), plain));
        let mut latest = Some(notice.promise.map_or(now, |promise| promise.max(now)));
        for (number, customer) in self.customers.iter().enumerate() {
            if let Some(recipient) = reached(customer, &notice, now) {
                latest = if any {
                    latest.zip(recipient.periods(policy)).map(|(latest, clear)| latest.max(clear))
                } else {
                    latest.and_then(|latest| recipient.start().map(|_| latest))
                };
                notice.recipients.insert(number, recipient);
            }
        }
        notice.earliest = latest;
        self.notices[number] = notice;
        self.settle();
        Ok(())
    }

    pub fn withdraw(&mut self, number: usize, only: Option<usize>) -> Done {
        let now = self.now;
        let notice = self.notices.get_mut(number).ok_or(Refused)?;
        ensure(!matches!(notice.state, State::Effective | State::Withdrawn))?;
        if let Some(only) = only {
            ensure(notice.changes[only].effective.is_none())?;
        }
        let was_open = notice.open();
        for (index, change) in notice.changes.iter_mut().enumerate() {
            if change.pending() && only.is_none_or(|only| only == index) {
                change.withdrawn = Some(now);
                if was_open && change.adds() {
                    self.subs.get_mut(&change.sub).expect("announced").stage = Stage::Proposed;
                }
            }
        }
        if !notice.changes.iter().any(Change::pending) {
            let effective = notice.changes.iter().any(|change| change.effective.is_some());
            notice.state = if effective { State::Effective } else { State::Withdrawn };
        }
        if was_open {
            let gone: Vec<usize> =
                (0..notice.changes.len()).filter(|index| notice.changes[*index].withdrawn.is_some()).collect();
            for id in 0..self.objections.len() {
                let objection = &self.objections[id];
                let closes = objection.open && objection.notice == number;
                if closes && objection.changes.iter().all(|change| gone.contains(change)) {
                    self.close(id, Status::Released);
                }
            }
        }
        self.settle();
        Ok(())
    }

    /// A notice that can be answered, and a recipient.
    fn told(&mut self, notice: usize, customer: usize) -> Result<(Notice, &mut Recipient), Refused> {
        let notice = self.notices.get_mut(notice).ok_or(Refused)?;
        ensure(matches!(notice.state, State::Published | State::Held | State::Effective))?;
        let copy = notice.clone();
        let recipient = notice.recipients.get_mut(&customer).ok_or(Refused)?;
        Ok((copy, recipient))
    }

    /// What an answer is about: one change by its number, or all for which something waits.
    fn about(recipient: &Recipient, only: Option<usize>) -> Result<Vec<usize>, Refused> {
        let all = recipient.stands.iter().enumerate();
        let chosen: Vec<usize> = match only {
            Some(only) => all.filter(|(_, stand)| stand.change == only).map(|(i, _)| i).collect(),
            None => all.filter(|(_, stand)| stand.status != Status::Released).map(|(i, _)| i).collect(),
        };
        if only.is_some() {
            ensure(!chosen.is_empty() && chosen.iter().all(|i| recipient.stands[*i].status != Status::Released))?;
        }
        Ok(chosen)
    }

    pub fn authorize(&mut self, notice: usize, customer: usize, only: Option<usize>) -> Done {
        let now = self.now;
        let (_, recipient) = self.told(notice, customer)?;
        let about = Self::about(recipient, only)?;
        ensure(about.iter().all(|i| recipient.stands[*i].status != Status::Objected))?;
        for i in about {
            let stand = &mut recipient.stands[i];
            if stand.status != Status::Authorized {
                (stand.status, stand.decided) = (Status::Authorized, now);
            }
        }
        self.settle();
        Ok(())
    }

    /// Whether a change applies to a recipient.
    fn has(notice: &Notice, recipient: &Recipient, stand: &Stand, at: Instant) -> bool {
        let change = &notice.changes[stand.change];
        let applies = recipient.applies(stand, notice).is_some_and(|clear| clear <= at);
        change.effective.is_some() && (!change.waits || applies)
    }

    pub fn deny(&mut self, notice: usize, customer: usize, only: Option<usize>) -> Done {
        let now = self.now;
        let (notice, recipient) = self.told(notice, customer)?;
        ensure(recipient.specific())?;
        let about = Self::about(recipient, only)?;
        ensure(about.iter().all(|i| recipient.stands[*i].status != Status::Objected))?;
        // What applies is not denied any more, also not by who left.
        let all = recipient.stands.iter().filter(|stand| only.is_none_or(|only| only == stand.change));
        ensure(!all.into_iter().any(|stand| Self::has(&notice, recipient, stand, now)))?;
        for i in about {
            let stand = &mut recipient.stands[i];
            if stand.status != Status::Denied {
                (stand.status, stand.decided) = (Status::Denied, now);
            }
        }
        self.settle();
        Ok(())
    }

    pub fn object(&mut self, number: usize, customer: usize, only: Option<usize>, lodged: Instant) -> Done {
        let (now, id) = (self.now, self.objections.len());
        let (notice, recipient) = self.told(number, customer)?;
        ensure(lodged <= now && notice.publish.is_some_and(|published| published <= lodged))?;
        let mut about = Self::about(recipient, only)?;
        let withdrawn = |i: &usize| notice.changes[recipient.stands[*i].change].withdrawn.is_some();
        match only {
            Some(_) => ensure(!about.iter().any(withdrawn))?,
            None => about.retain(|i| !withdrawn(i)),
        }
        ensure(!about.is_empty())?;
        ensure(about.iter().all(|i| recipient.stands[*i].status != Status::Objected))?;
        let past = recipient.deadline(notice.policy).is_some_and(|deadline| deadline <= lodged);
        let late = past || !recipient.may_object(notice.policy);
        let end = match &recipient.terms {
            // Where silence denies, an objection cannot end in less.
            Some(terms) if !terms.specific => match terms.termination {
                Some(Some(days)) => Some(over(lodged, days, recipient.counting(terms.business))),
                _ => None,
            },
            _ => None,
        };
        let mut blocks = false;
        for i in about.iter().copied().filter(|_| !late) {
            if Self::has(&notice, recipient, &recipient.stands[i], now) {
                continue;
            }
            blocks = true;
            let stand = &mut recipient.stands[i];
            (stand.status, stand.decided, stand.objection, stand.end) = (Status::Objected, lodged, Some(id), end);
        }
        let changes = about.iter().map(|i| recipient.stands[*i].change).collect();
        let end = end.filter(|_| blocks);
        self.objections.push(Objection { notice: number, customer, changes, late, open: true, end });
        self.settle();
        Ok(())
    }

    fn close(&mut self, id: usize, status: Status) {
        let now = self.now;
        let objection = &mut self.objections[id];
        objection.open = false;
        let recipient = self.notices[objection.notice].recipients.get_mut(&objection.customer);
        for stand in recipient.into_iter().flat_map(|recipient| &mut recipient.stands) {
            if stand.status == Status::Objected && stand.objection == Some(id) {
                (stand.status, stand.decided, stand.end) = (status, now, None);
            }
        }
    }

    pub fn resolve(&mut self, id: usize, outcome: Outcome) -> Done {
        let objection = self.objections.get(id).ok_or(Refused)?;
        ensure(objection.open)?;
        let status = match outcome {
            Outcome::Withdrawn => {
                let notice = &self.notices[objection.notice];
                ensure(objection.changes.iter().all(|change| notice.changes[*change].withdrawn.is_some()))?;
                Status::Released
            }
            Outcome::Alternative => Status::Authorized,
            Outcome::Terminated => Status::Released,
            Outcome::TakenBack | Outcome::NoGrounds => Status::Pending,
        };
        self.close(id, status);
        self.settle();
        Ok(())
    }

    pub fn record(&mut self, notice: usize, customer: usize, receipt: Receipt, at: Instant) -> Done {
        let now = self.now;
        let (notice, recipient) = self.told(notice, customer)?;
        ensure(at <= now && notice.publish.is_some_and(|published| published <= at))?;
        match receipt {
            Receipt::Sent => recipient.send = recipient.send.or(Some(at)),
            Receipt::Delivered => {
                recipient.deliver = Some(recipient.deliver.map_or(at, |known| known.min(at)));
                recipient.send = recipient.send.or(Some(at));
            }
            Receipt::Bounced => {
                ensure(recipient.deliver.is_none())?;
                // What time has decided rests on the clock that would stop.
                ensure(!recipient.stands.iter().any(|stand| match stand.status {
                    Status::DeemedAuthorized | Status::DeemedDenied => true,
                    Status::Objected => {
                        stand.end.is_some() && recipient.clear(stand, notice.policy).is_some_and(|clear| clear <= now)
                    }
                    _ => false,
                }))?;
                recipient.send = None;
            }
        }
        self.settle();
        Ok(())
    }

    pub fn join(&mut self, terms: Option<Terms>) -> Done {
        self.customers.push(Customer { terms, end: None, deleted: false });
        self.follow(self.customers.len() - 1);
        Ok(())
    }

    pub fn change_customer(&mut self, number: usize, change: impl FnOnce(&mut Customer)) -> Done {
        let customer = self.customers.get_mut(number).ok_or(Refused)?;
        ensure(!customer.deleted)?;
        change(customer);
        self.follow(number);
        Ok(())
    }

    /// What follows for notices from a customer that was written.
    fn follow(&mut self, number: usize) {
        let (now, customer) = (self.now, self.customers[number].clone());
        let ended = customer.deleted || customer.end.is_some_and(|end| end <= day_of(now));
        let open: Vec<bool> = self.objections.iter().map(|objection| objection.open).collect();
        for notice in &mut self.notices {
            let policy = notice.policy;
            if !notice.waits(now) {
                continue;
            }
            let again = reached(&customer, notice, now).filter(|_| notice.open());
            if let Some(recipient) = notice.recipients.get_mut(&number) {
                recipient.release = if ended {
                    Some(recipient.release.filter(|release| *release <= now).unwrap_or(now))
                } else {
                    customer.end.map(|day| day * super::days::DAY)
                };
                // Who comes back is waited for with what may still take effect.
                let again = again.into_iter().flat_map(|again| again.stands).map(|stand| stand.change);
                for change in again.collect::<Vec<usize>>() {
                    let back = recipient.stands.iter_mut().find(|stand| stand.change == change && stand.left);
                    if let Some(stand) = back {
                        let objects = stand.objection.is_some_and(|id| open[id]);
                        stand.status = if objects { Status::Objected } else { Status::Pending };
                        (stand.decided, stand.left) = (now, false);
                    }
                }
                recipient.pass(policy, now);
                notice.leave(now);
            } else if notice.open()
                && let Some(recipient) = reached(&customer, notice, now)
            {
                notice.recipients.insert(number, recipient);
            }
        }
        self.settle();
    }

    // What is seen.

    fn applied(&self, key: Option<Key>, customer: Option<usize>) -> bool {
        let Some((notice, index)) = key else { return true };
        customer.is_none_or(|customer| !self.notices[notice].held(index, customer, self.now))
    }

    /// The list of today: of all, or of one customer, with the places of each.
    pub fn list(&self, customer: Option<usize>) -> BTreeMap<String, Vec<String>> {
        let on = |sub: &Sub| {
            let joined = matches!(sub.stage, Stage::Active | Stage::Retired) && self.applied(sub.on, customer);
            joined && !(sub.off.is_some() && self.applied(sub.off, customer))
        };
        let places = |sub: &Sub| {
            // What the oldest change found that is held back.
            let held = sub.places.iter().position(|(key, _)| !self.applied(*key, customer));
            let seen = held.map_or(sub.places.len(), |held| held) - 1;
            sub.places[seen].1.clone()
        };
        self.subs.iter().filter(|(_, sub)| on(sub)).map(|(id, sub)| (id.clone(), places(sub))).collect()
    }

    /// Everything that is compared but the lists of customers.
    pub fn picture(&self) -> BTreeMap<String, String> {
        let mut picture = BTreeMap::new();
        let time = |at: Option<Instant>| at.map_or_else(String::new, text);
        for (number, notice) in self.notices.iter().enumerate() {
            let effective = notice.changes.iter().filter_map(|change| change.effective).max();
            let effective = effective.filter(|_| notice.state == State::Effective);
            let reached = notice.recipients.len();
            picture.insert(
                format!("n{number}"),
                format!(
                    "{:?} effective {} earliest {} reaches {reached}",
                    notice.state,
                    time(effective),
                    time(notice.earliest)
                ),
            );
            for (index, change) in notice.changes.iter().enumerate() {
                let held = notice.recipients.keys().filter(|who| notice.held(index, **who, self.now)).count();
                picture.insert(
                    format!("n{number} c{}", index + 1),
                    format!(
                        "waits {} effective {} withdrawn {} held {held}",
                        change.waits,
                        time(change.effective),
                        time(change.withdrawn)
                    ),
                );
            }
            for (who, recipient) in &notice.recipients {
                picture.insert(format!("n{number} k{who}"), format!("start {}", time(recipient.start())));
                for stand in &recipient.stands {
                    let over = stand.status == Status::Released;
                    let deadline = recipient.deadline(notice.policy).filter(|_| !over);
                    let clear = recipient.clear(stand, notice.policy).filter(|_| !over);
                    picture.insert(
                        format!("n{number} k{who} c{}", stand.change + 1),
                        format!(
                            "{:?} since {} deadline {} clear {}",
                            stand.status,
                            text(stand.decided),
                            time(deadline),
                            time(clear)
                        ),
                    );
                }
            }
        }
        for (id, sub) in &self.subs {
            let mut held = BTreeSet::<usize>::new();
            for notice in &self.notices {
                for (index, change) in notice.changes.iter().enumerate() {
                    if change.about().contains(&id) {
                        held.extend(notice.recipients.keys().filter(|who| notice.held(index, **who, self.now)));
                    }
                }
            }
            let held: Vec<String> = held.iter().map(|who| format!("k{who}")).collect();
            picture.insert(
                format!("sub {id}"),
                format!("{:?} at {} held back from {}", sub.stage, sub.places().join(" "), held.join(" ")),
            );
        }
        for (number, objection) in self.objections.iter().enumerate() {
            let changes: Vec<String> = objection.changes.iter().map(|change| format!("c{}", change + 1)).collect();
            picture.insert(
                format!("o{number}"),
                format!(
                    "open {} late {} of k{} against {} end {}",
                    objection.open,
                    objection.late,
                    objection.customer,
                    changes.join(" "),
                    time(objection.end)
                ),
            );
        }
        picture.insert("list".into(), format!("{:?}", self.list(None)));
        picture
    }

    pub fn today(&self) -> String {
        date(day_of(self.now))
    }
}

/// What becomes of a customer whom a notice reaches; none: it does not.
fn reached(customer: &Customer, notice: &Notice, at: Instant) -> Option<Recipient> {
    if customer.deleted || customer.end.is_some_and(|end| end <= day_of(at)) {
        return None;
    }
    let accepted = customer.terms.as_ref().and_then(|terms| terms.accepted);
    if accepted.zip(notice.requested).is_some_and(|(accepted, requested)| day_of(requested) <= accepted) {
        return None;
    }
    let pending = (0..notice.changes.len()).filter(|index| notice.changes[*index].pending());
    let stand =
        |change| Stand { change, status: Status::Pending, decided: at, objection: None, end: None, left: false };
    let stands: Vec<Stand> = pending.map(stand).collect();
    if stands.is_empty() {
        return None;
    }
    let email = customer.terms.as_ref().is_some_and(|terms| terms.email);
    let mut recipient = Recipient {
        terms: customer.terms.clone(),
        send: (!email).then_some(at),
        deliver: None,
        published: Some(at),
        release: customer.end.map(|day| day * super::days::DAY),
        stands,
    };
    recipient.pass(notice.policy, at);
    Some(recipient)
}
