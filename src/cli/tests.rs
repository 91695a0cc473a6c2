use std::sync::{Arc, Mutex};

use super::*;
use crate::proto::v1::as_of;

mod fake;
mod notices;

/// What a command prints, kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A pipe that nobody reads.
struct ClosedPipe;

impl std::io::Write for ClosedPipe {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn run(line: &str) -> (u8, String) {
    let kept = Kept::default();
    let arguments = std::iter::once("subprocessor-registry").chain(line.split_whitespace());
    let code = execute(arguments.map(OsString::from), &mut Out::to(kept.clone()));
    let text = String::from_utf8(kept.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    (code, text)
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
    assert!(Cli::command().render_long_help().to_string().contains("Exit codes:"));
}

#[test]
fn what_cannot_be_understood_is_usage() {
    for line in [
        "",
        "nothing",
        "list",
        "list nothings",
        "list acme/vendors",
        "get aws",
        "delete aws",
        "delete revisions/1",
        "undelete revisions/1",
        "get nothings/a",
        "get vendors/aws --as-of yesterday",
        "list vendors/aws",
        "list certifications",
        "get vendors",
        "list transfers --effective-at today",
        "assess a --date 2026-02-30",
        "diff a --base-day 1",
        "simulate i --date soon",
        "page preview a --date x",
        "get revisions/1 --as-of 3",
        "list revisions --as-of 3",
        "list revisions --show-deleted",
        "list vendors --effective-at 2026-01-01",
        "list vendors --page-size 0",
        "list vendors --endpoint here",
        "list vendors --endpoint https://localhost:1",
        "list vendors --endpoint http://",
        "list vendors --endpoint http://127.0.0.1:99999",
        "list vendors --endpoint http://127.0.0.1:1/registry",
        "apply",
        "apply x --override-reason y",
        "apply x --yes --dry-run",
        "verify --expected 7",
        "watch --after-hash 00",
        "erase customers/x",
        "trace a",
        "trace organizations/a",
        "trace organizations/a/subprocessors/b --effective-at 2026-01-01",
        "diff a",
        "diff a --target 3",
        "diff a --base yesterday",
        "diff a --base 1 -o html",
        "history a",
        "history revisions/1",
        "history vendors/a --limit 0",
        "history vendors/a --from then",
        "resolve",
        "resolve a --max-matches 0",
        "resolve a --max-matches 21",
        "resolve a --as-of yesterday",
        "resolve --file",
        "export a -o table",
        "completions cobol",
        "serve --listen nowhere",
        "serve --listen 0.0.0.0:1",
        "serve --config /nowhere/at/all.toml",
        "migrate --database-url mysql://x",
        "health --endpoint here",
    ] {
        assert_eq!(run(line).0, 2, "{line}");
    }
}

/// What clap says of a command line that it refuses.
fn usage(line: &str) -> String {
    let arguments = std::iter::once("subprocessor-registry").chain(line.split_whitespace());
    Cli::try_parse_from(arguments).expect_err("refused").to_string()
}

#[test]
fn what_is_missing_is_named_with_all_that_would_do() {
    for (line, named) in [
        ("subscriptions add acme", "<--webhook <URL>|--email <ADDRESS>>"),
        ("diff acme", "<--base <R|TIME>|--base-day <DATE>>"),
        ("diff acme --base-day 2026-02-30", "--base-day <DATE>': must be an ISO 8601 date such as 2026-01-31"),
        ("findings --within x", "--within <DAYS>"),
    ] {
        let said = usage(line);
        assert!(said.contains(named), "{line}: {said}");
    }
}

#[test]
fn without_a_server_calls_fail() {
    // Port 1 of the loopback address is nobody's.
    for (command, code) in [
        ("list vendors", 1),
        ("get vendors/a", 1),
        ("delete vendors/a", 1),
        ("undelete vendors/a", 1),
        ("export a", 1),
        ("schema", 1),
        ("watch", 1),
        ("verify", 1),
        ("erase vendors/a --reason x", 1),
        ("activate a", 1),
        ("suspend a", 1),
        ("retire a", 1),
        ("trace organizations/a/subprocessors/b", 1),
        ("trace vendors/a", 1),
        ("diff a --base 1", 1),
        ("history vendors/a", 1),
        ("history organizations/a --from 2026-01-01 --limit 3", 1),
        ("resolve a", 1),
        ("resolve --file /nowhere/at/all", 1),
        ("health", 1),
    ] {
        assert_eq!(run(&format!("{command} --endpoint http://127.0.0.1:1")).0, code, "{command}");
    }
}

#[test]
fn what_needs_no_server_is_printed() {
    assert_eq!(run("config"), (0, crate::config::DEFAULTS.to_owned()));
    assert_eq!(run("version"), (0, format!("subprocessor-registry {}\n", env!("CARGO_PKG_VERSION"))));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = run(&format!("completions {shell}"));
        assert!(code == 0 && script.contains("health"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man1");
    assert_eq!(run(&format!("man {}", pages.display())), (0, String::new()));
    let commands = Cli::command();
    let written = commands.get_subcommands().map(|command| format!("subprocessor-registry-{}", command.get_name()));
    let deeper = ["subprocessor-registry", "subprocessor-registry-notice-publish"].map(str::to_owned);
    for name in written.chain(deeper) {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap_or_else(|_| panic!("{name}.1"));
        assert!(page.contains(&format!(".TH {name} 1")) && page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
    for path in ["/dev/null/man", "/dev/null"] {
        assert_eq!(said(&format!("subprocessor-registry man {path}")), format!("error: {path} is no directory\n"));
    }
    assert_eq!(run("--help").0, 0);
    assert_eq!(run("--version").0, 0);
    assert_eq!(run("list --help").0, 0);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for line in ["config", "version", "completions bash"] {
        let arguments = std::iter::once("subprocessor-registry").chain(line.split_whitespace());
        assert_eq!(execute(arguments.map(OsString::from), &mut Out::to(ClosedPipe)), 0, "{line}");
    }
}

#[test]
fn tables_are_columns_without_what_drives_a_terminal() {
    let kept = Kept::default();
    let mut out = Out::to(kept.clone());
    let headings = ["NAME", "VALUE"].map(ToOwned::to_owned);
    out.table(&headings, vec![vec!["a".into(), "1\n2\u{1b}[0m".into()], vec!["long name".into()]]).expect("printed");
    let text = String::from_utf8(kept.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    assert_eq!(text, "NAME       VALUE\na          1 2 [0m\nlong name\n");
}

/// What a command that fails says.
fn said(line: &str) -> String {
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("a command");
    dispatch(cli.command, &mut Out::to(Kept::default())).expect_err("refused").text()
}

#[test]
fn where_nobody_listens_is_said_with_what_to_do() {
    for command in ["list vendors", "watch", "page preview a", "health"] {
        let text = said(&format!("subprocessor-registry {command} --endpoint http://127.0.0.1:1"));
        assert_eq!(
            text,
            "error: cannot connect to http://127.0.0.1:1: nothing listens there; `subprocessor-registry serve` starts a \
             server, --endpoint names one\n"
        );
    }
}

fn against(server: &fake::Running, line: &str) -> (u8, String) {
    run(&format!("{line} --endpoint {}", server.endpoint))
}

#[test]
fn lists_follow_all_pages() {
    let server = fake::Running::start();
    let (code, text) = against(&server, "list vendors");
    assert_eq!(code, 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + fake::VENDORS);
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
        "NAME DISPLAY NAME LEGAL ENTITIES COUNTRIES ORIGIN"
    );
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>().join(" "),
        "vendors/v0 Vendor 0 Example, Inc. US CATALOG"
    );
    assert_eq!(server.seen().lists.len(), 3);

    let (code, text) =
        against(&server, "list vendors -o json --limit 5 --page-size 3 --filter x --as-of 2 --show-deleted");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, value["vendors"].as_array().map(Vec::len)), (0, Some(5)));
    assert_eq!(value["vendors"][4]["name"], "vendors/v4");
    assert!(value.get("next_page_token").is_none());
    let last = server.seen().lists.pop().expect("a list");
    assert_eq!((last.filter.as_str(), last.show_deleted, last.page_token.as_str()), ("x", true, "3"));
    assert_eq!(last.as_of.and_then(|as_of| as_of.point), Some(crate::proto::v1::as_of::Point::Revision(2)));
}

#[test]
fn a_resource_is_shown_field_by_field_or_as_json() {
    let server = fake::Running::start();
    let (code, text) = against(&server, "get vendors/v7");
    assert_eq!(code, 0);
    assert!(text.contains("entities[0].legal_name") && text.contains("Example, Inc."), "{text}");
    let (code, text) = against(&server, "get vendors/v7 -o json --as-of 2026-03-23");
    assert_eq!((code, text.contains("\"display_name\": \"Vendor 7\"")), (0, true), "{text}");
    assert!(server.seen().gets.pop().is_some_and(|get| get.as_of.is_some()));
    assert_eq!(against(&server, "get vendors/nobody").0, 1);
    assert_eq!(against(&server, "get vendors/v7 --principal ops").0, 0);
    assert_eq!(server.seen().principals, ["anonymous", "anonymous", "anonymous", "ops"]);
}

#[test]
fn an_endpoint_that_does_not_speak_grpc_is_said_to_be_one() {
    for answer in ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH_9.0\r\n"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
                // Until the other side gives up.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
        for command in ["list vendors", "watch", "health", "page preview a"] {
            let text = said(&format!("subprocessor-registry {command} --endpoint {endpoint}"));
            assert!(text.contains("does not speak gRPC"), "{command}: {text}");
        }
    }
}

#[test]
fn calls_are_tried_again_while_the_server_is_unavailable_but_not_for_ever() {
    let server = fake::Running::start();
    server.be_unavailable(2);
    assert_eq!(against(&server, "schema"), (0, "{}\n".to_owned()));
    server.be_unavailable(100);
    assert_eq!(against(&server, "schema").0, 1);
}

#[test]
fn a_manifest_is_planned_first_and_applied_only_when_confirmed() {
    let server = fake::Running::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, name).expect("a file");
        path.display().to_string()
    };
    let (good, same, bad) = (file("good"), file("same"), file("bad"));

