//! What becomes of one customer's answer to a notice, or of its silence: when its clocks start, what the passing of a
//! deadline means, and from when a change may apply to it. Every function takes the instant at which something happens;
//! applying them in the order of those instants gives the same whenever it is done.

use jiff::Timestamp;

use super::{clock::Terms, instant, stamp};
use crate::{
    call::SYSTEM,
    error::Result,
    proto::v1::{
        Agreement, DeliveryReceipt, NoticePolicy, NoticeRecipient, Objection, RecipientChange,
        agreement::{Authorization, ClockStart, NoticeMethod, UnresolvedObjection},
        delivery_receipt::Kind as Receipt,
        objection::Outcome,
        recipient_change::Status,
    },
};

/// What a refusal is about, and why.
pub type Refused = String;

/// Whether a customer has to authorize each change itself (GDPR Art. 28(2), first alternative).
pub fn is_specific(agreement: Option<&Agreement>) -> bool {
    agreement.is_some_and(|agreement| agreement.authorization() == Authorization::Specific)
}

/// Why nothing waits any more for a customer that has left.
const ENDED: &str = "its agreement ended";
/// Why nothing waits any more for a customer that stays.
const UNUSED: &str = "it does not use what the change concerns";

/// Begins with a recipient that is reached at `at`: told already where publishing tells it.
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn begin(
    recipient: &mut NoticeRecipient,
    change_ids: Vec<String>,
    policy: &NoticePolicy,
    at: Timestamp,
) -> Result<()> {
    let change = |change_id: String| {
        let mut change = RecipientChange { change_id, decide_time: stamp(at), ..RecipientChange::default() };
        change.set_status(Status::Pending);
        SYSTEM.clone_into(&mut change.decided_by);
        change
    };
    recipient.changes.extend(change_ids.into_iter().map(change));
    if publishing_tells(recipient) && recipient.send_time.is_none() {
        recipient.send_time = stamp(at);
    }
    if clock_start(recipient) == ClockStart::Published && recipient.start_time.is_none() {
        recipient.start_time = stamp(at);
    }
    start_clocks(recipient, policy)?;
    pass(recipient, at);
    Ok(())
}

/// Whether publishing is how the customer is told: as was agreed, or because nothing was.
fn publishing_tells(recipient: &NoticeRecipient) -> bool {
    matches!(recipient.method(), NoticeMethod::Unspecified | NoticeMethod::Publication)
}

fn clock_start(recipient: &NoticeRecipient) -> ClockStart {
    recipient.agreement.as_ref().map_or(ClockStart::Unspecified, Agreement::clock_start)
}

/// Sets the clocks by what is known of telling the customer; stops them where nothing is any more.
fn start_clocks(recipient: &mut NoticeRecipient, policy: &NoticePolicy) -> Result<()> {
    match clock_start(recipient) {
        ClockStart::Published => {}
        ClockStart::Delivered => recipient.start_time = recipient.deliver_time,
        ClockStart::Sent | ClockStart::Unspecified => recipient.start_time = recipient.send_time,
    }
    let terms = Terms::new(recipient.agreement.as_ref(), Some(policy))?;
    let starts: Vec<Option<Timestamp>> = recipient.changes.iter().map(|change| start(recipient, change)).collect();
    for (change, start) in recipient.changes.iter_mut().zip(starts) {
        let Some(start) = start else {
            (change.objection_deadline_time, change.clear_time) = (None, None);
            continue;
        };
        let clock = terms.clock(start)?;
        change.objection_deadline_time = clock.objection_deadline_time.and_then(stamp);
        let end = instant(change.termination_right_end_time.as_ref()).filter(|_| change.status() == Status::Objected);
        change.clear_time = stamp(end.map_or(clock.clear_time, |end| end.max(clock.clear_time)));
    }
    Ok(())
}

/// When the clocks of a change start: with those of the recipient, or with the first telling after the change came to
/// concern it.
fn start(recipient: &NoticeRecipient, change: &RecipientChange) -> Option<Timestamp> {
    let Some(reached) = instant(change.reach_time.as_ref()) else { return instant(recipient.start_time.as_ref()) };
    let acknowledged = instant(recipient.acknowledge_time.as_ref()).filter(|time| *time >= reached);
    let told = |kinds: &[Receipt]| first_told(recipient, kinds, reached).into_iter().chain(acknowledged).min();
    match clock_start(recipient) {
        ClockStart::Published => Some(reached),
        ClockStart::Delivered => told(&[Receipt::Delivered]),
        _ if publishing_tells(recipient) => Some(reached),
        ClockStart::Sent | ClockStart::Unspecified => told(&[Receipt::Sent, Receipt::Delivered]),
    }
}

