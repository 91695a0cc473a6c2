//! What widens an engagement: what is more than the list said before. Such a change waits for those it concerns; one
//! that only narrows, or renames, waits for nobody.
//!
//! What was not stated before counts as not being there: a location that is filled in is a location that nobody was told
//! of. Where it was true all along, that is a correction.

use std::collections::BTreeSet;

use crate::proto::v1::{Location, Role, Subprocessor, location::Activity, notice_change::Kind};

/// What was widened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Widened {
    /// Another purpose, or a role in which it decides on purposes itself.
    Purpose,
    /// Another place.
    Location,
    /// Other data, or other people's.
    Data,
    /// Other products, or another condition.
    Scope,
    /// Another company.
    Entity,
}

impl Widened {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Purpose => "PURPOSE",
            Self::Location => "LOCATION",
            Self::Data => "DATA",
            Self::Scope => "SCOPE",
            Self::Entity => "ENTITY",
        }
    }

    /// The kind of change that announces it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Purpose => Kind::ChangePurpose,
            Self::Location => Kind::ChangeLocation,
            Self::Data => Kind::ChangeData,
            Self::Scope => Kind::ChangeScope,
            Self::Entity => Kind::Replace,
        }
    }
}

/// What `after` is more than `before`.
pub fn widened(before: &Subprocessor, after: &Subprocessor) -> Vec<Widened> {
    let mut widened = Vec::new();
    let mut add = |is: bool, what: Widened| {
        if is {
            widened.push(what);
        }
    };
    let decides = |role: Role| {
        matches!(role, Role::Controller | Role::Both | Role::JointController | Role::IndependentController)
    };
    let role = after.role() != before.role() && decides(after.role()) && !decides(before.role());
    add(role || has_more(&before.purposes, &after.purposes), Widened::Purpose);
    add(has_more_places(&before.locations, &after.locations), Widened::Location);
    let data = [
        (&before.data_categories, &after.data_categories),
        (&before.special_categories, &after.special_categories),
        (&before.data_subject_categories, &after.data_subject_categories),
    ];
    add(data.into_iter().any(|(before, after)| has_more(before, after)), Widened::Data);
    let condition = !before.condition.is_empty() && before.condition != after.condition;
    add(condition || has_more_products(&before.products, &after.products), Widened::Scope);
    add(is_another_company(before, after), Widened::Entity);
    widened
}

fn has_more(before: &[String], after: &[String]) -> bool {
    let known: BTreeSet<String> = before.iter().map(|text| text.to_lowercase()).collect();
    after.iter().any(|text| !known.contains(&text.to_lowercase()))
}

/// None stands for all of them.
fn has_more_products(before: &[String], after: &[String]) -> bool {
    !before.is_empty() && (after.is_empty() || after.iter().any(|product| !before.contains(product)))
}

fn has_more_places(before: &[Location], after: &[Location]) -> bool {
    // Where only the company sits no data is.
    let with_data = |location: &&Location| location.activity() != Activity::Corporate;
    after.iter().filter(with_data).any(|new| {
        let same: Vec<&Location> = before.iter().filter(with_data).filter(|old| place(old) == place(new)).collect();
        let products: Vec<String> = same.iter().flat_map(|old| old.products.iter().cloned()).collect();
        let all = same.iter().any(|old| old.products.is_empty());
        same.is_empty() || (!all && has_more_products(&products, &new.products))
    })
}

/// What tells one place from another: its code, else its area, else its words.
fn place(location: &Location) -> String {
    [&location.region_code, &location.area, &location.verbatim]
        .into_iter()
        .find(|text| !text.is_empty())
        .map(|text| text.to_lowercase())
        .unwrap_or_default()
}

fn is_another_company(before: &Subprocessor, after: &Subprocessor) -> bool {
    // Who was not named before can be named now.
    let changed = |before: &str, after: &str| !before.is_empty() && before != after;
    changed(&before.vendor, &after.vendor)
        || (before.vendor == after.vendor && changed(&before.vendor_entity, &after.vendor_entity))
        || after
            .alternative_vendors
            .iter()
            .any(|vendor| *vendor != before.vendor && !before.alternative_vendors.contains(vendor))
}

