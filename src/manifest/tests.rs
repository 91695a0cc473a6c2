//! What is read, and what is refused with which line. That what is written is read again is tested in `round_trip`.

use super::*;
use crate::proto::v1;

mod round_trip;

/// A manifest with one of everything; line numbers matter below.
const WHOLE: &str = r#"# a comment
organization:
  id: acme
  display_name: Acme
  regimes: [EU_GDPR, REGIME_UK_GDPR]
  notice_policy:
    enforcement: REQUIRED
    four_eyes: true
    notice_days: 0
documents:
  - id: policy
    title: Policy
    kind: PRIVACY_POLICY
    stated_date: 2019-08-27
    retrieve_time: 2026-03-23T12:00:00.5+02:00
vendors:
  - id: aws
    display_name: AWS
    entities:
      - entity_id: inc
        legal_name: Amazon Web Services, Inc.
        region_code: NO
        address: {postal_code: 0123, lines: [1.10, 1e3, true, "null"]}
subprocessors:
  - id: hosting
    display_name: Hosting
    vendor: vendors/aws
    recorded_as_found: true
    state: ACTIVE
    service_description: |
      two
      lines
    annotations:
      Column 1: 12:30
      empty:
    section: ~
  - {id: mail, display_name: Mail, purposes: []}
customers:
  - id: big
    display_name: Big
    contacts:
      - kind: DPO
        email: dpo@big.example
"#;

fn refusals(text: &str, flavour: Flavour) -> Vec<(String, String)> {
    let error = read(text, flavour).expect_err("refused");
    assert_eq!(error.reason(), Reason::ManifestInvalid);
    error.field_violations().map(|(field, rule)| (field.to_owned(), rule.to_owned())).collect()
}

/// Asserts that `text` is refused with exactly these paths and beginnings of rules.
#[track_caller]
fn refused(text: &str, expected: &[(&str, &str)]) {
    let found = refusals(text, Flavour::Operator);
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|((path, rule), (p, r))| path == p && rule.starts_with(r));
    assert!(fits, "expected {expected:#?}, found {found:#?}");
}

/// Asserts that [`WHOLE`] with `from` replaced by `to` is refused so.
#[track_caller]
fn changed(from: &str, to: &str, expected: &[(&str, &str)]) {
    assert_eq!(WHOLE.matches(from).count(), 1, "{from}");
    refused(&WHOLE.replace(from, to), expected);
}

#[test]
fn a_whole_manifest() {
    let manifest = read(WHOLE, Flavour::Operator).expect("a manifest");
    let organization = manifest.organization.expect("an organization").message;
    assert_eq!(organization.name, "organizations/acme");
    assert_eq!(organization.regimes, [v1::Regime::EuGdpr as i32, v1::Regime::UkGdpr as i32]);
    let policy = organization.notice_policy.expect("a policy");
    assert_eq!((policy.notice_days, policy.objection_days, policy.four_eyes), (Some(0), None, Some(true)));

    let document = &manifest.documents[0].message;
    assert_eq!(document.name, "organizations/acme/documents/policy");
    assert_eq!(document.stated_date, "2019-08-27");
    let time = document.retrieve_time.expect("a time");
    assert_eq!((time.seconds, time.nanos), (1_774_260_000, 500_000_000));

    let entity = &manifest.vendors[0].message.entities[0];
    assert_eq!(entity.region_code, "NO");
    let address = entity.address.as_ref().expect("an address");
    assert_eq!(
        (address.postal_code.as_str(), address.lines.as_slice()),
        ("0123", &["1.10", "1e3", "true", "null"].map(String::from)[..])
    );

    let hosting = &manifest.subprocessors[0].message;
    assert_eq!(hosting.name, "organizations/acme/subprocessors/hosting");
    assert_eq!(hosting.state(), v1::subprocessor::State::Active);
    assert_eq!(hosting.service_description, "two\nlines");
    assert_eq!(hosting.annotations.get("Column 1").map(String::as_str), Some("12:30"));
    assert_eq!((hosting.annotations.len(), hosting.section.as_str()), (1, ""));
    assert_eq!(manifest.subprocessors[1].message.display_name, "Mail");
    assert_eq!(manifest.customers[0].message.contacts[0].email, "dpo@big.example");
    assert_eq!((manifest.version, manifest.instruments.len()), (None, 0));
}