/// The first receipt of some kinds, not before `since`, that did not come back. What was sent again after it came back
/// stands until it comes back again.
fn first_told(recipient: &NoticeRecipient, kinds: &[Receipt], since: Timestamp) -> Option<Timestamp> {
    let bounced = |at: usize, receipt: &DeliveryReceipt| {
        let own = |other: &DeliveryReceipt| other.kind() == Receipt::Bounced && other.delivery == receipt.delivery;
        recipient.receipts.iter().skip(at).any(own)
    };
    let standing =
        recipient.receipts.iter().enumerate().filter(|(at, one)| kinds.contains(&one.kind()) && !bounced(*at, one));
    standing.filter_map(|(_, one)| instant(one.event_time.as_ref())).filter(|time| *time >= since).min()
}

/// When silence on a change has its consequence: not any more once the customer has left.
fn silence(recipient: &NoticeRecipient, change: &RecipientChange) -> Option<Timestamp> {
    let start = start(recipient, change)?;
    let without_right = match is_specific(recipient.agreement.as_ref()) {
        true => instant(change.clear_time.as_ref()),
        false => Some(start),
    };
    let end = instant(change.objection_deadline_time.as_ref()).or(without_right);
    let release = instant(recipient.release_time.as_ref());
    end.filter(|end| release.is_none_or(|release| *end < release))
}

/// Applies what silence has decided by `at`.
pub fn pass(recipient: &mut NoticeRecipient, at: Timestamp) {
    let deemed =
        if is_specific(recipient.agreement.as_ref()) { Status::DeemedDenied } else { Status::DeemedAuthorized };
    let ends: Vec<Option<Timestamp>> = recipient.changes.iter().map(|change| silence(recipient, change)).collect();
    for (change, end) in recipient.changes.iter_mut().zip(ends) {
        if change.status() == Status::Pending
            && let Some(end) = end.filter(|end| *end <= at)
        {
            // What was given back to silence after its end was decided when it was given back.
            let since = instant(change.decide_time.as_ref()).map_or(end, |since| since.max(end));
            decide(change, deemed, since, SYSTEM, "");
        }
    }
    recipient.due_time = next(recipient).and_then(stamp);
}

/// Applies that the customer has left by `at`, if it has: nothing waits for it any more. What it answered to what applies
/// to it already (`applied`: ids of changes) stays as it was.
pub fn leave(recipient: &mut NoticeRecipient, applied: &[String], at: Timestamp) {
    let Some(release) = instant(recipient.release_time.as_ref()).filter(|release| *release <= at) else { return };
    for change in &mut recipient.changes {
        if change.status() != Status::Released && !applied.contains(&change.change_id) {
            decide(change, Status::Released, release, SYSTEM, ENDED);
        }
    }
    recipient.due_time = silences(recipient).min().and_then(stamp);
}

/// Nothing of some changes concerns the customer any more.
pub fn release(recipient: &mut NoticeRecipient, gone: impl Fn(&str) -> bool, at: Timestamp) {
    for change in &mut recipient.changes {
        if change.status() != Status::Released && gone(&change.change_id) {
            decide(change, Status::Released, at, SYSTEM, UNUSED);
        }
    }
    recipient.due_time = next(recipient).and_then(stamp);
}

/// Changes concern a customer that the notice has reached already (`concerned`): those that it did not know of have
/// periods of their own; those that nothing waited for it with any more, because it had left or did not use them, wait for
/// it anew, and are objected to if its objection is open (`objected`).
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn widen(
    recipient: &mut NoticeRecipient,
    concerned: &[String],
    objected: &[String],
    policy: &NoticePolicy,
    at: Timestamp,
) -> Result<()> {
    let mut is_wider = false;
    for id in concerned {
        match recipient.changes.iter_mut().find(|change| change.change_id == *id) {
            Some(change) if may_come_back(change) => {
                let status = if objected.contains(&change.objection) { Status::Objected } else { Status::Pending };
                decide(change, status, at, SYSTEM, "it concerns the customer again");
                is_wider = true;
            }
            Some(_) => {}
            None => {
                let mut change =
                    RecipientChange { change_id: id.clone(), reach_time: stamp(at), ..RecipientChange::default() };
                decide(&mut change, Status::Pending, at, SYSTEM, "");
                recipient.changes.push(change);
                is_wider = true;
            }
        }
    }
    if is_wider { start_clocks(recipient, policy) } else { Ok(()) }
}

