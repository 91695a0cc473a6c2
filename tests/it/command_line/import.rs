//! `import` as its users run it: a page to a manifest to a registry, and back again.

use std::{io::Write as _, process::Stdio};

use super::{Done, Path, Server, TempDir, Value, command, run};
use crate::import::expected::folder;

/// A page of the tests.
fn page(name: &str) -> String {
    folder().join(name).to_str().expect("a path").to_owned()
}

/// A server with the built-in catalog.
fn server(folder: &Path) -> Server {
    Server::start(&["--data-dir", folder.join("data").to_str().expect("a path")])
}

#[track_caller]
fn done(done: &Done) -> &str {
    assert_eq!(done.code, 0, "{done:?}");
    &done.out
}

#[test]
fn a_page_is_imported_reviewed_and_applied() {
    let folder = TempDir::new().expect("a folder");
    let server = server(folder.path());
    let file = folder.path().join("github.yaml");
    let (path, report) = (file.to_str().expect("a path"), folder.path().join("report.json"));
    let import = |more: &[&str]| {
        let page = page("github.md");
        server.run(&[&["import", &page, "--organization", "github", "-o", path][..], more].concat())
    };
    let imported =
        import(&["--report", report.to_str().expect("a path"), "--uri", "https://docs.github.example/subprocessors"]);
    assert_eq!(done(&imported), "", "the manifest went to the file");
    for said in [
        "github.md: Markdown, UTF-8, 7157 bytes",
        "line 25: table of 23 rows, \"Third Party Subprocessors\"",
        "Corporate Location         -> entity_country",
        "rows       30 in, 30 out",
        "by the registry at http://127.0.0.1:",
    ] {
        assert!(imported.error.contains(said), "{said:?} is not in\n{}", imported.error);
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&report).expect("a report")).expect("JSON");
    assert_eq!((&json["rows_in"], &json["rows_out"]), (&Value::from(30), &Value::from(30)));
    assert_eq!(json["vendors"].as_array().map(Vec::len), Some(30));
    assert_eq!(json["parts"][0]["columns"][0]["field"], "name");

    let first = std::fs::read_to_string(&file).expect("a manifest");
    let applied = server.ok(&["apply", path, "--yes"]);
    assert!(applied.contains("applied, revision"), "{applied}");
    assert!(server.ok(&["apply", path, "--yes"]).contains("nothing to change"));
    let row = server.json(&["get", "organizations/github/subprocessors/anthropic-pbc"]);
    assert_eq!((&row["vendor"], &row["sources"][0]["line"]), (&Value::from("vendors/anthropic"), &Value::from(28)));
    let document = server.json(&["get", "organizations/github/documents/subprocessor-list"]);
    assert_eq!(document["uri"], "https://docs.github.example/subprocessors");

    // The same page again changes nothing: rows keep their ids, what it proposed is known now.
    done(&import(&[]));
    assert!(server.ok(&["apply", path, "--yes"]).contains("nothing to change"), "{first}");
}

#[test]
fn what_the_registry_knows_and_the_page_does_not_is_kept() {
    let folder = TempDir::new().expect("a folder");
    let server = server(folder.path());
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.to_str().expect("a path").to_owned()
    };
    let own = write(
        "own.yaml",
        "organization:\n  id: acme\n  display_name: Acme Corporation\n  role: PROCESSOR\n  notice_policy: {notice_days: 30}\n\
         documents:\n  - {id: subprocessor-list, title: Ours, kind: SUBPROCESSOR_LIST, uri: 'https://acme.example/list'}\n\
         vendors:\n  - {id: in-house-mail, display_name: Zeta}\n\
         subprocessors:\n  - {id: mail, display_name: Zeta Mail, vendor: vendors/in-house-mail, recorded_as_found: true, \
         dpa: {status: SIGNED, sign_date: '2024-01-01'}, start_date: '2020-01-01', \
         website_uri: 'https://zeta.example', data_categories: [Addresses], locations: [{region_code: PL}]}\n",
    );
    server.ok(&["apply", &own, "--yes"]);
    let list = write("list.csv", "Subprocessor,Purpose,Country\nZeta Mail,mail,Germany\nStripe,payments,US\n");
    let out = folder.path().join("out.yaml");
    let path = out.to_str().expect("a path");
    done(&server.run(&["import", &list, "--organization", "acme", "--output", path]));
    let plan = server.json(&["apply", path, "--dry-run"]);
    let changed: Vec<&str> =
        plan["plan"].as_array().into_iter().flatten().filter_map(|c| c["resource_name"].as_str()).collect();
    assert_eq!(
        changed,
        [
            "organizations/acme/documents/subprocessor-list",
            "organizations/acme/subprocessors/mail",
            "organizations/acme/subprocessors/stripe"
        ],
        "the organization is as it was: {plan}"
    );
    server.ok(&["apply", path, "--yes"]);
    let row = server.json(&["get", "organizations/acme/subprocessors/mail"]);
    assert_eq!(
        (&row["vendor"], &row["dpa"]["status"], &row["start_date"]),
        (&Value::from("vendors/in-house-mail"), &Value::from("SIGNED"), &Value::from("2020-01-01"))
    );
    assert_eq!(row["purposes"], serde_json::json!(["mail"]));
    assert_eq!(row["locations"][0]["region_code"], "DE", "what the page says");
    assert_eq!(
        (&row["website_uri"], &row["data_categories"]),
        (&Value::from("https://zeta.example"), &serde_json::json!(["Addresses"])),
        "what it does not say"
    );
    assert_eq!(row.get("listed"), None, "nobody said that everybody may see it");
    assert_eq!(server.json(&["get", "organizations/acme/subprocessors/stripe"])["listed"], true);
    assert_eq!(
        server.json(&["get", "organizations/acme/documents/subprocessor-list"])["uri"],
        "https://acme.example/list"
    );
}