/// The fields that a change of a kind may have; none: it has no values to come.
pub fn fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ChangePurpose => &["purposes", "service_description", "section", "role", "vendor_services"],
        Kind::ChangeLocation => &["locations"],
        Kind::ChangeData => &["data_categories", "special_categories", "data_subject_categories", "retention"],
        Kind::ChangeScope => &["products", "condition", "engaged_by", "affiliate"],
        Kind::ChangeMechanism => &["dpa"],
        Kind::Rename => &["display_name", "website_uri"],
        Kind::Unspecified | Kind::Add | Kind::Replace | Kind::Remove => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn at(code: &str, activity: Activity, products: &[&str]) -> Location {
        Location {
            region_code: code.to_owned(),
            activity: activity.into(),
            products: texts(products),
            ..Location::default()
        }
    }

    fn engagement() -> Subprocessor {
        Subprocessor {
            vendor: "vendors/aws".into(),
            vendor_entity: "aws-emea".into(),
            purposes: texts(&["Hosting"]),
            locations: vec![at("DE", Activity::Storage, &[]), at("US", Activity::Corporate, &[])],
            data_categories: texts(&["Contact data"]),
            products: texts(&["cloud-eu"]),
            condition: "only if enabled".into(),
            role: Role::SubProcessor.into(),
            ..Subprocessor::default()
        }
    }

    #[test]
    fn what_is_more_widens_and_what_is_less_does_not() {
        let before = engagement();
        let check = |change: fn(&mut Subprocessor), expected: &[Widened]| {
            let mut after = before.clone();
            change(&mut after);
            assert_eq!(widened(&before, &after), expected, "{after:?}");
        };
        check(|_| {}, &[]);
        check(|s| s.purposes.push("Analytics".into()), &[Widened::Purpose]);
        check(|s| s.purposes = texts(&["hosting"]), &[]);
        check(|s| s.purposes.clear(), &[]);
        check(|s| s.set_role(Role::Controller), &[Widened::Purpose]);
        check(|s| s.set_role(Role::Processor), &[]);
        check(|s| s.locations.push(at("IE", Activity::Access, &[])), &[Widened::Location]);
        check(|s| s.locations.push(at("DE", Activity::Support, &[])), &[]);
        check(|s| s.locations.push(at("IE", Activity::Corporate, &[])), &[]);
        // Where only the company sat data is processed now.
        check(|s| s.locations.push(at("US", Activity::Processing, &[])), &[Widened::Location]);
        check(|s| s.locations.clear(), &[]);
        check(|s| s.data_categories.push("Health data".into()), &[Widened::Data]);
        check(|s| s.special_categories.push("Health".into()), &[Widened::Data]);
        check(|s| s.data_subject_categories.push("Employees".into()), &[Widened::Data]);
        check(|s| s.products.push("cloud-us".into()), &[Widened::Scope]);
        check(|s| s.products.clear(), &[Widened::Scope]);
        check(|s| s.condition.clear(), &[Widened::Scope]);
        check(|s| s.condition = "always".into(), &[Widened::Scope]);
        check(|s| s.vendor = "vendors/azure".into(), &[Widened::Entity]);
        check(|s| s.vendor_entity = "aws-inc".into(), &[Widened::Entity]);
        check(|s| s.alternative_vendors = texts(&["vendors/azure"]), &[Widened::Entity]);
        check(|s| s.display_name = "AWS".into(), &[]);
        check(
            |s| {
                s.purposes.push("Analytics".into());
                s.products.clear();
            },
            &[Widened::Purpose, Widened::Scope],
        );
    }

    #[test]
    fn what_was_not_stated_was_not_told() {
        let bare = Subprocessor::default();
        assert_eq!(
            widened(&bare, &engagement()),
            [Widened::Purpose, Widened::Location, Widened::Data],
            "a vendor that is named at last is no other one, and products it is limited to are fewer"
        );
    }

    #[test]
    fn a_place_counts_for_the_products_it_is_of() {
        let of = |locations: Vec<Location>| Subprocessor { locations, ..Subprocessor::default() };
        let eu = of(vec![at("DE", Activity::Storage, &["cloud-eu"])]);
        let both = of(vec![at("DE", Activity::Storage, &["cloud-eu", "cloud-us"])]);
        let all = of(vec![at("DE", Activity::Storage, &[])]);
        assert_eq!(widened(&eu, &both), [Widened::Location]);
        assert_eq!(widened(&eu, &all), [Widened::Location]);
        assert_eq!(widened(&all, &eu), []);
        assert_eq!(widened(&both, &eu), []);
    }
}