/// Whether nothing waits for the customer with a change only because of what it is: that can be undone.
pub fn may_come_back(change: &RecipientChange) -> bool {
    change.status() == Status::Released
        && change.decided_by == SYSTEM
        && [ENDED, UNUSED].contains(&change.note.as_str())
}

/// The next instant at which time decides something.
fn next(recipient: &NoticeRecipient) -> Option<Timestamp> {
    let open = |change: &&RecipientChange| change.status() != Status::Released;
    let release = instant(recipient.release_time.as_ref()).filter(|_| recipient.changes.iter().any(|c| open(&c)));
    silences(recipient).chain(release).min()
}

/// When silence has its consequences on what is not answered.
fn silences(recipient: &NoticeRecipient) -> impl Iterator<Item = Timestamp> {
    let pending = recipient.changes.iter().filter(|change| change.status() == Status::Pending);
    pending.filter_map(|change| silence(recipient, change))
}

fn decide(change: &mut RecipientChange, status: Status, at: Timestamp, by: &str, note: &str) {
    change.set_status(status);
    change.decide_time = stamp(at);
    by.clone_into(&mut change.decided_by);
    note.clone_into(&mut change.note);
}

/// From when on a change may apply to a customer, as things stand; `None`: not without an answer. `emergency`: when the
/// notice was published, if it is one that cannot wait.
pub fn clears_at(
    recipient: &NoticeRecipient,
    change: &RecipientChange,
    emergency: Option<Timestamp>,
) -> Option<Timestamp> {
    let allowed = recipient.agreement.as_ref().is_some_and(|agreement| agreement.emergency_allowed);
    if let Some(published) = emergency.filter(|_| allowed) {
        return Some(published);
    }
    let decided = instant(change.decide_time.as_ref());
    let clear = instant(change.clear_time.as_ref());
    match change.status() {
        Status::Authorized | Status::Released => decided,
        Status::DeemedAuthorized => clear.zip(decided).map(|(clear, decided)| clear.max(decided)),
        Status::Objected => instant(change.termination_right_end_time.as_ref()).and(clear),
        Status::Pending | Status::Denied | Status::DeemedDenied | Status::Unspecified => None,
    }
}

/// The same, if the customer stays silent.
pub fn clears_in_silence(
    recipient: &NoticeRecipient,
    change: &RecipientChange,
    emergency: Option<Timestamp>,
) -> Option<Timestamp> {
    match change.status() {
        Status::Pending if !is_specific(recipient.agreement.as_ref()) => {
            clears_at(recipient, change, emergency).or_else(|| instant(change.clear_time.as_ref()))
        }
        _ => clears_at(recipient, change, emergency),
    }
}

/// The changes that an answer is about.
fn chosen<'a>(recipient: &'a mut NoticeRecipient, ids: &'a [String]) -> impl Iterator<Item = &'a mut RecipientChange> {
    recipient.changes.iter_mut().filter(|change| ids.is_empty() || ids.contains(&change.change_id))
}

/// Ids that are of no change that concerns the customer, as an answer names them.
pub fn strangers(recipient: &NoticeRecipient, ids: &[String]) -> Vec<(usize, String)> {
    let known = |id: &String| recipient.changes.iter().any(|change| change.change_id == *id);
    ids.iter().enumerate().filter(|(_, id)| !known(id)).map(|(i, id)| (i, id.clone())).collect()
}