    // Tests have no terminal: so nothing is applied without --yes.
    let (code, text) = against(&server, &format!("apply {good}"));
    assert_eq!(code, 2);
    assert!(text.contains("update") && text.contains("display_name") && text.contains("1 to update"), "{text}");
    assert!(server.seen().applied.iter().all(|request| request.validate_only));

    let (code, text) = against(&server, &format!("apply {good} --dry-run"));
    assert_eq!((code, text.contains("applied")), (0, false));
    assert!(server.seen().applied.iter().all(|request| request.validate_only));

    let flags = "--yes --prune";
    let (code, text) = against(&server, &format!("apply {good} {same} {flags}"));
    assert_eq!(code, 0);
    assert!(text.contains("good: applied, revision 4"), "{text}");
    assert!(text.contains("same: nothing to change (revision 3)"), "{text}");
    let written: Vec<_> = server.seen().applied.into_iter().filter(|request| !request.validate_only).collect();
    assert_eq!(written.len(), 1);
    assert!(written[0].prune && !written[0].request_id.is_empty());

    assert_eq!(against(&server, &format!("apply {bad} {good} --yes")).0, 1);
    assert_eq!(server.seen().applied.len(), 6, "what follows a bad manifest is not looked at");
    assert_eq!(against(&server, "apply /nowhere/at/all").0, 1);
    std::fs::write(directory.path().join("latin"), b"display_name: M\xfcller").expect("a file");
    let latin = directory.path().join("latin").display().to_string();
    let cli = Cli::try_parse_from(["x", "apply", &latin, "--endpoint", &server.endpoint]).expect("a command");
    let failure = dispatch(cli.command, &mut Out::to(Kept::default())).expect_err("refused");
    assert!(
        matches!(&failure, Failure::Failed(text) if text.ends_with("is not UTF-8; save it as UTF-8")),
        "{failure:?}"
    );
    let (code, text) = against(&server, &format!("apply {good} --yes -o json"));
    assert_eq!((code, text.lines().count(), text.contains("\"revision\":4")), (0, 1, true), "{text}");
}

