//! What is wrong with a manifest: everything at once, each with its path and its line, and nothing is written.

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{WHOLE, ids, prune, whole_with};
use crate::support::{Server, apply, both, fresh, refused, violations};

/// Asserts that a manifest is refused with exactly these paths (`*`: any), each with the line in which a text stands first and a
/// part of the rule; and that nothing was written.
async fn wrong(server: &mut Server, text: &str, expected: &[(&str, &str, &str)]) -> Status {
    let revision = server.revision().await;
    let status = refused(apply(server, text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
    let found = violations(&status);
    let line = |part: &str| text.lines().position(|line| line.contains(part)).map(|at| at + 1).unwrap_or_default();
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|((path, rule), (p, part, words))| {
            (path == p || *p == "*") && rule.starts_with(&format!("line {}: ", line(part))) && rule.contains(words)
        });
    assert!(fits, "expected {expected:#?}, found {found:#?}");
    let details = status.get_error_details();
    let errors = details.error_info().and_then(|info| info.metadata.get("errors").cloned());
    assert_eq!(errors, Some(expected.len().to_string()));
    assert_eq!(server.revision().await, revision);
    status
}

both! {
    async fn texts_that_cannot_be_read(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        wrong(&mut server, "organization:\n  id: acme\n  display_name: \"Acme\n", &[("organization.display_name", "display_name", "not valid YAML")]).await;
        wrong(&mut server, "organization:\n  id: acme\n id: other # here\n", &[("*", "# here", "not valid YAML")]).await;
        wrong(&mut server, "organization: {id: acme, display_name: A}\norganization: {id: other} # again\n", &[("*", "# again", "")]).await;
        wrong(&mut server, "just words\n", &[("*", "just words", "")]).await;
        wrong(&mut server, "{\n  \"organization\": {\"id\": \"acme\",, \"display_name\": \"A\"}\n}\n", &[("*", "acme", "")]).await;
        wrong(&mut server, "organization: &a {id: acme, display_name: A}\n", &[("*", "&a", "")]).await;
        refused(apply(&mut server, " \n").await, Code::InvalidArgument, "FIELD_INVALID", &["manifest"]);
        refused(apply(&mut server, "").await, Code::InvalidArgument, "FIELD_INVALID", &["manifest"]);
    }

    async fn everything_that_can_be_seen_in_the_text(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let text = "\
organization:
  id: acme # id
  displayname: Acme # displayname
  region_code: UK # region
documents:
  - id: policy
    title: Policy
    kind: PRIVACY # kind
    stated_date: 2026-02-30 # date
    retrieve_time: yesterday # time
    products: cloud # list
subprocesors: [] # section
vendors:
  - id: Aws # case
    display_name: AWS
    entities:
      - {entity_id: inc, legal_name: A}
      - {entity_id: inc, legal_name: B} # twice
subprocessors:
  - id: one
    display_name: One
    start_date: 2026-02-01
    end_date: 2026-01-01 # before
  - id: one # again
    display_name: Two
    recorded_as_found: maybe # flag
    etag: abc # output
    name: organizations/acme/subprocessors/x # name
    purposes: [a, ''] # empty
  - display_name: Three # three
customers:
  - id: big
    display_name: Big
    agreement:
      notice_days: -1 # days
      clock_start: SEND # clock
";
        wrong(&mut server, text, &[
            ("organization.display_name", "# id", "is required"),
            ("organization.displayname", "# displayname", "did you mean \"display_name\"?"),
            ("organization.region_code", "# region", "GB"),
            ("documents[0].kind", "# kind", "expects one of PRIVACY_POLICY, DPA"),
            ("documents[0].stated_date", "# date", ""),
            ("documents[0].retrieve_time", "# time", "expects a time"),
            ("documents[0].products", "# list", "expects a list of text, not \"cloud\""),
            ("subprocesors", "# section", "did you mean \"subprocessors\"?"),
            ("vendors[0].id", "# case", "lowercase"),
            ("vendors[0].entities[1].entity_id", "# twice", "twice"),
            ("subprocessors[0].end_date", "# before", ""),
            ("subprocessors[1].id", "# again", "is the id of subprocessors[0] in line 20 already"),
            ("subprocessors[1].recorded_as_found", "# flag", "expects true or false"),
            ("subprocessors[1].etag", "# output", "is output only"),
            ("subprocessors[1].name", "# name", "\"id\" in place of \"name\""),
            ("subprocessors[1].purposes[1]", "# empty", "is empty"),
            ("subprocessors[2].id", "# three", "is required"),
            ("customers[0].agreement.notice_days", "# days", ""),
            ("customers[0].agreement.clock_start", "# clock", "expects one of SENT, DELIVERED, PUBLISHED"),
        ]).await;
    }

    async fn everything_that_only_the_registry_can_see(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let text = "\
organization:
  id: acme
  display_name: Acme
  products: [{product_id: cloud, display_name: Cloud}]
documents:
  - id: policy
    title: Policy
    kind: PRIVACY_POLICY
    products: [cloud, phone] # document product
    claims:
      - {kind: OTHER, quote: q, subject: vendors/nobody} # claim subject
      - {kind: TRANSFER_MECHANISM, quote: q, instrument: instruments/nothing} # instrument
      - {kind: OTHER, quote: q, part_id: p} # part
vendors:
  - id: loop-a
    display_name: A
    parent_vendor: vendors/loop-b # parent
  - id: loop-b
    display_name: B
    parent_vendor: vendors/loop-a # parent too
subprocessors:
  - id: one
    display_name: One
    vendor: vendors/aws
    vendor_entity: gmbh # entity
    products: [cloud, desk] # product
  - id: two
    display_name: Two
    vendor: vendors/nobody # vendor
    alternative_vendors: [vendors/amazon, aws] # alternative
  - id: three
    display_name: Three
    engaged_by: organizations/acme/subprocessors/four # by four
  - id: four
    display_name: Four
    engaged_by: organizations/acme/subprocessors/three # by three
  - id: five
    display_name: Five
    state: ACTIVE # state
  - id: six
    display_name: Six
    recorded_as_found: true
    start_date: 2026-03-24 # future
  - id: seven # seven
    display_name: Same
    vendor: vendors/amazon
  - id: eight # eight
    display_name: Same
    vendor: vendors/amazon
  - id: nine
    display_name: Nine
    dpa: {status: SIGNED, document: organizations/acme/documents/lost} # agreement
customers:
  - id: big
    display_name: Big
    products: [desk] # customer product
";
        let status = refused(apply(&mut server, text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        let line = |part: &str| text.lines().position(|l| l.ends_with(part)).expect("a line") + 1;
        let found = violations(&status);
        for (path, part, words) in [
            ("documents[0].products[1]", "# document product", "\"phone\" is not a product_id"),
            ("documents[0].claims[0].subject", "# claim subject", "vendors/nobody does not exist"),
            ("documents[0].claims[1].instrument", "# instrument", "instruments/nothing does not exist"),
            ("documents[0].claims[2].part_id", "# part", "\"p\" is not a part_id"),
            ("subprocessors[0].vendor_entity", "# entity", "it has: inc"),
            ("subprocessors[0].products[1]", "# product", "it has: cloud"),
            ("subprocessors[1].vendor", "# vendor", "vendors/nobody does not exist"),
            ("subprocessors[1].alternative_vendors[1]", "# alternative", "must be a name of the form"),
            ("subprocessors[4].state", "# state", "output only"),
            ("subprocessors[5].start_date", "# future", "is after today"),
            ("subprocessors[8].dpa.document", "# agreement", "does not exist"),
            ("customers[0].products[0]", "# customer product", "it has: cloud"),
        ] {
            let start = format!("line {}: ", line(part));
            let fits = found.iter().any(|(p, rule)| p == path && rule.starts_with(&start) && rule.contains(words));
            assert!(fits, "{path} with {start} and {words} in {found:#?}");
        }
        // Of two that make a cycle, or are the same, one at least is named.
        for (paths, words) in [
            (["vendors[0].parent_vendor", "vendors[1].parent_vendor"], "own itself"),
            (["subprocessors[2].engaged_by", "subprocessors[3].engaged_by"], "bite its tail"),
            (["subprocessors[6]", "subprocessors[7]"], "on the list already"),
        ] {
            assert!(found.iter().any(|(p, rule)| paths.contains(&p.as_str()) && rule.contains(words)), "{paths:?} in {found:#?}");
        }
        let mut lines: Vec<u32> = found.iter().map(|(_, rule)| {
            rule.strip_prefix("line ").and_then(|r| r.split(':').next()).and_then(|n| n.parse().ok()).expect("a line")
        }).collect();
        let sorted = { let mut copy = lines.clone(); copy.sort_unstable(); copy };
        assert_eq!(lines, sorted, "in the order of lines");
        lines.dedup();
        assert!(found.len() < 20, "each once: {found:#?}");
        assert_eq!(server.revision().await, 1, "nothing was written");
        assert_eq!(ids(&mut server).await, ["hosting", "mail"]);
    }

    async fn what_does_not_hold_is_said_with_what_cannot_be_read(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let text = "\
organization:
  id: acme
  display_name: '' # organization
vendors:
  - id: new
    display_name: New
    colour: red # colour
subprocessors:
  - {id: one, display_name: One, vendor: vendors/nope} # nope
  - {id: two, display_name: Two, vendor: aws} # form
  - {id: three, display_name: Three, vendor: vendors/new, engaged_by: organizations/acme/subprocessors/one}
  - {id: four, display_name: Four, vendor: vendors/aws, end_date: soon, engaged_by: organizations/acme/subprocessors/lost} # four
";
        wrong(&mut server, text, &[
            ("organization.display_name", "# organization", "is required"),
            ("vendors[0].colour", "# colour", "there is no"),
            ("subprocessors[0].vendor", "# nope", "vendors/nope does not exist"),
            ("subprocessors[1].vendor", "# form", "must be a name of the form vendors/{vendor}, not \"aws\""),
            ("subprocessors[3].end_date", "# four", ""),
            ("subprocessors[3].engaged_by", "# four", "subprocessors/lost does not exist"),
        ]).await;
        // What may stand where reading failed is not said to be missing; what has no form still is.
        let text = "\
organization: {id: acme, display_name: Acme}
vendors:
  - {id: Nope, display_name: Nope} # case
subprocessors:
  - {id: one, display_name: One, vendor: vendors/nope, alternative_vendors: [aws]} # one
";
        wrong(&mut server, text, &[
            ("vendors[0].id", "# case", "lowercase"),
            ("subprocessors[0].alternative_vendors[0]", "# one", "must be a name of the form"),
        ]).await;
        let text = "\
organization: {id: acme, display_name: Acme}
vendor: # misspelt
  - {id: nope, display_name: Nope}
subprocessors:
  - {id: one, display_name: One, vendor: vendors/nope}
";
        wrong(&mut server, text, &[("vendor", "# misspelt", "did you mean \"vendors\"?")]).await;
    }

    async fn a_manifest_speaks_for_one_organization(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, &WHOLE.replace("acme", "other")).await.expect("applied");
        wrong(&mut server, "subprocessors: []\n", &[("organization", "subprocessors", "is required")]).await;
        wrong(&mut server, "organization: null\n", &[("organization", "organization", "is required")]).await;
        let theirs = "organizations/other/subprocessors/hosting";
        let text = whole_with("engaged_by: organizations/acme/subprocessors/hosting", &format!("engaged_by: {theirs}"));
        wrong(&mut server, &text, &[("subprocessors[0].engaged_by", theirs, "same organization")]).await;
        // Instruments and certifications are not a manifest's.
        let text = format!("{WHOLE}instruments: []\n");
        wrong(&mut server, &text, &[("instruments", "instruments: []", "there is no \"instruments\" here")]).await;
    }

    async fn very_many_errors_fit_into_an_answer(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let rows: String = (0..2_000).map(|i| format!("  - {{id: r{i}, nonsense: true}}\n")).collect();
        let text = format!("organization: {{id: acme, display_name: A}}\nsubprocessors:\n{rows}");
        let status = refused(apply(&mut server, &text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        let found = violations(&status);
        assert_eq!(found[0].0, "subprocessors[0].nonsense");
        assert!(found.len() > 10 && found.last().is_some_and(|(_, rule)| rule.starts_with("and ")), "{found:?}");
        let errors = status.get_error_details().error_info().and_then(|info| info.metadata.get("errors").cloned());
        assert_eq!(errors.as_deref(), Some("4000"));
        let request = v1::ListRevisionsRequest::default();
        assert_eq!(server.log.list_revisions(request).await.expect("listed").into_inner().revision, 0);
    }

    async fn more_than_can_be_written_is_not_read(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let rows: String = (0..60_000).map(|i| format!("  - {{id: r{i}, display_name: Name of a row {i}}}\n")).collect();
        let text = format!("organization: {{id: acme, display_name: A}}\nsubprocessors:\n{rows}");
        let status = refused(apply(&mut server, &text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[""]);
        assert_eq!(status.message(), "line 1: has 60000 entries in all, more than 5000");
        let info = status.get_error_details().error_info().expect("ErrorInfo").metadata.clone();
        let number = |key: &str| info.get(key).map(String::as_str);
        assert_eq!((number("entries"), number("max_entries")), (Some("60000"), Some("5000")));
    }

    async fn rules_are_not_asked_beyond_a_thousand_errors(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let rows: String = (0..900).map(|i| format!("  - {{id: r{i}, display_name: R, state: ACTIVE}}\n")).collect();
        let lost = format!("alternative_vendors: [{}]", vec!["vendors/nobody"; 200].join(", "));
        let text = format!("organization: {{id: acme, display_name: A}}\nsubprocessors:\n{rows}  - {{id: last, display_name: L, {lost}}}\n");
        let number = |status: &Status| {
            status.get_error_details().error_info().and_then(|info| info.metadata.get("errors").cloned())
        };
        let status = refused(apply(&mut server, &text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        assert_eq!(number(&status).as_deref(), Some("1100"), "what one entry has wrong is counted");
        let rows: String = (0..990).map(|i| format!("  - {{id: r{i}, display_name: R, state: ACTIVE, vendor_entity: x}}\n")).collect();
        let text = format!("organization: {{id: acme, display_name: A, products: []}}\nsubprocessors:\n{rows}");
        let status = refused(apply(&mut server, &text).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
        assert_eq!(number(&status).as_deref(), Some("1000"), "the last 490 were not asked");
    }

    async fn what_could_not_be_written_is_not_said_to_be_missing(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let text = "\
organization: {id: acme, display_name: Acme}
vendors:
  - {id: gone, display_name: Gone} # gone
subprocessors:
  - {id: one, display_name: One, vendor: vendors/gone}
";
        apply(&mut server, text).await.expect("applied");
        let vendor = "organization: {id: acme, display_name: Acme}\n";
        prune(&mut server, vendor).await.expect("pruned");
        let delete = v1::DeleteVendorRequest { name: "vendors/gone".into(), ..Default::default() };
        server.vendors.delete_vendor(delete).await.expect("deleted");
        let erase = v1::ErasePersonalDataRequest { name: "vendors/gone".into(), reason: "asked".into(), ..Default::default() };
        server.log.erase_personal_data(erase).await.expect("erased");
        wrong(&mut server, text, &[("vendors[0]", "# gone", "")]).await;
    }
}
