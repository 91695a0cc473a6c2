//! Changes that were announced and have not taken effect.

use jiff::Timestamp;

use super::{
    Entry, Mechanism, Named, Objection, Upcoming,
    build::{Known, id, named},
    words,
};
use crate::{
    proto::v1::{Notice, NoticeChange, Subprocessor, notice::State, notice_change::Kind as ChangeKind},
    resource::mask,
    rules::notice::{effect, instant},
};

/// The changes of a notice that customers are still to expect: of one that was published to them, those that have
/// neither taken effect nor been withdrawn, as far as they are about what is public.
pub fn upcoming(known: &Known<'_>, notice: &Notice) -> Vec<Upcoming> {
    let open = matches!(notice.state(), State::Published | State::Held) && is_public(notice);
    let changes = notice.changes.iter().filter(|_| open);
    let changes = changes.filter(|one| one.effective_time.is_none() && one.withdraw_time.is_none());
    changes.filter_map(|one| announced(known, notice, one)).collect()
}

/// Whether customers were told of a notice.
pub fn is_public(notice: &Notice) -> bool {
    let told = matches!(notice.state(), State::Published | State::Held | State::Effective | State::Withdrawn);
    told && !notice.inbound && notice.publish_time.is_some() && notice.delete_time.is_none()
}

/// Whether the page shows a change: what it is about is listed, as it is or as it will be. `now`: as it is, from before
/// the change; none if there is none.
pub fn is_shown(change: &NoticeChange, now: Option<&Subprocessor>) -> bool {
    let (before, after) = sides(change, now);
    before.iter().chain(&after).any(|one| one.listed)
}

/// One change of a notice that customers were told of, whatever became of it; none if it is about nothing public. What
/// it is about is taken as [`Known::subprocessors`] has it: from before the change.
pub fn announced(known: &Known<'_>, notice: &Notice, change: &NoticeChange) -> Option<Upcoming> {
    let (before, after) = sides(change, known.subprocessors.get(&change.subprocessor));
    let (before, after) = (before.filter(|one| one.listed), after.filter(|one| one.listed));
    let subject = after.as_ref().or(before.as_ref())?;
    let replaces = change.replaces.iter().filter_map(|name| known.subprocessors.get(name));
    let replaces: Vec<Named> = replaces.filter(|one| one.listed).map(named).collect();
    let others: Vec<String> = replaces.iter().map(|one| one.name.clone()).collect();
    let called = before.as_ref().map_or(&subject.display_name, |one| &one.display_name);
    let entry = |one: &Subprocessor| Box::new(known.entry(one));
    let mut after = after.as_ref().map(entry);
    if let Some(after) = &mut after {
        proposed_mechanisms(known, change, after);
    }
    let earliest = notice.earliest_effective_time.filter(|_| waits(notice, change));
    let policy = notice.policy.unwrap_or_default();
    let objection = Some(known.objection(&policy)).filter(|one| change.waits && *one != Objection::default());
    Some(Upcoming {
        notice: id(&notice.name),
        change: change.change_id.clone(),
        kind: words::short(change.kind().as_str_name(), "KIND_"),
        summary: words::summary(change.kind(), called, &others),
        title: notice.title.clone(),
        text: notice.body.clone(),
        before: before.as_ref().map(entry),
        after,
        replaces,
        products: known.products(&change.products),
        publish_time: said(notice.publish_time.as_ref()),
        requested_effective_time: said(notice.requested_effective_time.as_ref()),
        earliest_effective_time: said(earliest.as_ref()),
        not_before_time: not_before(notice, change).map(|time| time.to_string()).unwrap_or_default(),
        emergency: notice.emergency.is_some(),
        objection,
        link: known.links().notice(&id(&notice.name)),
    })
}

/// Whether a change of a notice waits for customers: where gates only advise, what has a time does not.
pub fn waits(notice: &Notice, change: &NoticeChange) -> bool {
    change.waits && (effect::binds(notice) || notice.requested_effective_time.is_none())
}

/// Before when a change takes effect for nobody, as far as that is known.
pub fn not_before(notice: &Notice, change: &NoticeChange) -> Option<Timestamp> {
    let promised = instant(notice.promise_clear_time.as_ref());
    let last = instant(notice.earliest_effective_time.as_ref()).filter(|_| effect::is_together(notice));
    let first = promised.max(last).filter(|_| waits(notice, change) && notice.emergency.is_none());
    // Where no days are promised that is when it was published.
    first.filter(|first| Some(*first) > instant(notice.publish_time.as_ref()))
}

/// What a change is about as it is, and as it will be.
fn sides(change: &NoticeChange, now: Option<&Subprocessor>) -> (Option<Subprocessor>, Option<Subprocessor>) {
    let now = now.cloned();
    let proposed = change.proposed.as_ref();
    match change.kind() {
        ChangeKind::Add | ChangeKind::Replace => {
            // Publishing makes it; before that, and for those who look from before it, there is only the proposal.
            let new = || proposed.map(|one| Subprocessor { name: change.subprocessor.clone(), ..one.clone() });
            (None, now.or_else(new))
        }
        ChangeKind::Remove => (now, None),
        _ => {
            let after = match (&now, proposed) {
                (Some(now), Some(proposed)) => mask::apply(now, proposed, change.update_mask.as_ref()).ok(),
                (now, _) => now.clone(),
            };
            (now, after)
        }
    }
}

/// What the transfers that begin with the change will rest on.
fn proposed_mechanisms(known: &Known<'_>, change: &NoticeChange, after: &mut Entry) {
    let mut new: Vec<Mechanism> = Vec::new();
    for transfer in change.proposed_transfers.iter().filter_map(|one| one.transfer.as_ref()) {
        for relied_on in &transfer.mechanisms {
            let module = words::module(relied_on.module());
            let Some((title, citation)) = known.instrument(&relied_on.instrument, module) else { continue };
            let regime = words::short(transfer.regime().as_str_name(), "REGIME_");
            new.push(Mechanism { title, citation, regime, destinations: transfer.destination_region_codes.clone() });
        }
    }
    if !new.is_empty() {
        after.mechanisms = new;
    }
}

/// An instant as RFC 3339; empty for none.
fn said(time: Option<&prost_types::Timestamp>) -> String {
    instant(time).map(|time| time.to_string()).unwrap_or_default()
}