#[test]
fn the_manifest_goes_to_standard_output_and_the_report_does_not() {
    let done = run(&[
        "import",
        &page("namesake.md"),
        "--organization",
        "namesake",
        "--offline",
        "--display-name",
        "Namesake Inc.",
    ]);
    assert!(
        done.code == 0 && done.out.starts_with("organization:\n  id: namesake\n  display_name: Namesake Inc.\n"),
        "{done:?}"
    );
    assert!(
        done.error.contains("as told by --offline") && done.error.contains("rows       5 in, 5 out"),
        "{}",
        done.error
    );

    let mut piped = command(&["import", "-", "--organization", "x", "--offline", "--format", "csv"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let bytes = std::fs::read(folder().join("logfire.csv")).expect("a page");
    child.stdin.take().expect("piped").write_all(&bytes).expect("written");
    let done: Done = child.wait_with_output().expect("it ends").into();
    assert!(
        done.code == 0 && done.out.contains("Buttondown, LLC") && done.error.contains("standard input: CSV"),
        "{done:?}"
    );
}

#[test]
fn what_is_refused_writes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (out, report) = (folder.path().join("out.yaml"), folder.path().join("report.json"));
    let files = ["-o", out.to_str().expect("a path"), "--report", report.to_str().expect("a path")];
    let list = page("namesake.md");
    for (line, code, said) in [
        (vec![page("fortrabbit.md")], 1, "no list of subprocessors was found"),
        (vec![folder.path().to_str().expect("a path").to_owned()], 1, "is a directory"),
        (vec![page("no-such-file.md")], 1, "No such file"),
        (vec!["https://a.example/list".into()], 1, "`curl -fsSL https://a.example/list | subprocessor-registry … -`"),
        (
            vec![list.clone(), "--map".into(), "Purpose=zweck".into()],
            2,
            "\"zweck\" is no field; there are: name, purpose",
        ),
        (
            vec![list.clone(), "--map".into(), "Zweck=purpose".into()],
            2,
            "there is no column \"Zweck\"; there are: column 1",
        ),
        (vec![list.clone(), "--map".into(), "purpose".into()], 2, "COLUMN=FIELD"),
        (vec![list.clone(), "--document".into(), "A B".into()], 2, "--document must be 1 to 63 lowercase letters"),
        (vec![list.clone(), "--uri".into(), "x".into()], 2, "--uri must be an absolute"),
        (vec![list.clone(), "--format".into(), "docx".into()], 2, "docx"),
        (vec![list.clone(), "--at".into(), "1".into()], 1, "no list of subprocessors was found"),
    ] {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let done = run(&[&["import", "--organization", "x", "--offline"], &line[..], &files].concat());
        assert!(done.code == code && done.error.contains(said) && done.out.is_empty(), "{line:?}: {done:?}");
    }
    let done = run(&["import", &list, "--organization", "Not An Id", "--offline"]);
    assert!(done.code == 2 && done.error.contains("--organization must be 1 to 63"), "{done:?}");
    // An endpoint that was asked for must answer.
    let done =
        run(&[&["import", &list, "--organization", "x", "--endpoint", "http://127.0.0.1:1"], &files[..]].concat());
    assert!(done.code == 1 && done.error.contains("cannot connect to http://127.0.0.1:1"), "{done:?}");
    // A place that cannot be written to.
    let done = run(&["import", &list, "--organization", "x", "--offline", "-o", "/no/such/folder/out.yaml"]);
    assert!(done.code == 1 && done.error.contains("cannot be written"), "{done:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0, "nothing was written");
}

#[test]
fn the_report_is_no_manifest() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("out");
    let path = file.to_str().expect("a path");
    let round = folder.path().join(".").join("out");
    let page = page("github.md");
    for report in [path, round.to_str().expect("a path")] {
        let done = run(&["import", &page, "--organization", "github", "--offline", "-o", path, "--report", report]);
        assert!(done.code == 2 && done.error.contains("--report"), "{done:?}");
        assert!(!file.exists());
    }
}

#[test]
fn standard_input_is_read_once() {
    for line in [&["resolve", "-", "-f", "-"][..], &["resolve", "-", "-"]] {
        let done = run(line);
        assert!(done.code == 2 && done.error.contains("standard input can be read once"), "{done:?}");
    }
}

#[test]
fn what_stands_in_no_line_is_shown_without_one() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("list.json");
    let entry = |name: &str, vendor: &str| format!(r#"{{"id": "{name}", "name": "{name}"{vendor}}}"#);
    let entries =
        [entry("zorro", r#", "vendor": {"id": "z", "name": "Zorro"}"#), entry("our-freelance-experts", "")].join(", ");
    let list = format!(
        r#"{{"schema_version": "1.0", "organization": {{"id": "a", "name": "A"}}, "date": "2026-01-01", "revision": 1, "subprocessors": [{entries}], "upcoming": [], "links": {{"page": "/a", "json": "/a.json", "csv": "/a.csv", "markdown": "/a.md", "feed": "/f", "history": "/h"}}}}"#
    );
    std::fs::write(&file, list).expect("written");
    let done = run(&["import", file.to_str().expect("a path"), "--organization", "x", "--offline"]);
    assert!(done.code == 0 && !done.error.contains("line 0"), "{done:?}");
    assert!(done.error.contains("\n           \"Zorro\" -> vendors/zorro: "), "{done:?}");
    assert!(done.error.contains("1 proposed, 1 not stated"), "{done:?}");
}
