//! Every list, as a manifest: rows without purpose or place, several rows for one vendor, categories for names. What is
//! read back is what was published, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use subprocessor_registry::proto::v1::{self, location::Activity, subprocessor::State};

use super::{
    record::{entry, files, id},
    replay::bare,
};
use crate::support::{Place, Server, apply, both, subprocessors_of};

/// How many lists, and rows of them, there were when this was written.
const AT_LEAST: (usize, usize) = (26, 285);

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().trim().to_owned()
}

fn texts(value: &Json) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// A row as the registry should hold it: what it says in columns of its own goes to annotations, word by word.
fn message(row: &Json) -> v1::Subprocessor {
    let derived = &row["derived"];
    let stated = row["as_stated"].as_object().expect("columns");
    let annotations: BTreeMap<String, String> =
        stated.iter().map(|(column, cell)| (column.clone(), text(cell))).collect();
    let place = |region_code: &str, area: &str, verbatim: &str, activity: Activity| v1::Location {
        region_code: region_code.into(),
        area: area.into(),
        activity: activity.into(),
        verbatim: verbatim.into(),
        ..Default::default()
    };
    let places = &derived["processing_locations"];
    let codes = texts(&places["iso"]).into_iter().map(|code| place(&code, "", "", Activity::Processing));
    let areas = texts(&places["regions"]).into_iter().map(|area| place("", &area, "", Activity::Processing));
    let unread = texts(&places["unparsed"]).into_iter().map(|words| place("", "", &words, Activity::NotStated));
    let country = text(&derived["entity_country"]);
    let company = (!country.is_empty()).then(|| place(&country, "", "", Activity::Corporate));
    let link = stated.values().map(text).chain(texts(&derived["links"])).find(|cell| cell.starts_with("https://"));
    let is_category = row["entity_name_is_category"] == true;
    let name = text(&row["entity_name"]);
    v1::Subprocessor {
        vendor: if is_category { String::new() } else { format!("vendors/{}", id(&name)) },
        display_name: name,
        section: text(&row["section"]),
        purposes: Some(text(&derived["purpose"])).filter(|purpose| !purpose.is_empty()).into_iter().collect(),
        data_categories: texts(&derived["data_categories"]),
        affiliate: derived["is_affiliate"].as_bool(),
        locations: codes.chain(areas).chain(unread).chain(company).collect(),
        website_uri: link.unwrap_or_default(),
        incomplete_reason: if is_category { "only a category is published".into() } else { String::new() },
        recorded_as_found: true,
        state: State::Active.into(),
        annotations,
        ..Default::default()
    }
}

/// A list as a manifest, and its rows in its order.
fn manifest(organization: &str, list: &Json) -> (String, Vec<v1::Subprocessor>) {
    let mut rows: Vec<v1::Subprocessor> = list["rows"].as_array().expect("rows").iter().map(message).collect();
    for (i, row) in rows.iter_mut().enumerate() {
        row.name = format!("organizations/{organization}/subprocessors/row-{i:03}");
    }
    let vendors: BTreeMap<&str, &str> =
        rows.iter().filter_map(|row| Some((row.vendor.strip_prefix("vendors/")?, row.display_name.as_str()))).collect();
    let vendors: Vec<Json> = vendors.iter().map(|(id, name)| json!({"id": id, "display_name": name})).collect();
    let entries = rows.iter().enumerate().map(|(i, row)| {
        let mut entry = entry(&format!("row-{i:03}"), row);
        entry.as_object_mut().expect("an entry").remove("name");
        entry
    });
    let mut head =
        json!({"id": organization, "display_name": text(&list["organization"]), "role": list["organization_role"]});
    if let Some(days) = list["notice"]["period_days"].as_i64() {
        head["notice_policy"] = json!({"notice_days": days});
    }
    let whole = json!({"organization": head, "vendors": vendors, "subprocessors": entries.collect::<Vec<_>>()});
    (whole.to_string(), rows)
}

both! {
    async fn every_list_is_read_back_as_it_was_published(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start(&place).await;
        let lists = files("lists");
        let mut engaged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut count, mut repeated) = (0, 0);
        for (organization, list) in &lists {
            let (text, rows) = manifest(organization, list);
            let applied = apply(&mut server, &text).await.unwrap_or_else(|status| panic!("{organization}: {status:?}"));
            let again = apply(&mut server, &text).await.expect("applied");
            assert_eq!((again.revision, again.plan), (applied.revision, vec![]), "{organization}");
            let parent = format!("organizations/{organization}");
            let found: Vec<_> = subprocessors_of(&mut server, &parent).await;
            for row in &found {
                engaged.entry(row.vendor.clone()).or_default().insert(row.name.clone());
            }
            let found: Vec<_> = found.into_iter().map(|row| v1::Subprocessor { name: row.name.clone(), ..bare(row) }).collect();
            assert_eq!(found, rows, "{organization}");
            let vendors: BTreeSet<&str> = rows.iter().map(|row| row.vendor.as_str()).collect();
            repeated += rows.len() - vendors.len();
            count += rows.len();
        }
        assert!(lists.len() >= AT_LEAST.0 && count >= AT_LEAST.1, "{} lists, {count} rows", lists.len());
        assert!(repeated >= 7, "{repeated} rows name a vendor that another row of the list names, or none");
        // Who engages each of them.
        engaged.remove("");
        for (vendor, names) in engaged {
            let request = v1::TraceVendorRequest { name: vendor.clone(), ..Default::default() };
            let answer = server.vendors.trace_vendor(request).await.expect("traced").into_inner();
            let reaches = answer.organizations.iter().flat_map(|organization| &organization.reaches);
            assert_eq!(reaches.map(|reach| reach.subprocessor.clone()).collect::<BTreeSet<_>>(), names, "{vendor}");
        }
    }
}
