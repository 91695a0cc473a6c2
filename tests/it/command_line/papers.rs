//! `paper`, `timeline` and `page`, against a server on an embedded database.

use tempfile::TempDir;

use super::{Server, run};

const MANIFEST: &str = include_str!("../../data/papers/acme.yaml");

#[test]
fn papers_and_pictures_are_written() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let server = Server::start(&["--data-dir", &place("data")]);
    std::fs::write(place("acme.yaml"), MANIFEST).expect("written");
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);

    let annex = server.ok(&["paper", "annex-iii", "acme", "--date", "2022-02-01"]);
    assert!(annex.starts_with("# Annex III") && annex.contains("- **Day:** 2022-02-01"), "{annex}");
    assert!(annex.contains("### 2. Mailer") && !annex.contains("Analyst"), "{annex}");
    for (kind, title) in [("annex-iv", "# Annex IV"), ("record", "# Record of processing"), ("notice", "# Recipients")]
    {
        assert!(server.ok(&["paper", kind, "organizations/acme"]).starts_with(title), "{kind}");
    }
    let one = server.ok(&["paper", "record", "acme", "--customer", "buyer", "--format", "csv"]);
    assert!(one.contains("organizations/acme/customers/buyer") && !one.contains("US Buyer"), "{one}");
    let json = server.ok(&["paper", "notice", "acme", "--format", "json", "--as-of", "2"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["revision"], 2);
    let page = place("record.html");
    assert_eq!(server.ok(&["paper", "record", "acme", "--format", "html", "--output", &page]), "");
    assert!(std::fs::read_to_string(&page).expect("written").starts_with("<!doctype html>"));

    let picture = place("acme.svg");
    assert_eq!(server.ok(&["timeline", "acme", "--from", "2020-01-01", "--to", "2030-12-31", "-o", &picture]), "");
    let svg = std::fs::read_to_string(&picture).expect("written");
    assert!(svg.starts_with("<svg ") && svg.contains("Acme → Mailer") && svg.contains("Acme → Analyst"), "{svg}");
    // With a filter nothing is derived.
    let filtered = server.ok(&["timeline", "acme", "--filter", "regime = EU_GDPR"]);
    assert!(filtered.contains("Acme → Mailer") && !filtered.contains("Acme → Analyst"), "{filtered}");

    assert_eq!(run(&["paper", "poem", "acme"]).code, 2);
    let refused = server.run(&["paper", "record", "acme", "--customer", "nobody"]);
    assert!(
        refused.code == 1 && refused.error.contains("organizations/acme/customers/nobody does not exist"),
        "{refused:?}"
    );
    let refused = server.run(&["timeline", "acme", "--from", "2020-01-01", "--to", "2019-01-01"]);
    assert!(refused.code == 1 && refused.error.contains("to_date"), "{refused:?}");
}

#[test]
fn a_page_is_previewed_and_where_there_is_none_it_is_said_why() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let server = Server::start(&["--data-dir", &place("data")]);
    std::fs::write(place("acme.yaml"), MANIFEST).expect("written");
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);

    let shown = server.ok(&["page", "preview", "acme", "--date", "2022-02-01"]);
    assert!(shown.starts_with("<!doctype html>") && shown.contains("<style>"), "{shown}");
    for (line, why) in [
        (vec!["nobody"], "error: organizations/nobody does not exist\n"),
        (vec!["acme", "--as-of", "99"], "error: revision 99 is in the future: the newest is 2\n"),
    ] {
        let refused = server.run(&[&["page", "preview"], &line[..]].concat());
        assert_eq!((refused.code, refused.error.as_str()), (1, why), "{line:?}");
    }
    let refused = server.run(&["page", "preview", "vendors/big"]);
    assert!(refused.code == 2 && refused.error.contains("vendors/big is no organization"), "{refused:?}");
}
