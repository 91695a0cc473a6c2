//! `diff`, `trace` and `history`, against a server on an embedded database.

use tempfile::TempDir;

use super::{Server, embedded};

const FIRST: &str = "\
organization:
  id: acme
  display_name: Acme
  products: [{product_id: eu, display_name: EU}, {product_id: us, display_name: US}]
vendors:
  - {id: group, display_name: Group}
  - {id: big, display_name: Big, parent_vendor: vendors/group}
customers:
  - {id: buyer, display_name: Buyer, products: [eu]}
subprocessors:
  - {id: hosting, display_name: 'Hosts | *Inc.*', vendor: vendors/big, purposes: [hosting], products: [us], recorded_as_found: true, start_date: '2020-01-01'}
  - {id: mail, display_name: Mail, vendor: vendors/big, engaged_by: organizations/acme/subprocessors/hosting, recorded_as_found: true, start_date: '2021-01-01'}
  - {id: chat, display_name: Chat, recorded_as_found: true, end_date: '2022-01-01'}
";

/// A list in three steps; of the last, one row is another resource.
fn serve(folder: &TempDir) -> Server {
    let server = embedded(folder.path(), &[]);
    let second = FIRST
        .replace("purposes: [hosting]", "purposes: [hosting, backup], listed: true")
        .replace("display_name: Mail", "display_name: Mail GmbH");
    let third = second
        .replace("id: chat, display_name: Chat", "id: talk, display_name: Talk")
        .replace(", end_date: '2022-01-01'", "");
    for text in [FIRST, &second, &third] {
        let file = folder.path().join("acme.yaml");
        std::fs::write(&file, text).expect("written");
        server.ok(&["apply", file.to_str().expect("a path"), "--yes", "--prune", "--principal", "ops"]);
    }
    server
}

/// The words of each line: tables are as wide as they need to be.
fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn lists_are_compared() {
    let folder = TempDir::new().expect("a folder");
    let server = serve(&folder);
    assert_eq!(
        words(&server.ok(&["diff", "acme", "--base", "1"])),
        [
            "CHANGE ID NAME FIELD BEFORE AFTER",
            "added talk Talk",
            "renamed mail Mail GmbH display_name Mail Mail GmbH",
            "changed hosting Hosts | *Inc.* purposes[1] backup",
            "listed yes",
            "organizations/acme: 1 added, 1 renamed, 1 changed, from revision 1 to revision 3",
        ]
    );
    // The ones that ended before today are on the list of a day then.
    let days = server.ok(&[
        "diff",
        "acme",
        "--base-day",
        "2020-06-01",
        "--target-day",
        "2022-06-01",
        "--base",
        "1",
        "--target",
        "2",
    ]);
    assert_eq!(
        words(&days)[1..],
        [
            "added mail Mail GmbH",
            "removed chat Chat",
            "changed hosting Hosts | *Inc.* purposes[1] backup",
            "listed yes",
            "organizations/acme: 1 added, 1 removed, 1 changed, from 2020-06-01 as known at revision 1 to 2022-06-01 as known \
             at revision 2",
        ]
    );
    let same = server.ok(&["diff", "organizations/acme", "--base", "3"]);
    assert_eq!(same, "organizations/acme: nothing differs from revision 3 to revision 3\n");
    // For one of its customers, by name or id.
    for customer in ["buyer", "organizations/acme/customers/buyer"] {
        let json = server.json(&["diff", "acme", "--base", "1", "--target", "2", "--customer", customer]);
        assert_eq!(json["renamed"][0]["to_name"], "Mail GmbH");
        assert!(json.get("changed").is_none(), "{json}");
    }
    // What the public page does not show is no news to the public, and what it shows now is new.
    let done = server.run(&["diff", "acme", "--base", "1", "-o", "markdown"]);
    assert_eq!(
        (done.code, done.error.as_str()),
        (0, "left out as not public: 2 entries; -o table shows them\n"),
        "{done:?}"
    );
    assert_eq!(
        done.out,
        "## Changes of the list of sub-processors\n\nFrom revision 1 to revision 3.\n\n\
         ### Added\n\n- **Hosts \\| \\*Inc.\\***: hosting; backup\n"
    );
    let done = server.run(&["diff", "acme", "--base", "2", "-o", "markdown"]);
    assert!(done.code == 0 && done.out.ends_with("\nNo changes.\n"), "{done:?}");
    assert!(done.error.starts_with("left out as not public: 1 entry; "), "{done:?}");
    let yaml = server.ok(&["diff", "acme", "--base", "2", "-o", "yaml"]);
    assert!(yaml.contains("display_name: Talk") && yaml.contains("target_revision: 3"), "{yaml}");
    let refused = server.run(&["diff", "acme", "--base", "9", "--customer", "nobody"]);
    assert!(refused.code == 1 && refused.error.contains("OUT_OF_RANGE"), "{refused:?}");
}