#[test]
fn an_organization_is_exported_by_name_or_id() {
    let server = fake::Running::start();
    assert_eq!(against(&server, "export acme"), (0, "organizations/acme in format 1\n".to_owned()));
    assert_eq!(
        against(&server, "export organizations/acme -o json"),
        (0, "organizations/acme in format 2\n".to_owned())
    );
}

#[test]
fn names_are_resolved_from_arguments_and_files() {
    let server = fake::Running::start();
    let (code, text) = against(&server, "resolve Vendor0 xyz");
    assert_eq!(code, 0, "{text}");
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "NAME VENDOR ENTITY OR SERVICE SCORE WHY",
            "Vendor0 vendors/v0 inc 0.93 It is like it. (Vendor 0, Inc.)",
            "xyz -",
            "2 names: 1 resolved, 0 unsure, 1 unknown"
        ]
    );
    let asked = server.seen().resolved.pop().expect("asked");
    assert_eq!((asked.max_matches, asked.as_of), (1, None));
    let (code, text) = against(&server, "resolve Vendor0 -o json --max-matches 7 --as-of 3");
    assert_eq!(code, 0);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["results"][0]["matches"][0]["via"], "LEGAL_NAME");
    let asked = server.seen().resolved.pop().expect("asked");
    assert_eq!((asked.max_matches, asked.as_of.is_some()), (7, true));

    // Many names go in several calls, all of one revision, and a refused one is named by its line.
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("names");
    let names: Vec<String> = (0..2_500).map(|n| format!("name {n}\r\n\n")).collect();
    std::fs::write(&file, format!("\u{feff}{}", names.concat())).expect("a file");
    let (code, text) = against(&server, &format!("resolve --file {} -o json", file.display()));
    assert_eq!(code, 0);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["results"].as_array().map(Vec::len), Some(2_500));
    assert_eq!(value["results"][0]["name"], "name 0");
    let asked = server.seen().resolved.split_off(2);
    assert_eq!(asked.iter().map(|request| request.names.len()).collect::<Vec<_>>(), [1_000, 1_000, 500]);
    assert!(asked[0].as_of.is_none() && asked[1].as_of == asked[2].as_of);
    assert_eq!(asked[2].as_of.and_then(|as_of| as_of.point), Some(as_of::Point::Revision(9)));
    std::fs::write(&file, "fine\n\nbad\n").expect("a file");
    assert_eq!(against(&server, &format!("resolve --file {}", file.display())).0, 1);
    std::fs::write(&file, "\n").expect("a file");
    assert_eq!(against(&server, &format!("resolve --file {}", file.display())).0, 2);
}

