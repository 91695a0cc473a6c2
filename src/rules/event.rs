//! Events: what of a revision is told to subscriptions, and to which of them. The revision is the outbox: an event is no
//! more than a name for what it says.

use crate::proto::v1::{
    Notice, Objection, Subprocessor, Subscription, notice::State, objection::State as ObjectionState,
    subprocessor::State as Stage,
};

/// What customers were told.
pub const NOTICE_PUBLISHED: &str = "notice.published";
/// What they were told is taken back, wholly or by change.
pub const NOTICE_WITHDRAWN: &str = "notice.withdrawn";
/// What they were told has happened.
pub const NOTICE_EFFECTIVE: &str = "notice.effective";
/// The list has changed without a notice.
pub const LIST_CHANGED: &str = "list.changed";
/// A customer objects.
pub const OBJECTION_LODGED: &str = "objection.lodged";
/// An objection has ended.
pub const OBJECTION_RESOLVED: &str = "objection.resolved";
/// A delivery was given up.
pub const DELIVERY_DEAD: &str = "delivery.dead";
/// Whether a subscription is wanted.
pub const VERIFICATION: &str = "subscription.verification";
/// Whether a subscription works.
pub const TEST: &str = "subscription.test";

/// The types that every subscription gets unless it names some.
pub const PUBLIC: [&str; 4] = [NOTICE_PUBLISHED, NOTICE_WITHDRAWN, NOTICE_EFFECTIVE, LIST_CHANGED];
/// The types that are the organization's own.
pub const INTERNAL: [&str; 3] = [OBJECTION_LODGED, OBJECTION_RESOLVED, DELIVERY_DEAD];

/// Something that happened in a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// What: one of the types above.
    pub kind: &'static str,
    /// The notice that it is about; empty if it is about none.
    pub notice: String,
    /// The id of the objection that it is about; empty if it is about none.
    pub objection: String,
    /// The products that it concerns; none: all.
    pub products: Vec<String>,
}

/// What a change of a notice tells: at most one event of each.
pub fn of_notice(before: Option<&Notice>, after: &Notice) -> Option<Event> {
    if after.inbound {
        return None;
    }
    let was = before.map_or(State::Draft, Notice::state);
    let was_open = matches!(was, State::Published | State::Held | State::Effective);
    let withdrawn = |notice: &Notice| notice.changes.iter().filter(|one| one.withdraw_time.is_some()).count();
    let effective = |notice: &Notice| notice.changes.iter().filter(|one| one.effective_time.is_some()).count();
    let kind = match after.state() {
        State::Published if !was_open => NOTICE_PUBLISHED,
        State::Draft | State::Approved | State::Unspecified => return None,
        // What was never published was never told.
        _ if !was_open => return None,
        _ if withdrawn(after) > before.map_or(0, withdrawn) => NOTICE_WITHDRAWN,
        _ if effective(after) > before.map_or(0, effective) => NOTICE_EFFECTIVE,
        _ => return None,
    };
    // A change of all products makes it an event of all.
    let mut products: Vec<String> = after.changes.iter().flat_map(|one| one.products.clone()).collect();
    if after.changes.iter().any(|one| one.products.is_empty()) {
        products.clear();
    }
    products.sort();
    products.dedup();
    Some(Event { kind, notice: after.name.clone(), products, ..Event::default() })
}

/// Leaves of a notice the changes that an event of this kind is about.
pub fn keep_what_changed(notice: &mut Notice, before: Option<&Notice>, kind: &str) {
    let was = |id: &str| before.and_then(|notice| notice.changes.iter().find(|one| one.change_id == id));
    notice.changes.retain(|one| match kind {
        NOTICE_WITHDRAWN => {
            one.withdraw_time.is_some() && was(&one.change_id).is_none_or(|was| was.withdraw_time.is_none())
        }
        NOTICE_EFFECTIVE => {
            one.effective_time.is_some() && was(&one.change_id).is_none_or(|was| was.effective_time.is_none())
        }
        _ => one.withdraw_time.is_none(),
    });
}