/// The customer authorizes changes.
///
/// # Errors
/// Why one cannot be authorized.
pub fn authorize(
    recipient: &mut NoticeRecipient,
    ids: &[String],
    at: Timestamp,
    by: &str,
    note: &str,
) -> Result<(), Refused> {
    for change in chosen(recipient, ids) {
        match change.status() {
            Status::Objected => {
                return Err(format!("{}: {} is open; resolve it first", change.change_id, change.objection));
            }
            Status::Released if ids.is_empty() => continue,
            Status::Released => {
                return Err(format!("{}: nothing waits for this customer any more", change.change_id));
            }
            Status::Authorized => continue,
            _ => {}
        }
        decide(change, Status::Authorized, at, by, note);
    }
    recipient.due_time = next(recipient).and_then(stamp);
    Ok(())
}

/// The customer denies changes, `applied` those that apply to it already.
///
/// # Errors
/// Why one cannot be denied.
pub fn deny(
    recipient: &mut NoticeRecipient,
    ids: &[String],
    applied: &[String],
    at: Timestamp,
    by: &str,
    note: &str,
) -> Result<(), Refused> {
    if !is_specific(recipient.agreement.as_ref()) {
        return Err("the customer gave a general authorization: it objects (CreateObjection)".to_owned());
    }
    for change in chosen(recipient, ids) {
        if applied.contains(&change.change_id) {
            return Err(format!("{}: the change applies to this customer already", change.change_id));
        }
        match change.status() {
            Status::Released if ids.is_empty() => continue,
            Status::Released => {
                return Err(format!("{}: nothing waits for this customer any more", change.change_id));
            }
            Status::Objected => {
                return Err(format!("{}: {} is open; resolve it first", change.change_id, change.objection));
            }
            Status::Denied => continue,
            _ => decide(change, Status::Denied, at, by, note),
        }
    }
    recipient.due_time = next(recipient).and_then(stamp);
    Ok(())
}

/// The customer objects. Whether the objection is late, against at least one change; what it is late for, and what
/// applies to the customer already (`applied`), it does not block.
///
/// # Errors
/// Why it cannot be lodged.
pub fn object(
    recipient: &mut NoticeRecipient,
    objection: &mut Objection,
    applied: &[String],
    policy: &NoticePolicy,
    by: &str,
) -> Result<std::result::Result<(), Refused>> {
    let Some(lodged) = instant(objection.lodge_time.as_ref()) else { return Ok(Err("it has no time".to_owned())) };
    let ids = objection.change_ids.clone();
    let agreement = recipient.agreement.clone();
    let terms = Terms::new(agreement.as_ref(), Some(policy))?;
    let end = match &agreement {
        // Where silence denies, an objection that nobody resolves cannot come to less than silence.
        Some(agreement)
            if agreement.unresolved_objection() == UnresolvedObjection::TerminationRight
                && !is_specific(Some(agreement)) =>
        {
            agreement.resolution_days.map(|days| terms.after(lodged, days)).transpose()?
        }
        _ => None,
    };
    for change in chosen(recipient, &ids) {
        match change.status() {
            Status::Objected => return Ok(Err(format!("{}: {} is open", change.change_id, change.objection))),
            Status::Released if ids.is_empty() => continue,
            Status::Released => {
                return Ok(Err(format!("{}: nothing waits for this customer any more", change.change_id)));
            }
            _ => {}
        }
        // A clock that has not started yet has no deadline; without a right to object there will be none.
        let deadline = instant(change.objection_deadline_time.as_ref());
        if !terms.may_object() || deadline.is_some_and(|deadline| deadline <= lodged) {
            objection.late = true;
            continue;
        }
        if applied.contains(&change.change_id) {
            continue;
        }
        decide(change, Status::Objected, lodged, by, &objection.grounds);
        objection.name.clone_into(&mut change.objection);
        change.termination_right_end_time = end.and_then(stamp);
        objection.termination_right_end_time = end.and_then(stamp);
    }
    start_clocks(recipient, policy)?;
    recipient.due_time = next(recipient).and_then(stamp);
    Ok(Ok(()))
}

/// An objection has ended.
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn resolve(
    recipient: &mut NoticeRecipient,
    objection: &Objection,
    policy: &NoticePolicy,
    at: Timestamp,
    by: &str,
) -> Result<()> {
    let (status, note) = match objection.outcome() {
        Outcome::AlternativeAccepted => (Status::Authorized, objection.resolution.as_str()),
        Outcome::CustomerTerminated => (Status::Released, "the customer ended its agreement"),
        Outcome::ChangeWithdrawn => (Status::Released, "the change was withdrawn"),
        Outcome::ObjectionWithdrawn | Outcome::NoGrounds | Outcome::Unspecified => (Status::Pending, ""),
    };
    for change in &mut recipient.changes {
        if change.status() == Status::Objected && change.objection == objection.name {
            decide(change, status, at, by, note);
            change.termination_right_end_time = None;
        }
    }
    start_clocks(recipient, policy)?;
    pass(recipient, at);
    Ok(())
}

