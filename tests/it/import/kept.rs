//! What a page does not speak of, of a list that the registry holds already.

use prost_reflect::ReflectMessage;
use subprocessor_registry::{
    import::Options,
    manifest::{self, Flavour},
    resource::behavior,
};

use super::expected::{import_into, rows_of};

/// A list of which one says everything that can be said.
const OWN: &str = "\
organization: {id: acme, display_name: Acme, products: [{product_id: cloud, display_name: Cloud}]}
documents: [{id: subprocessor-list, title: Ours, kind: SUBPROCESSOR_LIST}]
subprocessors:
  - {id: host, display_name: Host, recorded_as_found: true}
  - id: mail
    display_name: Zeta Mail
    vendor: vendors/stripe
    vendor_entity: stripe-inc
    vendor_services: [mail]
    alternative_vendors: [vendors/aws]
    website_uri: https://zeta.example
    role: SUB_PROCESSOR
    affiliate: false
    state: ACTIVE
    recorded_as_found: true
    purposes: [mail]
    service_description: All of it
    products: [cloud]
    section: Messages
    condition: Only if you ask
    data_categories: [Addresses]
    special_categories: [Health]
    data_subject_categories: [Users]
    locations: [{region_code: PL, activity: STORAGE, verbatim: Warsaw}]
    engaged_by: organizations/acme/subprocessors/host
    dpa: {status: SIGNED, sign_date: '2024-01-01'}
    retention: {kind: FIXED, duration: P30D}
    start_date: '2020-01-01'
    end_date: '2040-01-01'
    next_review_date: '2031-01-01'
    listed: true
    incomplete_reason: The address is not known.
    annotations: {ticket: PRIV-9, Remark: ours}
    sources:
      - {document: 'https://zeta.example/terms', field: retention, quote: after 30 days}
      - {document: organizations/acme/documents/subprocessor-list, quote: An older page, line: 99}
      - {document: organizations/acme/documents/subprocessor-list, field: state, quote: in use}
      - {document: Contract of 2024, field: dpa, quote: signed}
";

#[test]
fn what_a_page_does_not_say_stays() {
    let own = || manifest::read(OWN, Flavour::Operator).expect("a manifest");
    let before = own().subprocessors.into_iter().map(|entry| entry.message).find(|one| one.display_name == "Zeta Mail");
    let before = before.expect("there");
    let options = Options { file: "a.csv".into(), ..Options::default() };
    let list = "Subprocessor,Purpose,Remark\nStripe,payments,\nZeta Mail,,theirs\n";
    let rows = rows_of(&import_into(Some(own()), &options, list.as_bytes()).expect("read"));
    let after = rows.iter().find(|row| row.name == before.name).expect("it keeps its id");

    let (was, is) = (before.transcode_to_dynamic(), after.transcode_to_dynamic());
    for field in was.descriptor().fields().filter(|field| !behavior::of(field).output_only) {
        assert!(was.has_field(&field), "{}: is not set, so that nobody knows whether it stays", field.name());
        if !matches!(field.name(), "annotations" | "sources") {
            assert_eq!(is.get_field(&field), was.get_field(&field), "{}", field.name());
        }
    }
    let notes: Vec<(&str, &str)> =
        after.annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(notes, [("Remark", "theirs"), ("ticket", "PRIV-9")], "what the page says is the page's");
    let sources: Vec<(&str, &str)> =
        after.sources.iter().map(|one| (one.document.as_str(), one.quote.as_str())).collect();
    assert_eq!(
        sources,
        [
            ("https://zeta.example/terms", "after 30 days"),
            ("organizations/acme/documents/subprocessor-list", "Zeta Mail"),
            ("Contract of 2024", "signed"),
        ]
    );
}

#[test]
fn what_has_no_room_beside_the_page_is_said() {
    let row = |count: usize| {
        let notes: Vec<String> = (0..count).map(|n| format!("own {n}: x")).collect();
        format!(
            "  - {{id: mail, display_name: Zeta Mail, recorded_as_found: true, annotations: {{{}}}}}\n",
            notes.join(", ")
        )
    };
    for (count, fits) in [(63, true), (64, false)] {
        let own = format!("organization: {{id: acme, display_name: Acme}}\nsubprocessors:\n{}", row(count));
        let own = manifest::read(&own, Flavour::Operator).expect("a manifest");
        let options = Options { file: "a.csv".into(), ..Options::default() };
        let list = "Subprocessor,Purpose,Remark\nStripe,payments,\nZeta Mail,mail,theirs\n";
        let imported = import_into(Some(own), &options, list.as_bytes()).expect("read");
        let rows = rows_of(&imported);
        let row = rows.iter().find(|row| row.display_name == "Zeta Mail").expect("there");
        assert_eq!((row.annotations.len(), row.annotations["Remark"].as_str()), (64, "theirs"));
        let is_said = imported.report.notes.iter().any(|note| note.text.contains("more than 64 annotations"));
        assert_eq!(is_said, !fits, "{:?}", imported.report.notes);
    }
}
