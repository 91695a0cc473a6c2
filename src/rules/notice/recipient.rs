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

/// Begins with a recipient that is reached at `at`. Where nothing was agreed, it is told by that; where it was agreed that
/// the page tells it, only if that shows all of the changes that concern it (`shown`: the ids of those that it shows).
///
/// # Errors
/// If a clock ends beyond the last instant there is.
pub fn begin(
    recipient: &mut NoticeRecipient,
    change_ids: Vec<String>,
    shown: &[String],
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
    let is_shown = recipient.changes.iter().all(|change| shown.contains(&change.change_id));
    let (is_told, is_published) = match recipient.method() {
        NoticeMethod::Unspecified => (true, true),
        // Publishing on a page that does not show it starts nothing.
        NoticeMethod::Publication => (is_shown, is_shown),
        NoticeMethod::EmailToContacts | NoticeMethod::Subscription | NoticeMethod::Manual => (false, true),
    };
    if is_told && recipient.send_time.is_none() {
        recipient.send_time = stamp(at);
    }
    if is_published && clock_start(recipient) == ClockStart::Published && recipient.start_time.is_none() {
        recipient.start_time = stamp(at);
    }
    start_clocks(recipient, policy)?;
    pass(recipient, at);
    Ok(())
}

fn clock_start(recipient: &NoticeRecipient) -> ClockStart {
    recipient.agreement.as_ref().map_or(ClockStart::Unspecified, Agreement::clock_start)
}

/// Sets the clocks by what is known of telling the customer; stops them where nothing is any more.
fn start_clocks(recipient: &mut NoticeRecipient, policy: &NoticePolicy) -> Result<()> {
    match clock_start(recipient) {
        // What publishing has not started starts when it is told.
        ClockStart::Published => recipient.start_time = recipient.start_time.or(recipient.send_time),
        ClockStart::Delivered => recipient.start_time = recipient.deliver_time,
        ClockStart::Sent | ClockStart::Unspecified => recipient.start_time = recipient.send_time,
    }
    let Some(start) = instant(recipient.start_time.as_ref()) else {
        for change in &mut recipient.changes {
            (change.objection_deadline_time, change.clear_time) = (None, None);
        }
        return Ok(());
    };
    let clock = Terms::new(recipient.agreement.as_ref(), Some(policy))?.clock(start)?;
    for change in &mut recipient.changes {
        change.objection_deadline_time = clock.objection_deadline_time.and_then(stamp);
        let end = instant(change.termination_right_end_time.as_ref()).filter(|_| change.status() == Status::Objected);
        change.clear_time = stamp(end.map_or(clock.clear_time, |end| end.max(clock.clear_time)));
    }
    Ok(())
}

/// When silence on a change has its consequence.
fn silence(recipient: &NoticeRecipient, change: &RecipientChange) -> Option<Timestamp> {
    let without_right =
        if is_specific(recipient.agreement.as_ref()) { &change.clear_time } else { &recipient.start_time };
    recipient.start_time?;
    instant(change.objection_deadline_time.as_ref().or(without_right.as_ref()))
}

/// Applies what time has decided by `at`.
pub fn pass(recipient: &mut NoticeRecipient, at: Timestamp) {
    let release = instant(recipient.release_time.as_ref());
    let deemed =
        if is_specific(recipient.agreement.as_ref()) { Status::DeemedDenied } else { Status::DeemedAuthorized };
    let ends: Vec<Option<Timestamp>> = recipient.changes.iter().map(|change| silence(recipient, change)).collect();
    for (change, end) in recipient.changes.iter_mut().zip(ends) {
        if change.status() == Status::Pending
            && let Some(end) = end.filter(|end| *end <= at && release.is_none_or(|release| *end < release))
        {
            // What was given back to silence after its end was decided when it was given back.
            let since = instant(change.decide_time.as_ref()).map_or(end, |since| since.max(end));
            decide(change, deemed, since, SYSTEM, "");
        }
        if let Some(release) = release.filter(|release| *release <= at)
            && change.status() != Status::Released
        {
            decide(change, Status::Released, release, SYSTEM, "its agreement ended");
        }
    }
    recipient.due_time = next(recipient).and_then(stamp);
}

/// Nothing of some changes concerns the customer any more.
pub fn release(recipient: &mut NoticeRecipient, gone: impl Fn(&str) -> bool, at: Timestamp) {
    for change in &mut recipient.changes {
        if change.status() != Status::Released && gone(&change.change_id) {
            decide(change, Status::Released, at, SYSTEM, "it does not use what the change concerns");
        }
    }
    recipient.due_time = next(recipient).and_then(stamp);
}

/// The next instant at which time decides something.
fn next(recipient: &NoticeRecipient) -> Option<Timestamp> {
    let open = |change: &&RecipientChange| change.status() != Status::Released;
    let release = instant(recipient.release_time.as_ref()).filter(|_| recipient.changes.iter().any(|c| open(&c)));
    let pending = recipient.changes.iter().filter(|change| change.status() == Status::Pending);
    pending.filter_map(|change| silence(recipient, change)).chain(release).min()
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
    // What was sent again after it came back stands until it comes back again.
    let bounced = |at: usize, receipt: &DeliveryReceipt| {
        let own = |other: &DeliveryReceipt| other.kind() == Receipt::Bounced && other.delivery == receipt.delivery;
        !receipt.delivery.is_empty() && recipient.receipts.iter().skip(at).any(own)
    };
    let all = recipient.receipts.iter().enumerate();
    let standing: Vec<&DeliveryReceipt> = all.filter(|(at, one)| !bounced(*at, one)).map(|(_, one)| one).collect();
    let first = |kinds: &[Receipt]| {
        let of = standing.iter().filter(|receipt| kinds.contains(&receipt.kind()));
        of.filter_map(|receipt| instant(receipt.event_time.as_ref())).min().and_then(stamp)
    };
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

/// The customer was told, it arrived, or it came back, at `at`.
///
/// # Errors
/// Why it cannot be recorded: a bounce of what has been decided.
pub fn record(
    recipient: &mut NoticeRecipient,
    kind: Receipt,
    at: Timestamp,
    now: Timestamp,
    policy: &NoticePolicy,
) -> Result<std::result::Result<(), Refused>> {
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
            return Ok(Err("it is recorded as delivered: what arrived cannot come back".to_owned()));
        }
        Receipt::Bounced if decided => {
            return Ok(Err("time has decided on a change already: its clock cannot be stopped any more".to_owned()));
        }
        Receipt::Bounced => recipient.send_time = None,
        Receipt::Sent | Receipt::Unspecified => {}
    }
    start_clocks(recipient, policy)?;
    pass(recipient, now);
    Ok(Ok(()))
}