/// A mail of the registry's came back after it had been accepted; its bounce is the last of the receipts. What it told is
/// undone, unless the customer took note, or time has decided on it.
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn come_back(recipient: &mut NoticeRecipient, now: Timestamp, policy: &NoticePolicy) -> Result<()> {
    if recipient.acknowledge_time.is_some() || is_decided(recipient, now) {
        return Ok(());
    }
    let first = |kinds: &[Receipt]| first_told(recipient, kinds, Timestamp::MIN).and_then(stamp);
    (recipient.send_time, recipient.deliver_time) =
        (first(&[Receipt::Sent, Receipt::Delivered]), first(&[Receipt::Delivered]));
    start_clocks(recipient, policy)?;
    pass(recipient, now);
    Ok(())
}

/// Whether time has decided on a change: what it decided rests on a clock that must not be stopped.
fn is_decided(recipient: &NoticeRecipient, now: Timestamp) -> bool {
    recipient.changes.iter().any(|change| match change.status() {
        Status::DeemedAuthorized | Status::DeemedDenied => true,
        Status::Objected => clears_at(recipient, change, None).is_some_and(|clear| clear <= now),
        _ => false,
    })
}

/// Records a receipt: the customer was told, it arrived, or it came back.
///
/// # Errors
/// Why it cannot be recorded: a bounce of what has been decided.
pub fn record(
    recipient: &mut NoticeRecipient,
    receipt: DeliveryReceipt,
    now: Timestamp,
    policy: &NoticePolicy,
) -> Result<std::result::Result<(), Refused>> {
    let (kind, at) = (receipt.kind(), instant(receipt.event_time.as_ref()).unwrap_or(now));
    if let Err(refused) = take_note(recipient, kind, at, now) {
        return Ok(Err(refused));
    }
    recipient.receipts.push(receipt);
    start_clocks(recipient, policy)?;
    pass(recipient, now);
    Ok(Ok(()))
}

/// Records that the customer has acknowledged all that concerns it at `at`: whatever it was sent has arrived.
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn acknowledge(
    recipient: &mut NoticeRecipient,
    at: Timestamp,
    now: Timestamp,
    policy: &NoticePolicy,
) -> Result<std::result::Result<(), Refused>> {
    let since = instant(recipient.acknowledge_time.as_ref());
    let is_more = recipient.changes.iter().any(|change| instant(change.reach_time.as_ref()) > since);
    if since.is_none() || is_more {
        recipient.acknowledge_time = stamp(at);
    }
    if let Err(refused) = take_note(recipient, Receipt::Delivered, at, now) {
        return Ok(Err(refused));
    }
    start_clocks(recipient, policy)?;
    pass(recipient, now);
    Ok(Ok(()))
}

/// What a receipt at `at` says of when the customer was told, or why it says nothing.
fn take_note(recipient: &mut NoticeRecipient, kind: Receipt, at: Timestamp, now: Timestamp) -> Result<(), Refused> {
    let earlier = |known: &mut Option<prost_types::Timestamp>| {
        if instant(known.as_ref()).is_none_or(|known| at < known) {
            *known = stamp(at);
        }
    };
    let decided = is_decided(recipient, now);
    match kind {
        // What has run since an earlier sending goes on running.
        Receipt::Sent if recipient.send_time.is_none() => recipient.send_time = stamp(at),
        Receipt::Delivered => {
            earlier(&mut recipient.deliver_time);
            if recipient.send_time.is_none() {
                recipient.send_time = stamp(at);
            }
        }
        Receipt::Bounced if recipient.deliver_time.is_some() => {
            return Err("it is recorded as delivered: what arrived cannot come back".to_owned());
        }
        Receipt::Bounced if decided => {
            return Err("time has decided on a change already: its clock cannot be stopped any more".to_owned());
        }
        Receipt::Bounced => recipient.send_time = None,
        Receipt::Sent | Receipt::Unspecified => {}
    }
    Ok(())
}
