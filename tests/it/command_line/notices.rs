//! `notice`, `objections` and `customers`, against a server on an embedded database.

use serde_json::Value as Json;
use tempfile::TempDir;

use super::{Server, run};

const MANIFEST: &str = "
organization: {id: acme, display_name: Acme, notice_policy: {enforcement: REQUIRED}}
vendors:
  - id: host
    display_name: Host
    entities: [{entity_id: host-inc, legal_name: 'Host, Inc.', region_code: US, address: {lines: [1 Road]}}]
    contacts: [{email: privacy@host.example}]
subprocessors:
  - {id: old, display_name: Old, state: ACTIVE, recorded_as_found: true, purposes: [mail]}
customers:
  - {id: calm, display_name: Calm, agreement: {authorization: GENERAL, notice_days: 30, objection_days: 5, time_zone: Europe/Berlin}}
  - {id: strict, display_name: Strict, agreement: {authorization: SPECIFIC, notice_days: 10}}
";

const NOTICE: &str = "
id: host
title: A new host
body: We add a host.
changes:
  - kind: ADD
    subprocessor: organizations/acme/subprocessors/host
    proposed:
      display_name: Host
      vendor: vendors/host
      role: SUB_PROCESSOR
      purposes: [hosting]
      dpa: {status: SIGNED}
";

#[test]
fn a_notice_goes_its_way() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let server = Server::start(&["--data-dir", &place("data")]);
    std::fs::write(place("acme.yaml"), MANIFEST).expect("written");
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);
    let (file, name) = (place("notice.yaml"), "organizations/acme/notices/host");
    std::fs::write(&file, NOTICE).expect("written");

    let agreed = server.ok(&["customers", "acme"]);
    assert!(agreed.contains("30 days") && agreed.contains("5 days") && agreed.contains("SPECIFIC"), "{agreed}");

    let preview = server.ok(&["notice", "preview", "--file", &file, "--organization", "acme"]);
    assert!(preview.contains("reaches 2 customers, held back from 2 if nobody answers"), "{preview}");
    let create = ["notice", "create", &file, "--organization", "acme", "--principal", "ann"];
    let dry = server.ok(&[&create[..], &["--dry-run"]].concat());
    assert_eq!(dry, format!("{name}: would be DRAFT\n"));
    assert!(server.ok(&create).starts_with(&format!("{name}: DRAFT, revision ")));
    let own = server.run(&["notice", "approve", name, "--principal", "ann"]);
    assert!(own.code == 1 && own.error.contains("NOTICE_REFUSED"), "{own:?}");
    server.ok(&["notice", "approve", name, "--principal", "bob"]);
    let published = server.ok(&["notice", "publish", name]);
    assert!(published.contains("PUBLISHED") && published.contains("reaches 2 customers"), "{published}");

    let status = server.ok(&["notice", "status", name]);
    for said in ["A new host", "PENDING", "calm", "strict", "2 recipients"] {
        assert!(status.contains(said), "{said}: {status}");
    }
    server.ok(&["notice", "ack", name, "calm"]);
    server.ok(&["notice", "ask", name, "calm", "Where?", "--id", "q"]);
    server.ok(&["notice", "answer", name, "calm", "q", "In the EU."]);
    let lodged = server.ok(&["objections", "lodge", name, "calm", "--grounds", "no data in the US", "--id", "o"]);
    assert!(lodged.contains("against c1; blocks until it is resolved"), "{lodged}");
    let listed = server.ok(&["objections", "acme", "--open"]);
    assert!(listed.contains("no data in the US"), "{listed}");
    let objection = format!("{name}/objections/o");
    server.ok(&["objections", "resolve", &objection, "--outcome", "ALTERNATIVE_ACCEPTED", "--resolution", "EU only"]);
    assert!(!server.ok(&["objections", "acme", "--open"]).contains("no data"));
    let authorized = server.ok(&["notice", "authorize", name, "strict", "--note", "by mail"]);
    assert!(authorized.contains("c1: AUTHORIZED"), "{authorized}");

    // Everybody is cleared: it has taken effect.
    let status: Json = serde_json::from_str(&server.ok(&["notice", "status", name, "-o", "json"])).expect("JSON");
    assert_eq!(status["notice"]["state"], "EFFECTIVE");
    let list = server.ok(&["list", "organizations/acme/subprocessors", "--customer", "strict"]);
    assert!(list.contains("subprocessors/host") && list.contains("subprocessors/old"), "{list}");
    let shown = server.ok(&["customers", "show", "organizations/acme/customers/strict"]);
    assert!(shown.contains("SPECIFIC") && shown.contains("subprocessors/host"), "{shown}");
    server.ok(&["get", "organizations/acme/subprocessors/host", "--customer", "calm"]);
    let refused = server.run(&["notice", "withdraw", name, "--reason", "late"]);
    assert!(refused.code == 1 && refused.error.contains("STATE_TRANSITION_REFUSED"), "{refused:?}");

    let evidence: Json = serde_json::from_str(&server.ok(&["notice", "evidence", name])).expect("JSON");
    assert_eq!(evidence["objections"][0]["outcome"], "ALTERNATIVE_ACCEPTED");
    let page = place("evidence.html");
    let only = ["notice", "evidence", name, "--format", "html", "--customer", "calm", "--output", &page];
    assert_eq!(server.ok(&only), "");
    let page = std::fs::read_to_string(&page).expect("written");
    assert!(page.starts_with("<!doctype html>") && page.contains("Calm") && !page.contains("Strict"));
    // What the evidence says of a revision is what the log verifies.
    let last = evidence["revisions"].as_array().and_then(|all| all.last()).expect("a revision");
    let expected = format!("{}:{}", last["number"], last["hash"].as_str().expect("a hash"));
    server.ok(&["verify", "--expected", &expected]);

    std::fs::write(
        &file,
        NOTICE.replace("id: host", "id: other").replace("organizations/acme/subprocessors/host", "vendors/host"),
    )
    .expect("written");
    let refused = server.run(&create);
    assert_eq!(refused.code, 1);
    assert!(refused.error.contains("notice.yaml:7: notice.changes[0].subprocessor: must be a name"), "{refused:?}");
    assert_eq!(run(&["notice", "create", &file]).code, 2);
}