#[test]
fn fields_are_located() {
    let manifest = read(WHOLE, Flavour::Operator).expect("a manifest");
    let place = &manifest.customers[0].place;
    assert_eq!(place.locate("contacts[0].email"), ("customers[0].contacts[0].email".into(), 43));
    assert_eq!(place.locate("contacts[0].phone"), ("customers[0].contacts[0].phone".into(), 42));
    assert_eq!(place.locate("contacts[7].phone"), ("customers[0].contacts[7].phone".into(), 41));
    assert_eq!(place.locate("name"), ("customers[0].id".into(), 39));
    assert_eq!(place.locate("agreement.notice_days"), ("customers[0].agreement.notice_days".into(), 39));
    assert_eq!(place.locate(""), ("customers[0]".into(), 39));
    let place = &manifest.subprocessors[0].place;
    assert_eq!(place.locate("annotations[\"Column 1\"]").1, 34);
    assert_eq!(place.locate("annotations[\"x.y[0]\"]").1, 33);
    assert_eq!(place.violation("vendor", "no"), ("subprocessors[0].vendor".into(), "line 27: no".into()));
    let organization = manifest.organization.expect("an organization").place;
    assert_eq!(organization.locate("notice_policy.four_eyes"), ("organization.notice_policy.four_eyes".into(), 8));
}

#[test]
fn catalog_files() {
    let text =
        "version: 2026.10\nvendors:\n- {id: a, display_name: A}\ninstruments:\n- {id: b, title: B, kind: OTHER}\n";
    let manifest = read(text, Flavour::Catalog).expect("a catalog");
    assert_eq!(manifest.version.as_deref(), Some("2026.10"));
    assert_eq!(manifest.instruments[0].message.name, "instruments/b");
    assert_eq!(
        refusals("organization: {id: a}\nsubprocessors: []\n", Flavour::Catalog),
        [
            (
                "organization".into(),
                "line 1: there is no \"organization\" here; there are version, vendors, instruments".into()
            ),
            ("version".into(), "line 1: is required".into()),
            (
                "subprocessors".into(),
                "line 2: there is no \"subprocessors\" here; there are version, vendors, instruments".into()
            ),
        ]
    );
    refused(
        text,
        &[
            ("version", "line 1: there is no \"version\" here"),
            ("organization", "line 1: is required"),
            ("instruments", "line 4: there is no \"instruments\" here; there are organization, documents"),
        ],
    );
}

#[test]
fn unknown_keys_have_suggestions() {
    changed(
        "display_name: Acme",
        "legalName: Acme",
        &[
            ("organization.display_name", "line 3: is required"),
            ("organization.legalName", "line 4: there is no \"legalName\" here; did you mean \"legal_name\"?"),
        ],
    );
    changed(
        "vendor: vendors/aws",
        "vender: x",
        &[("subprocessors[0].vender", "line 27: there is no \"vender\" here; did you mean \"vendor\"?")],
    );
    changed(
        "kind: DPO",
        "sort: DPO",
        &[(
            "customers[0].contacts[0].sort",
            "line 42: there is no \"sort\" here; there are kind, person_name, position, email, phone, uri, verbatim",
        )],
    );
    refused(
        "organization: {id: a, display_name: A}\ncertifications:\n- {id: b, vendor: vendors/c, entity_id: e, status: ACTIVE, framework: instruments/d}\n",
        &[(
            "certifications[0].vendor",
            "line 3: there is no \"vendor\" here; there are id, parent, sources, annotations",
        )],
    );
    changed(
        "customers:",
        "customer:",
        &[("customer", "line 38: there is no \"customer\" here; did you mean \"customers\"?")],
    );
}

#[test]
fn what_only_the_server_sets_is_refused() {
    changed("vendor: vendors/aws", "uid: null", &[("subprocessors[0].uid", "line 27: is output only")]);
    changed("vendor: vendors/aws", "gate_records: []", &[("subprocessors[0].gate_records", "line 27: is output only")]);
    changed("vendor: vendors/aws", "name: x", &[("subprocessors[0].name", "line 27: a manifest has \"id\" in place")]);
    changed(
        "display_name: AWS",
        "display_name: AWS\n    origin: CATALOG",
        &[("vendors[0].origin", "line 19: is output only")],
    );
}