/// What a change of an objection tells the organization.
pub fn of_objection(before: Option<&Objection>, after: &Objection, notice: &str) -> Option<Event> {
    let was_open = before.map(|before| before.state() == ObjectionState::Open);
    let kind = match (was_open, after.state()) {
        (None, _) => OBJECTION_LODGED,
        (Some(true), ObjectionState::Closed) => OBJECTION_RESOLVED,
        _ => return None,
    };
    let objection = after.name.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Event { kind, notice: notice.to_owned(), objection, ..Event::default() })
}

/// What a change of a subprocessor tells, if it shows on the list that is published.
pub fn of_subprocessor(before: Option<&Subprocessor>, after: Option<&Subprocessor>) -> Option<Event> {
    let shown = |one: Option<&Subprocessor>| one.filter(|one| is_shown(one)).map(published);
    let (before, after) = (shown(before), shown(after));
    if before == after {
        return None;
    }
    let both = [before, after];
    let mut products: Vec<String> = both.iter().flatten().flat_map(|one| one.products.clone()).collect();
    if both.iter().flatten().any(|one| one.products.is_empty()) {
        products.clear();
    }
    products.sort();
    products.dedup();
    Some(Event { kind: LIST_CHANGED, products, ..Event::default() })
}

/// Whether it is on the list that everybody sees.
pub fn is_shown(one: &Subprocessor) -> bool {
    one.listed && one.delete_time.is_none() && matches!(one.state(), Stage::Active | Stage::Suspended)
}

/// What of it everybody sees: what [`super::publication::build`] takes of it.
fn published(one: &Subprocessor) -> Subprocessor {
    Subprocessor {
        vendor: one.vendor.clone(),
        vendor_entity: one.vendor_entity.clone(),
        vendor_services: one.vendor_services.clone(),
        display_name: one.display_name.clone(),
        website_uri: one.website_uri.clone(),
        role: one.role,
        affiliate: one.affiliate,
        engaged_by: one.engaged_by.clone(),
        state: one.state,
        purposes: one.purposes.clone(),
        service_description: one.service_description.clone(),
        products: one.products.clone(),
        section: one.section.clone(),
        condition: one.condition.clone(),
        data_categories: one.data_categories.clone(),
        special_categories: one.special_categories.clone(),
        data_subject_categories: one.data_subject_categories.clone(),
        locations: one.locations.clone(),
        start_date: one.start_date.clone(),
        end_date: one.end_date.clone(),
        ..Subprocessor::default()
    }
}

