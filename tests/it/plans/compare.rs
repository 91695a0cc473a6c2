//! Comparing lists: what both have is not read, and near lists are compared without walking through either.

use std::time::Instant;

use subprocessor_registry::{
    resource::name::{Kind, Name},
    store::{
        Store,
        list_diff::{Comparison, Side},
        read::AsOf,
    },
};

use super::{Bench, fill::LARGE, scans, wire::Wire};
use crate::support::Backend;

fn side(revision: i64, day: &str) -> Side {
    let day = Some(day.to_owned()).filter(|day| !day.is_empty());
    Side { as_of: Some(AsOf::Revision(revision)), day }
}

fn of(base: Side, target: Side) -> Comparison {
    Comparison { parent: Name::new(Kind::Organization, None, "n7"), base, target, customer: None }
}

impl Bench {
    /// The plans of comparisons with the values known.
    pub async fn check_comparisons(&mut self) {
        let (early, late) = (104_000, LARGE);
        for (base, target, near) in [
            (side(late - 1, ""), side(late, ""), true),
            (side(early, ""), side(late, ""), true),
            (side(late, ""), side(early, ""), true),
            (side(late, "2020-02-11"), side(late, "2020-02-12"), true),
            (side(early, "2020-02-11"), side(late, "2020-02-12"), true),
            (side(late, "2020-02-11"), side(late, ""), false),
            (side(0, ""), side(late, ""), false),
        ] {
            let comparison = of(base, target);
            let plan = self.store.explain_diff(&comparison).await.expect("a plan");
            let name = format!("{comparison:?}");
            self.wrong.extend(scans(self.place.backend, &plan).into_iter().map(|line| format!("{name}: {line}")));
            let by_resource = |line: &String| match self.place.backend {
                Backend::Sqlite => line.starts_with("SEARCH subprocessor") && line.contains("(resource_id=?"),
                Backend::Postgres => line.contains("Index Cond: (resource_id ="),
            };
            if near && !plan.iter().any(by_resource) {
                self.wrong.push(format!("{name}: walks through the list:\n    {}", plan.join("\n    ")));
            }
            let start = Instant::now();
            self.store.diff_subprocessors(&comparison).await.expect("compared");
            println!("{name}: {} ms", start.elapsed().as_millis());
        }
    }
}

/// The number of statements does not grow with the lists, and with what differs by its chunks only.
pub async fn count(store: &Store, wire: &Wire) {
    for (base, chunks) in [(LARGE - 1, 1), (LARGE, 0)] {
        let before = wire.executed();
        store.diff_subprocessors(&of(side(base, ""), side(LARGE, ""))).await.expect("compared");
        // The counter and the day of each side, the organization, which versions differ, and these.
        assert_eq!(wire.executed() - before, 6 + chunks);
    }
}