#[test]
fn wrong_types_are_refused() {
    changed(
        "purposes: []",
        "purposes: hosting",
        &[("subprocessors[1].purposes", "line 37: expects a list of text, not \"hosting\"")],
    );
    changed(
        "purposes: []",
        "purposes: [a, null]",
        &[("subprocessors[1].purposes[1]", "line 37: expects text, not nothing")],
    );
    changed(
        "purposes: []",
        "purposes: [[a]]",
        &[("subprocessors[1].purposes[0]", "line 37: expects text, not a list")],
    );
    changed("purposes: []", "section: {a: b}", &[("subprocessors[1].section", "line 37: expects text, not a mapping")]);
    changed("purposes: []", "dpa: SIGNED", &[("subprocessors[1].dpa", "line 37: expects a mapping, not \"SIGNED\"")]);
    changed(
        "purposes: []",
        "locations: {a: b}",
        &[("subprocessors[1].locations", "line 37: expects a list of mappings")],
    );
    changed(
        "purposes: []",
        "annotations: [a]",
        &[("subprocessors[1].annotations", "line 37: expects a mapping to text")],
    );
    changed(
        "purposes: []",
        "annotations: {a: [b]}",
        &[("subprocessors[1].annotations[\"a\"]", "line 37: expects text, not a list")],
    );
    for (flag, shown) in [("yes", "yes"), ("\"true\"", "true"), ("1", "1")] {
        let rule = format!("line 8: expects true or false, not \"{shown}\"");
        changed("four_eyes: true", &format!("four_eyes: {flag}"), &[("organization.notice_policy.four_eyes", &rule)]);
    }
    for number in ["thirty", "1.5", "030", "\"30\"", "2147483648", "1e3", "0x1F", "+3", "-1.0"] {
        let path = "organization.notice_policy.notice_days";
        changed("notice_days: 0", &format!("notice_days: {number}"), &[(path, "line 9: expects a whole number")]);
    }
    for time in [
        "2026-03-23",
        "2026-03-23T10:00:00",
        "20260323T100000Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-03-23 10:00:00Z",
        "2026-03-23T10:00:00+01:00[Europe/Berlin]",
        "now",
        "\"2026-03-23T10:00Z\"",
    ] {
        let with = format!("retrieve_time: {time}");
        changed(
            "retrieve_time: 2026-03-23T12:00:00.5+02:00",
            &with,
            &[("documents[0].retrieve_time", "line 15: expects a time such as")],
        );
    }
}

#[test]
fn unknown_enum_values_are_refused_with_the_known_ones() {
    for value in ["Active", "UNSPECIFIED", "STATE_UNSPECIFIED", "3", "\"\""] {
        changed(
            "state: ACTIVE",
            &format!("state: {value}"),
            &[(
                "subprocessors[0].state",
                "line 29: expects one of PROPOSED, ANNOUNCED, ACTIVE, SUSPENDED, RETIRED, REJECTED, not",
            )],
        );
    }
    changed(
        "[EU_GDPR, REGIME_UK_GDPR]",
        "EU_GDPR",
        &[(
            "organization.regimes",
            "line 5: expects a list of values out of EU_GDPR, UK_GDPR, SWISS_FADP, not \"EU_GDPR\"",
        )],
    );
}

#[test]
fn ids_are_checked() {
    changed(
        "id: hosting",
        "id: mail",
        &[("subprocessors[1].id", "line 37: \"mail\" is the id of subprocessors[0] in line 25 already")],
    );
    changed("id: hosting", "id: Hosting", &[("subprocessors[0].id", "line 25: must be 1 to 63 lowercase letters")]);
    changed("id: hosting", "id: [a]", &[("subprocessors[0].id", "line 25: must be 1 to 63")]);
    changed(
        "id: hosting",
        "section: x",
        &[
            ("subprocessors[0].id", "line 25: is required; it must be 1 to 63"),
            ("subprocessors[0].section", "line 36: this key stands in line 25 already"),
        ],
    );
    changed("id: acme", "id: ", &[("organization.id", "line 3: is required; it must be")]);
}

