//! The lists of one company's products, kept as one list: each customer sees the history of its own product.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use subprocessor_registry::proto::v1::{self, as_of::Point};

use super::{
    record::{History, Step, entry, histories, manifest},
    replay::{ACME, diff, is_the_step, name, point, prune},
};
use crate::support::{Place, Server, both};

/// The histories of one company with several products, each row with its product before its key.
fn products() -> Vec<(String, History)> {
    let with_product = |history: History| history.product.clone().map(|(product, _)| (product, history));
    let mut found: Vec<(String, History)> = histories().into_iter().filter_map(with_product).collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    found.iter().for_each(|(_, history)| *count.entry(history.organization.clone()).or_default() += 1);
    let (most, _) = count.into_iter().max_by_key(|(_, count)| *count).expect("a history with a product");
    found.retain(|(_, history)| history.organization == most);
    for (product, history) in &mut found {
        let of = |key: &mut String| *key = format!("{product} {key}");
        for step in &mut history.steps {
            step.removed.iter_mut().for_each(of);
            step.changed.iter_mut().for_each(|one| of(&mut one.key));
            step.added.iter_mut().chain(&mut step.rows).for_each(|row| of(&mut row.key));
            step.renamed.iter_mut().for_each(|one| [&mut one.from_key, &mut one.to_key].into_iter().for_each(of));
        }
    }
    found
}

fn customer(id: &str, products: &[&str]) -> Json {
    json!({"id": id, "display_name": id, "products": products})
}

fn messages(product: &str, step: Option<&Step>) -> BTreeMap<String, v1::Subprocessor> {
    let rows = step.map(|step| step.rows.as_slice()).unwrap_or_default();
    rows.iter().map(|row| (name(&row.key), row.message(&[product.to_owned()]))).collect()
}

both! {
    async fn each_customer_sees_the_history_of_its_product(backend: Backend) {
        let products = products();
        assert!(products.len() >= 5);
        let place = Place::new(backend).await;
        let mut events: Vec<(&str, usize, usize)> = products
            .iter()
            .enumerate()
            .flat_map(|(p, (_, history))| history.steps.iter().enumerate().map(move |(s, step)| (step.time.as_str(), p, s)))
            .collect();
        events.sort_unstable();
        place.set_clock(events[0].0);
        let mut server = Server::start(&place).await;
        // One customer for each product, one that has none, and so all, and one that has two of them.
        let mut customers: Vec<Json> = products.iter().map(|(product, _)| customer(product, &[product])).collect();
        customers.push(customer("all", &[]));
        customers.push(customer("two", &[&products[0].0, &products[1].0]));
        let ids: Vec<Json> = products
            .iter()
            .map(|(id, history)| json!({"product_id": id, "display_name": history.product.as_ref().map(|product| &product.1)}))
            .collect();
        let mut at: Vec<Option<usize>> = vec![None; products.len()];
        for (time, p, s) in events {
            let (product, history) = &products[p];
            let step = &history.steps[s];
            at[p] = Some(s);
            place.set_clock(time);
            let rows = products.iter().zip(&at).flat_map(|((product, history), at)| {
                let rows = messages(product, at.map(|s| &history.steps[s]));
                rows.into_iter().map(|(name, row)| entry(name.rsplit('/').next().expect("an id"), &row))
            });
            let text = manifest(&history.organization, ids.clone(), rows.collect());
            let mut whole: Json = serde_json::from_str(&text).expect("JSON");
            whole["customers"] = Json::from(customers.clone());
            let revision = prune(&mut server, whole.to_string()).await;

            let what = format!("{product} at {time}");
            let (before, after) = (messages(product, s.checked_sub(1).map(|s| &history.steps[s])), messages(product, Some(step)));
            let compare = |customer: &str| v1::DiffSubprocessorsRequest {
                base: point(Point::Revision(revision - 1)),
                target: point(Point::Revision(revision)),
                customer: customer.into(),
                ..Default::default()
            };
            let of = |id: &str| format!("{ACME}/customers/{id}");
            for customer in [String::new(), of("all"), of(product)] {
                let answer = diff(&mut server, compare(&customer)).await;
                is_the_step(&what, step, &answer, &before, &after);
            }
            for (q, (other, _)) in products.iter().enumerate().filter(|(q, _)| *q != p) {
                let answer = diff(&mut server, compare(&of(other))).await;
                let parts = (answer.added.len(), answer.removed.len(), answer.changed.len(), answer.renamed.len());
                assert_eq!(parts, (0, 0, 0, 0), "{what} for {q}");
            }
            let two = diff(&mut server, compare(&of("two"))).await;
            assert_eq!(two.added.len(), if p < 2 { step.added.len() } else { 0 }, "{what}");
        }
    }
}
