//! Whom a notice reaches.

use crate::proto::v1::{Customer, NoticeChange, notice_change::Kind};

/// Whether a notice reaches a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It does, with these changes.
    Reached {
        /// Ids of the changes that concern the customer.
        change_ids: Vec<String>,
        /// Why, in words.
        reason: String,
    },
    /// It does not; why, in words.
    Not(String),
}

/// Whether two lists of products have one in common; none stands for all of them.
pub fn share(some: &[String], others: &[String]) -> bool {
    some.is_empty() || others.is_empty() || some.iter().any(|product| others.contains(product))
}

/// Whom the changes of a notice reach on `day` (UTC, ISO 8601), if they are to take effect on `effective_day`; absent:
/// as soon as they may.
pub fn reach(customer: &Customer, changes: &[NoticeChange], day: &str, effective_day: Option<&str>) -> Reach {
    if customer.delete_time.is_some() {
        return Reach::Not("it is deleted".to_owned());
    }
    if has_ended(customer, day) {
        return Reach::Not(format!("its agreement ended: end_date is {}", customer.end_date));
    }
    // Who comes when a change has taken effect comes to a list that has it.
    let open: Vec<&NoticeChange> =
        changes.iter().filter(|change| change.withdraw_time.is_none() && change.effective_time.is_none()).collect();
    let concerned: Vec<&NoticeChange> =
        open.iter().copied().filter(|change| share(&change.products, &customer.products)).collect();
    if concerned.is_empty() {
        let products = customer.products.join(", ");
        return Reach::Not(format!("none of the changes concerns its products: {products}"));
    }
    let exempt = |change: &NoticeChange| {
        customer.agreement.as_ref().is_some_and(|agreement| agreement.exempt.iter().any(|word| is_kind(word, change)))
    };
    let owed: Vec<&NoticeChange> = concerned.into_iter().filter(|change| !exempt(change)).collect();
    if owed.is_empty() {
        return Reach::Not("its agreement exempts changes of this kind from notice".to_owned());
    }
    let accepted = customer.agreement.as_ref().map(|agreement| agreement.accepted_list_date.as_str());
    if let (Some(accepted), Some(effective)) = (accepted.filter(|date| !date.is_empty()), effective_day)
        && effective <= accepted
    {
        return Reach::Not(format!(
            "it accepted the list as of {accepted}, which has what takes effect on {effective}"
        ));
    }
    let change_ids: Vec<String> = owed.iter().map(|change| change.change_id.clone()).collect();
    let reason = match (customer.products.is_empty(), change_ids.len() == open.len()) {
        (true, _) => "it uses all products".to_owned(),
        (false, true) => format!("the changes concern its products: {}", customer.products.join(", ")),
        (false, false) => format!("{} concern its products: {}", change_ids.join(", "), customer.products.join(", ")),
    };
    Reach::Reached { change_ids, reason }
}

/// Whether a customer is none any more on a day.
pub fn has_ended(customer: &Customer, day: &str) -> bool {
    !customer.end_date.is_empty() && customer.end_date.as_str() <= day
}

/// Whether a word of an agreement is the name of a change's kind. Other words of the contract are for people to judge:
/// the customer is told.
fn is_kind(word: &str, change: &NoticeChange) -> bool {
    change.kind() != Kind::Unspecified && word == change.kind().as_str_name().trim_start_matches("KIND_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Agreement;

    fn customer(products: &[&str]) -> Customer {
        Customer { products: products.iter().map(|p| (*p).to_owned()).collect(), ..Customer::default() }
    }

    fn change(id: &str, kind: Kind, products: &[&str]) -> NoticeChange {
        NoticeChange {
            change_id: id.to_owned(),
            kind: kind.into(),
            products: products.iter().map(|p| (*p).to_owned()).collect(),
            ..NoticeChange::default()
        }
    }

    fn reached(customer: &Customer, changes: &[NoticeChange]) -> Option<Vec<String>> {
        match reach(customer, changes, "2026-03-23", Some("2026-05-01")) {
            Reach::Reached { change_ids, .. } => Some(change_ids),
            Reach::Not(_) => None,
        }
    }

    #[test]
    fn products_decide_and_none_means_all() {
        let changes = [change("a", Kind::Add, &["eu"]), change("b", Kind::Remove, &[])];
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(reached(&customer(&[]), &changes), ids(&["a", "b"]));
        assert_eq!(reached(&customer(&["eu", "us"]), &changes), ids(&["a", "b"]));
        assert_eq!(reached(&customer(&["us"]), &changes), ids(&["b"]));
        assert_eq!(reached(&customer(&["us"]), &changes[..1]), None);
    }

    #[test]
    fn who_left_accepted_or_is_exempt_is_not_reached() {
        let changes = [change("a", Kind::Add, &[]), change("b", Kind::Rename, &[])];
        let with = |agreement: Agreement| Customer { agreement: Some(agreement), ..Customer::default() };
        let ended = |end_date: &str| Customer { end_date: end_date.to_owned(), ..Customer::default() };
        assert_eq!(reached(&ended("2026-03-23"), &changes), None);
        assert!(reached(&ended("2026-03-24"), &changes).is_some());
        let accepted = |date: &str| with(Agreement { accepted_list_date: date.to_owned(), ..Agreement::default() });
        assert_eq!(reached(&accepted("2026-05-01"), &changes), None);
        assert!(reached(&accepted("2026-04-30"), &changes).is_some());
        let soon = reach(&accepted("2026-05-01"), &changes, "2026-03-23", None);
        assert!(matches!(soon, Reach::Reached { .. }), "nobody knows when it takes effect");
        let exempt = |words: &[&str]| {
            with(Agreement { exempt: words.iter().map(|w| (*w).to_owned()).collect(), ..Agreement::default() })
        };
        assert_eq!(reached(&exempt(&["RENAME"]), &changes), Some(vec!["a".to_owned()]));
        assert_eq!(reached(&exempt(&["RENAME", "ADD"]), &changes), None);
        assert!(reached(&exempt(&["ancillary services"]), &changes).is_some());
        assert_eq!(reached(&Customer { delete_time: Some(Default::default()), ..Customer::default() }, &changes), None);
    }
}