#[test]
fn required_fields_are_required() {
    changed(
        "display_name: Hosting",
        "section: x",
        &[
            ("subprocessors[0].display_name", "line 25: is required"),
            ("subprocessors[0].section", "line 36: this key stands in line 26 already"),
        ],
    );
    changed(
        "display_name: Hosting",
        "display_name: \"\"",
        &[("subprocessors[0].display_name", "line 26: is required")],
    );
    changed("display_name: Hosting", "display_name: ~", &[("subprocessors[0].display_name", "line 26: is required")]);
    changed("display_name: Hosting", "display_name: []", &[("subprocessors[0].display_name", "line 26: expects text")]);
    changed("- entity_id: inc\n        ", "- ", &[("vendors[0].entities[0].entity_id", "line 20: is required")]);
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_lines() {
    let text = "customers:\n- {id: a}\n- 7\nvendors: x\norganization: {id: A}\nnonsense: 1\nversion: 1\n";
    refused(
        text,
        &[
            ("customers[0].display_name", "line 2: is required"),
            ("customers[1]", "line 3: expects a mapping, not \"7\""),
            ("vendors", "line 4: expects a list of mappings, not \"x\""),
            ("organization.id", "line 5: must be 1 to 63"),
            ("organization.display_name", "line 5: is required"),
            ("nonsense", "line 6: there is no \"nonsense\" here"),
            ("version", "line 7: there is no \"version\" here"),
        ],
    );
}

#[test]
fn at_most_a_thousand_errors_are_listed() {
    let rows: String = (0..3_000).map(|i| format!("- {{id: a{i}, display_name: x, wrong: 1}}\n")).collect();
    let found = refusals(
        &format!("organization: {{id: a, legal_name: A, display_name: A}}\nsubprocessors:\n{rows}"),
        Flavour::Operator,
    );
    assert_eq!(found.len(), 1_000);
}

/// Refusals of the text itself, before its meaning.
#[track_caller]
fn unreadable(text: &str, path: &str, rule: &str) {
    let mut problems = Problems::default();
    node::parse(text, MAX_BYTES, &mut problems);
    let found = problems.list();
    let fits = |p: &Problem| p.path == path && at_line(p.line, &p.rule).starts_with(rule);
    assert!(found.len() == 1 && found.iter().all(fits), "{text:?}: expected {path:?} {rule:?}, found {found:#?}");
}

#[test]
fn texts_that_are_no_manifest() {
    unreadable("", "", "line 1: there is nothing in it");
    unreadable("# only\n", "", "line 1: there is nothing in it");
    unreadable("---\n", "", "line 1: there is nothing in it");
    unreadable("\n- a\n", "", "line 2: expects a mapping at the top");
    unreadable("text", "", "line 1: expects a mapping at the top");
    unreadable("a: 1\n---\nb: 1\n", "", "line 2: there is more than one document");
    unreadable("a: 1\nb:\n  c: \0\n", "", "line 3: a NUL character");
    unreadable("\n\0", "", "line 2: a NUL character");
    unreadable("a: 1\nb: [1\nc: 2\n", "b[0]", "line 3: not valid YAML: ");
    unreadable("a: \"\\ud83d\"", "a", "line 1: not valid YAML: ");
    unreadable("{\"a\": \"\\ude00\\ud83d\"}", "", "line 1: not valid YAML: ");
    unreadable("a:\n  b: &x 1\n", "a.b", "line 2: anchors (&) are not offered");
    unreadable("a:\n- !!str 1\n", "a[0]", "line 2: tags (!) are not offered");
    unreadable("a: 1\nb: !x {}\n", "b", "line 2: tags (!) are not offered");
    unreadable("a: 1\n[b]: 2\n", "", "line 2: a key must be text");
    unreadable("a:\n  b: 1\n  c: 1\n  b: 2\n", "a.b", "line 4: this key stands in line 2 already");
    let deep = format!("a{}", "[0]".repeat(31));
    unreadable(&format!("a: {}", "[".repeat(32)), &deep, "line 1: lists and mappings nest deeper than 32");
    unreadable(&format!("a:\n{}b", "- ".repeat(40)), &deep, "line 2: lists and mappings nest deeper than 32");
    unreadable(&"a".repeat(MAX_BYTES + 1), "", "line 1: the text has 4194305 bytes; at most 4194304 are read");
    unreadable(
        &format!("a:\n{}", "- 1\n".repeat(node::MAX_NODES + 1)),
        "a[500000]",
        "line 500002: there are more than",
    );
}

#[test]
fn laughs_are_not_multiplied() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for i in 1..30 {
        text.push_str(&format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
    }
    let mut problems = Problems::default();
    node::parse(&text, MAX_BYTES, &mut problems);
    let rules: Vec<&str> = problems.list().iter().map(|p| p.rule.as_str()).collect();
    assert_eq!(rules.len(), 30 + 2 * 29);
    assert!(rules.iter().all(|rule| rule.contains("are not offered")));
}

#[test]
fn nodes_know_their_place() {
    let mut problems = Problems::default();
    let text = "\u{feff}a: 1\r\nb:\r\n  - x\r\n  - c: y\r\n\r\n    d: |\r\n      z\r\n";
    let root = node::parse(text, MAX_BYTES, &mut problems).expect("a tree");
    let members = root.as_map().expect("a mapping");
    assert_eq!((members[1].key.as_str(), members[1].line, members[1].column), ("b", 2, 1));
    let node::Value::List(items) = &members[1].value.value else { panic!("a list") };
    assert_eq!((items[0].line, items[0].column), (3, 5));
    let inner = items[1].as_map().expect("a mapping");
    assert_eq!((inner[1].line, inner[1].column), (6, 5));
    assert_eq!(items[1].get("d").map(node::Node::to_json), Some("z\n".into()));
    assert!(problems.list().is_empty());
}