#[test]
fn a_log_that_does_not_verify_exits_with_3() {
    let server = fake::Running::start();
    let hash = "ab".repeat(32);
    let (code, text) = against(&server, "verify");
    assert_eq!((code, text.contains(&format!("3:{hash}"))), (0, true), "{text}");
    for format in ["table", "json", "yaml"] {
        let (code, text) = against(&server, &format!("verify --expected 2:{hash} -o {format}"));
        assert_eq!((code, text.contains("EXPECTED_HASH_MISMATCH")), (3, true), "{text}");
    }
}

#[test]
fn a_watch_resumes_where_it_was_and_ends_with_what_cannot_be_resumed() {
    let server = fake::Running::start();
    let (code, text) = against(&server, "watch organizations/a --after-revision 4 --type vendors");
    assert_eq!(code, 1);
    assert_eq!(text, "5    ops  CREATED  vendors/a\n7    ops  CREATED  vendors/a\n");
    let watches = server.seen().watches;
    assert_eq!(watches.iter().map(|w| w.after_revision).collect::<Vec<_>>(), [Some(4), Some(6), Some(8)]);
    assert_eq!(watches[1].after_hash, [5; 32]);
    assert!(watches.iter().all(|w| w.parent == "organizations/a" && w.resource_types == ["vendors"]));

    let server = fake::Running::start();
    let (_, text) = against(&server, "watch -o json");
    assert_eq!(text.lines().count(), 4, "revisions and checkpoints, one a line: {text}");
    assert_eq!(server.seen().watches[0].after_revision, None);
}

#[test]
fn an_erasure_says_what_it_did() {
    let server = fake::Running::start();
    let (code, text) = against(&server, "erase organizations/a/customers/b --reason request-7 --yes");
    assert_eq!(code, 0);
    assert!(text.starts_with("organizations/a/customers/b: erased 2 versions, revision 4\n"), "{text}");
    let erased = server.seen().erased;
    assert!(!erased[0].validate_only && !erased[0].request_id.is_empty() && erased[0].reason == "request-7");
    assert_eq!(against(&server, "erase organizations/a --reason x --dry-run").0, 0);
    assert!(server.seen().erased[1].validate_only);
    // There is nobody to ask: it is found out what would be erased, and no more.
    assert_eq!(against(&server, "erase organizations/a --reason x").0, 2);
    let erased = server.seen().erased;
    assert!(erased.len() == 3 && erased[2].validate_only, "{erased:?}");
}

#[test]
fn a_healthy_server_is_serving() {
    let server = fake::Running::start();
    assert_eq!(against(&server, "health"), (0, "SERVING\n".to_owned()));
    let service = "subprocessor.registry.v1.VendorService";
    assert_eq!(against(&server, &format!("health --service {service}")).0, 0);
    let text = said(&format!("subprocessor-registry health --service nothing --endpoint {}", server.endpoint));
    assert!(text.contains("there is no service nothing: name readiness, liveness, or one in full"), "{text}");
}
