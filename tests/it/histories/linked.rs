//! The histories with vendors: each row is linked to the vendor of the catalog that its name resolves to. What a list
//! renames, and what it replaces by another service of the same company, is told apart all the same.

use std::collections::{BTreeMap, BTreeSet};

use subprocessor_registry::proto::v1::{self, as_of::Point};

use super::{
    record::{Row, entry, histories, manifest},
    replay::{diff, is_the_step, list, name, point, prune},
};
use crate::support::{Place, Server, both};

/// A score from which on a match is one.
const MATCH: f64 = 0.8;

/// The vendors that names resolve to, of those that do.
async fn vendors(server: &mut Server, names: BTreeSet<String>) -> BTreeMap<String, String> {
    let request = v1::ResolveVendorsRequest { names: names.into_iter().collect(), ..Default::default() };
    let answer = server.vendors.resolve_vendors(request).await.expect("resolved").into_inner();
    let best = answer.results.into_iter().filter_map(|result| {
        let best = result.matches.into_iter().next().filter(|best| best.score >= MATCH)?;
        Some((result.name, best.vendor))
    });
    best.collect()
}

both! {
    async fn vendors_change_nothing_in_what_a_step_is(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        let histories = histories();
        let rows = histories.iter().flat_map(|history| history.steps.iter().flat_map(|step| &step.rows));
        let vendors = vendors(&mut server, rows.map(|row| row.name.clone()).collect()).await;
        assert!(vendors.len() > 60, "{} names are known", vendors.len());
        let linked = |row: &Row| v1::Subprocessor {
            vendor: vendors.get(&row.name).cloned().unwrap_or_default(), ..row.message(&[])
        };
        for history in &histories {
            // Each begins with an empty list, in the same store.
            let mut base = prune(&mut server, manifest(&history.organization, vec![], vec![])).await;
            let mut before = list(&mut server, point(Point::Revision(base))).await;
            assert_eq!(before.len(), 0);
            for step in &history.steps {
                let rows = step.rows.iter().map(|row| entry(&row.id(), &linked(row))).collect();
                let target = prune(&mut server, manifest(&history.organization, vec![], rows)).await;
                let after: BTreeMap<_, _> = step.rows.iter().map(|row| (name(&row.key), linked(row))).collect();
                let request = v1::DiffSubprocessorsRequest { base: point(Point::Revision(base)), ..Default::default() };
                let mut answer = diff(&mut server, request).await;
                // A new name can be known where the old one was not: that is not in the record.
                for one in &mut answer.changed {
                    one.field_diffs.retain(|diff| diff.path != "vendor");
                }
                answer.changed.retain(|one| !one.field_diffs.is_empty());
                is_the_step(&format!("{} at {}", history.name, step.time), step, &answer, &before, &after);
                (base, before) = (target, after);
            }
        }
    }
}
