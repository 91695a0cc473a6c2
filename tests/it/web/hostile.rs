//! Texts of any kind stay texts: in pages, feeds, tables and documents.

use roxmltree::Document;
use subprocessor_registry::proto::v1;

use super::{LIST, acme_with, announce, get, joins, newcomer, published};
use crate::support::both;

const BAD: &str =
    "</title></bdi><script>alert(1)</script><img src=x onerror=alert(2)>\" onclick=\"alert(3) {{ 7*7 }} &amp; ]]>";

/// An organization that says nothing else.
fn manifest() -> String {
    let text = serde_json::to_string(BAD).expect("a text");
    let formula = "\"=HYPERLINK(\\\"https://evil.example\\\")\"";
    let long = "x".repeat(400);
    format!(
        "organization: {{id: acme, display_name: {text}, legal_name: {text}, regimes: [EU_GDPR], notice_policy: {{four_eyes: false, notice_days: 30}}, products: [{{product_id: p, display_name: {text}}}], page: {{title: {text}, introduction: {text}, objection_instructions: {text}, terms: {text}, logo_text: {text}, contact_uri: 'https://x.example/?a=\"><script>'}}}}
vendors: [{{id: v, display_name: {text}, entities: [{{entity_id: e, legal_name: {text}, address: {{verbatim: {text}}}}}]}}]
subprocessors:
  - {{id: a, vendor: vendors/v, vendor_entity: e, display_name: {text}, listed: true, recorded_as_found: true, state: ACTIVE, start_date: '2020-01-01', purposes: [{text}], service_description: {text}, section: {text}, condition: {text}, products: [p], data_categories: [{text}], special_categories: [{text}], data_subject_categories: [{text}], locations: [{{verbatim: {text}}}, {{area: {text}}}], website_uri: 'https://x.example/?a=\"><script>'}}
  - {{id: b, display_name: {formula}, listed: true, recorded_as_found: true, state: ACTIVE, end_date: '2024-01-01', purposes: ['+1+1', '@x']}}
  - {{id: c, display_name: {formula}, listed: true, recorded_as_found: true, state: ACTIVE, purposes: ['-2', {long}]}}
  - {{id: d, display_name: 'ספק ענן בע״מ', listed: true, recorded_as_found: true, state: ACTIVE, purposes: [أرشفة]}}
"
    )
}

both! {
    async fn no_text_becomes_anything_else(backend: Backend) {
        let (_place, mut server) = acme_with(backend, &manifest(), &[]).await;
        let newcomer = v1::Subprocessor { display_name: BAD.into(), purposes: vec![BAD.into()], ..newcomer() };
        announce(&mut server, "n", v1::Notice { body: BAD.into(), ..joins(BAD, newcomer) }).await;
        for path in ["", "/history", "/notices/n", "?q=%3Cscript%3Ealert(1)%3C/script%3E%22", "?product=%22%3E%3Cscript%3E", "?%3Cscript%3E=1", "?date=%3Cscript%3E"] {
            let page = get(&server, &format!("{LIST}{path}")).await.body;
            for marked in ["<script", "<img src=x", "onclick=\"", "{{ 49", ">49<"] {
                assert!(!page.contains(marked), "{path}: {marked}: {page}");
            }
        }
        // The feed is XML, and in it the HTML is as harmless as in the page.
        let feed = get(&server, &format!("{LIST}/feed.atom")).await.body;
        let document = Document::parse(&feed).expect("XML");
        for node in document.descendants().filter(|node| node.tag_name().name() == "content") {
            let html = node.text().unwrap_or_default();
            assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        }
        let csv = get(&server, &format!("{LIST}/subprocessors.csv")).await.body;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("CSV")).collect();
        assert_eq!(rows.len(), 3, "{csv}");
        assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{csv}");
        let markdown = get(&server, &format!("{LIST}/subprocessors.md")).await.body;
        assert!(!markdown.replace(r"\<", "").contains("<script") && markdown.contains(r"\<script\>"), "{markdown}");
        // Programs get the very texts.
        let list = published(&server, "").await;
        assert!(list.subprocessors.iter().any(|one| one.name == BAD && one.purposes == [BAD]), "{list:?}");
    }
}