/// Whether a subscription wants to be told of an event.
pub fn wants(subscription: &Subscription, event: &Event) -> bool {
    let named = &subscription.event_types;
    let by_type =
        if named.is_empty() { PUBLIC.contains(&event.kind) } else { named.iter().any(|kind| kind == event.kind) };
    let own = &subscription.products;
    let by_product =
        own.is_empty() || event.products.is_empty() || own.iter().any(|product| event.products.contains(product));
    by_type && by_product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::v1::NoticeChange, rules::notice::stamp};

    fn notice(state: State, withdrawn: usize, effective: usize) -> Notice {
        let time = stamp(jiff::Timestamp::UNIX_EPOCH);
        let change = |at: usize| NoticeChange {
            products: vec![format!("p{at}")],
            withdraw_time: time.filter(|_| at < withdrawn),
            effective_time: time.filter(|_| at >= withdrawn && at < withdrawn + effective),
            ..NoticeChange::default()
        };
        Notice { state: state.into(), changes: (0..3).map(change).collect(), ..Notice::default() }
    }

    #[test]
    fn a_notice_tells_what_became_of_it() {
        let draft = notice(State::Draft, 0, 0);
        let published = notice(State::Published, 0, 0);
        let cases = [
            (None, &draft, None),
            (Some(&draft), &notice(State::Approved, 0, 0), None),
            (Some(&draft), &published, Some(NOTICE_PUBLISHED)),
            (Some(&published), &published, None),
            (Some(&published), &notice(State::Held, 0, 0), None),
            (Some(&notice(State::Held, 0, 0)), &published, None),
            (Some(&published), &notice(State::Published, 1, 0), Some(NOTICE_WITHDRAWN)),
            (Some(&published), &notice(State::Published, 0, 1), Some(NOTICE_EFFECTIVE)),
            (Some(&published), &notice(State::Withdrawn, 3, 0), Some(NOTICE_WITHDRAWN)),
            (Some(&notice(State::Published, 0, 1)), &notice(State::Effective, 0, 3), Some(NOTICE_EFFECTIVE)),
            // A draft that is withdrawn was never told.
            (Some(&draft), &notice(State::Withdrawn, 3, 0), None),
        ];
        for (before, after, kind) in cases {
            let found = of_notice(before, after);
            assert_eq!(found.as_ref().map(|event| event.kind), kind, "{before:?} -> {after:?}");
            if let Some(event) = found {
                assert_eq!(event.products, ["p0", "p1", "p2"]);
            }
        }
        let inbound = Notice { inbound: true, ..notice(State::Published, 0, 0) };
        assert_eq!(of_notice(None, &inbound), None);
    }

    #[test]
    fn only_what_everybody_sees_changes_the_list() {
        let one = Subprocessor { listed: true, state: Stage::Active.into(), ..Subprocessor::default() };
        let hidden = Subprocessor { listed: false, ..one.clone() };
        let proposed = Subprocessor { state: Stage::Proposed.into(), ..one.clone() };
        let inside = Subprocessor { incomplete_reason: "x".into(), held_back_count: 3, ..one.clone() };
        let renamed = Subprocessor { display_name: "New".into(), products: vec!["eu".into()], ..one.clone() };
        for (before, after) in
            [(None, Some(&hidden)), (None, Some(&proposed)), (Some(&one), Some(&inside)), (Some(&proposed), None)]
        {
            assert_eq!(of_subprocessor(before, after), None);
        }
        for (before, after) in [
            (None, Some(&one)),
            (Some(&one), None),
            (Some(&one), Some(&hidden)),
            (Some(&one), Some(&renamed)),
            (Some(&proposed), Some(&one)),
        ] {
            let event = of_subprocessor(before, after).expect("the list has changed");
            assert_eq!((event.kind, event.products.len()), (LIST_CHANGED, 0));
        }
        // What the page says of it: beside its name, and in its rows.
        let engaged = Subprocessor { engaged_by: "organizations/o/subprocessors/a".into(), ..one.clone() };
        let affiliate = Subprocessor { affiliate: Some(true), ..one.clone() };
        for after in [&engaged, &affiliate] {
            assert!(of_subprocessor(Some(&one), Some(after)).is_some(), "{after:?}");
        }
        let gone = of_subprocessor(Some(&renamed), None).expect("the list has changed");
        assert_eq!(gone.products, ["eu"]);
    }

    #[test]
    fn a_subscription_gets_what_it_asks_for() {
        let event = |kind, products: &[&str]| Event {
            kind,
            products: products.iter().map(|one| (*one).to_owned()).collect(),
            ..Event::default()
        };
        let any = Subscription::default();
        assert!(PUBLIC.iter().all(|kind| wants(&any, &event(kind, &[]))));
        assert!(!INTERNAL.iter().any(|kind| wants(&any, &event(kind, &[]))));
        let some = Subscription {
            event_types: vec![OBJECTION_LODGED.into(), NOTICE_PUBLISHED.into()],
            products: vec!["eu".into()],
            ..Subscription::default()
        };
        assert!(wants(&some, &event(OBJECTION_LODGED, &[])));
        assert!(wants(&some, &event(NOTICE_PUBLISHED, &["us", "eu"])));
        assert!(!wants(&some, &event(NOTICE_PUBLISHED, &["us"])));
        assert!(!wants(&some, &event(NOTICE_WITHDRAWN, &["eu"])));
    }
}