#[test]
fn a_changelog_tells_what_the_page_tells() {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let list = |vendor: &str, more: &str| {
        format!(
            "organization: {{id: acme, display_name: Acme, products: [{{product_id: eu, display_name: For Europe}}]}}\n\
             vendors:\n\
             \x20 - {{id: old, display_name: Old, entities: [{{entity_id: o, legal_name: Old AG, region_code: CH}}]}}\n\
             \x20 - {{id: new, display_name: New, entities: [{{entity_id: n, legal_name: New Inc., region_code: US}}]}}\n\
             subprocessors:\n\
             \x20 - {{id: host, display_name: Host, vendor: vendors/{vendor}, listed: true, recorded_as_found: true, {more}}}\n"
        )
    };
    for text in [
        list("old", "purposes: [hosting], annotations: {internal_ticket: PRIV-8}"),
        list(
            "new",
            "purposes: [hosting], annotations: {internal_ticket: PRIV-9}, retention: {kind: FIXED, duration: P30D}, \
             products: [eu], locations: [{region_code: DE, activity: STORAGE}]",
        ),
    ] {
        let file = folder.path().join("acme.yaml");
        std::fs::write(&file, text).expect("written");
        server.ok(&["apply", file.to_str().expect("a path"), "--yes"]);
    }
    let done = server.run(&["diff", "acme", "--base", "1", "-o", "markdown"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.error.starts_with("left out as internal: ") && done.error.ends_with("; -o table shows them\n"),
        "{done:?}"
    );
    assert_eq!(
        done.out,
        "## Changes of the list of sub-processors\n\nFrom revision 1 to revision 2.\n\n### Changed\n\n- **Host**\n  \
         - Legal entity: “Old AG” → “New Inc.”\n  - Country of the entity: “Switzerland” → “United States”\n  \
         - Used for: added “For Europe”\n  - Where data is processed: added “Germany (storage)”\n"
    );
}

#[test]
fn who_reaches_whom_is_shown() {
    let folder = TempDir::new().expect("a folder");
    let server = serve(&folder);
    assert_eq!(
        words(&server.ok(&["trace", "vendors/group"])),
        [
            "ORGANIZATION THROUGH VENDOR RELATION STATE PRODUCTS",
            "organizations/acme hosting big SUBSIDIARY ACTIVE us",
            "hosting > mail big SUBSIDIARY ACTIVE us",
            "organizations/acme: 0 customers concerned",
        ]
    );
    let then = server.ok(&["trace", "vendors/big", "--as-of", "1", "--effective-at", "2020-06-01"]);
    assert_eq!(words(&then).len(), 3, "{then}");
    assert_eq!(server.ok(&["trace", "vendors/big", "--effective-at", "2019-06-01"]), "nobody reaches vendors/big\n");
    let json = server.json(&["trace", "vendors/big"]);
    assert_eq!(json["organizations"][0]["reaches"][1]["chain"].as_array().map(Vec::len), Some(2));
    let chain = server.ok(&["trace", "organizations/acme/subprocessors/mail"]);
    assert!(words(&chain)[2].starts_with("* organizations/acme/subprocessors/mail"), "{chain}");
}

#[test]
fn histories_are_told() {
    let folder = TempDir::new().expect("a folder");
    let server = serve(&folder);
    // Times are the clock's: what is around them is told.
    let told = |line: &[&str]| {
        let text = server.ok(&[&["history"], line].concat());
        words(&text)
            .into_iter()
            .map(|line| line.split(' ').filter(|word| !word.ends_with('Z')).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let steps = told(&["organizations/acme"]);
    assert_eq!(
        steps,
        [
            "revision 1 ops RegistryService/ApplyManifest",
            "+ Hosts | *Inc.* (hosting)",
            "+ Mail (mail)",
            "revision 2 ops RegistryService/ApplyManifest",
            "> Mail GmbH (mail), was Mail",
            "~ Hosts | *Inc.* (hosting): purposes[1]: unset to \"backup\"",
            "~ Hosts | *Inc.* (hosting): listed: unset to \"yes\"",
            "revision 3 ops RegistryService/ApplyManifest",
            "+ Talk (talk)",
        ]
    );
    assert_eq!(told(&["organizations/acme", "--limit", "2"]), steps[3..]);
    assert_eq!(told(&["organizations/acme", "--from", "2", "--to", "2"]), steps[3..7]);
    assert_eq!(told(&["organizations/acme", "--to", "2000-01-01"]), ["organizations/acme: nothing in this range"]);
    // To programs that is a list without entries.
    for (name, list) in [("organizations/acme", "steps"), ("vendors/big", "versions")] {
        let none = server.json(&["history", name, "--to", "2000-01-01"]);
        assert_eq!(none, serde_json::json!({"name": name, list: []}));
    }

    let mail = "organizations/acme/subprocessors/mail";
    let versions = told(&[mail]);
    assert_eq!(versions[0], "REVISION TIME WHO METHOD WHAT FIELD BEFORE AFTER");
    assert!(
        versions[1].starts_with("1 ops RegistryService/ApplyManifest CREATED (") && versions[1].ends_with(" fields)"),
        "{versions:?}"
    );
    assert_eq!(versions[2..], ["2 ops RegistryService/ApplyManifest UPDATED display_name Mail Mail GmbH"]);
    assert!(told(&[mail, "--full"]).len() > versions.len() + 3);
    assert_eq!(told(&[mail, "--from", "2"]).len(), 2);
    // What is deleted and erased has a history, of which the content is gone.
    let chat = "organizations/acme/subprocessors/chat";
    let deleted = told(&[chat]);
    assert_eq!(deleted[2..], ["3 ops RegistryService/ApplyManifest DELETED"]);
    server.ok(&["erase", chat, "--reason", "asked", "--yes"]);
    let erased = told(&[chat]);
    assert_eq!(erased.len(), 4, "{erased:?}");
    assert!(erased[1].ends_with("CREATED (its content was erased)"), "{erased:?}");
    assert!(erased[3].contains("ChangeLogService/ErasePersonalData ERASED"), "{erased:?}");

    let json = server.json(&["history", mail]);
    assert_eq!(json["versions"][1]["field_diffs"][0]["after"], "Mail GmbH");
    let json = server.json(&["history", "organizations/acme"]);
    assert_eq!(json["steps"][2]["diff"]["added"][0]["display_name"], "Talk");
    let unknown = server.run(&["history", "vendors/nobody"]);
    assert!(unknown.code == 1 && unknown.error.contains("has no history"), "{unknown:?}");
    let unknown = server.run(&["history", "organizations/nobody"]);
    assert!(unknown.code == 1 && unknown.error.contains("NOT_FOUND"), "{unknown:?}");
}
