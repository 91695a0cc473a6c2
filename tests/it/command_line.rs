//! The binary, as its users run it: a server of its own, and every command against it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    plans::fill::connect,
    support::{Backend, Place, empty},
};

mod channels;
mod compare;
mod import;
mod notices;
mod papers;
mod server;

const PATIENCE: Duration = Duration::from_secs(60);
const BINARY: &str = env!("CARGO_BIN_EXE_subprocessor-registry");

/// A command without what the environment of the tests sets.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("SUBPROCESSOR_REGISTRY_")) {
        command.env_remove(key);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a command prints, and its exit code.
#[derive(Debug)]
struct Done {
    code: i32,
    out: String,
    error: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().expect("an exit code"), out: text(output.stdout), error: text(output.stderr) }
    }
}

fn run(arguments: &[&str]) -> Done {
    command(arguments).output().expect("it runs").into()
}

/// Lines that a process prints, as they come.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

/// A process that is killed when the test is done with it.
struct Running(Child);

impl Running {
    fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.0.id().to_string()]).status().expect("kill runs");
        assert!(killed.success());
    }

    /// Waits for it to end by itself.
    fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.0.try_wait().expect("waited") {
                Some(status) => return status.code().expect("an exit code"),
                None => assert!(Instant::now() < deadline, "the process does not end"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in a process of its own.
struct Server {
    process: Running,
    /// What it logged before it listened.
    start: Vec<String>,
    log: Receiver<String>,
    endpoint: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = serve.args(arguments).stderr(Stdio::piped()).spawn().expect("it starts");
        let log = lines(child.stderr.take().expect("piped"));
        let process = Running(child);
        let mut said = Vec::new();
        let address = loop {
            let line = log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not listen: {said:#?}"));
            if let Some((_, rest)) = line.split_once("127.0.0.1:")
                && line.contains("listening")
            {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                break format!("http://127.0.0.1:{port}");
            }
            said.push(line);
        };
        Self { process, start: said, log, endpoint: address }
    }

    fn run(&self, line: &[&str]) -> Done {
        run(&[line, &["--endpoint", &self.endpoint]].concat())
    }

    /// Runs a command that must succeed in silence, and returns what it printed.
    #[track_caller]
    fn ok(&self, line: &[&str]) -> String {
        let done = self.run(line);
        assert_eq!((done.code, done.error.as_str()), (0, ""), "{line:?}: {done:?}");
        done.out
    }

    #[track_caller]
    fn json(&self, line: &[&str]) -> Value {
        let text = self.ok(&[line, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line:?}: {error}: {text}"))
    }

    /// Stops it as an orchestrator does, and returns its exit code and the rest of its log.
    fn stop(mut self) -> (i32, Vec<String>) {
        self.process.signal("-TERM");
        let code = self.process.wait();
        let mut log = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => log.push(line),
                Err(RecvTimeoutError::Disconnected) => return (code, log),
                Err(RecvTimeoutError::Timeout) => panic!("the log does not end"),
            }
        }
    }
}

/// A server on an embedded database, without the catalog.
fn embedded(folder: &Path, more: &[&str]) -> Server {
    let config = folder.join("config.toml");
    std::fs::write(&config, "[catalog]\nload = false\n").expect("written");
    let data = folder.join("data");
    let arguments = ["--config", config.to_str().expect("a path"), "--data-dir", data.to_str().expect("a path")];
    Server::start(&[&arguments[..], more].concat())
}

const MANIFEST: &str = "\
organization:
  id: acme
  display_name: Acme
vendors:
  - id: big
    display_name: Big
    entities:
      - {entity_id: inc, legal_name: 'Big, Inc.', region_code: US}
subprocessors:
  - {id: hosting, display_name: Hosting, vendor: vendors/big, start_date: '2020-01-01', recorded_as_found: true}
  - {id: mail, display_name: Mail, vendor: vendors/big, engaged_by: organizations/acme/subprocessors/hosting}
";

#[test]
fn a_list_is_kept_by_manifests() {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let file = folder.path().join("acme.yaml");
    let path = file.to_str().expect("a path");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    assert_eq!(server.ok(&["health"]), "SERVING\n");

    write(MANIFEST);
    // There is nobody to ask here: what is not confirmed is not done.
    let done = server.run(&["apply", path]);
    assert!(done.code == 2 && done.error.contains("--yes"), "{done:?}");
    assert!(done.out.contains("4 to create, 0 to update, 0 to delete"), "{}", done.out);
    // Nor is somebody asked to agree to what was not shown: where programs read standard output, standard error shows it.
    let done = server.run(&["apply", path, "-o", "json"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""), "{done:?}");
    assert!(done.error.contains("4 to create, 0 to update, 0 to delete"), "{done:?}");
    let plan = server.ok(&["apply", path, "--dry-run"]);
    assert!(plan.starts_with("ACTION") && plan.contains("organizations/acme/subprocessors/mail"), "{plan}");
    assert!(server.ok(&["apply", path, "--yes"]).ends_with(&format!("{path}: applied, revision 1\n")));
    assert_eq!(server.ok(&["apply", path, "--yes"]), format!("{path}: nothing to change (revision 1)\n"));

    // One changed, one gone: gone only if asked to prune.
    let fewer = MANIFEST.replace("display_name: Hosting", "display_name: Hosts");
    let fewer = fewer.lines().filter(|line| !line.contains("id: mail")).collect::<Vec<_>>().join("\n");
    write(&fewer);
    let plan = server.ok(&["apply", path, "--dry-run"]);
    assert!(plan.contains("0 to create, 1 to update, 0 to delete"), "{plan}");
    assert!(plan.contains("display_name") && plan.contains("Hosting") && plan.contains("Hosts"), "{plan}");
    let pruned = server.ok(&["apply", path, "--yes", "--prune"]);
    assert!(pruned.contains("0 to create, 1 to update, 1 to delete"), "{pruned}");

    // What is exported says the same.
    let exported = server.ok(&["export", "acme"]);
    write(&exported);
    assert_eq!(server.ok(&["apply", path, "--yes", "--prune"]), format!("{path}: nothing to change (revision 2)\n"));
    let old = server.ok(&["export", "organizations/acme", "--as-of", "1", "-o", "json"]);
    let old: Value = serde_json::from_str(&old).expect("JSON");
    assert_eq!(old["subprocessors"].as_array().map(Vec::len), Some(2), "{old:#}");

    // Every error at once, as editors read them.
    write(
        "organization:\n  id: acme\n  nonsense: 1\nsubprocessors:\n  - id: UPPER\n    display_name: X\n    state: NOPE\n",
    );
    let done = server.run(&["apply", path, "--yes"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    let wrong: Vec<&str> = done.error.lines().collect();
    assert!(wrong.len() >= 3, "{wrong:#?}");
    for (line, what) in [(3, "nonsense"), (5, "id"), (7, "state")] {
        let start = format!("{path}:{line}: ");
        assert!(wrong.iter().any(|text| text.starts_with(&start) && text.contains(what)), "{start}{what}: {wrong:#?}");
    }
    let done = server.run(&["apply", "/nowhere/at/all.yaml", "--yes"]);
    assert!(done.code == 1 && done.error.contains("/nowhere/at/all.yaml: No such file"), "{done:?}");
    let schema: Value = serde_json::from_str(&server.ok(&["schema"])).expect("JSON");
    assert!(schema["properties"]["subprocessors"].is_object(), "{schema:#}");
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_state_that_was_reached_is_exported_as_found_if_asked() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("acme.yaml");
    let path = file.to_str().expect("a path");
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    for path in [&first, &second] {
        std::fs::create_dir(path).expect("made");
    }
    let server = embedded(&first, &[]);
    std::fs::write(&file, MANIFEST).expect("written");
    server.ok(&["apply", path, "--yes"]);
    assert_eq!(server.run(&["export", "acme"]).error, "", "what is proposed is what a new registry makes of it");
    let mail = "organizations/acme/subprocessors/mail";
    server.ok(&["activate", mail]);
    // Here it applies to the same state; elsewhere it would not, and that is said.
    let plain = server.run(&["export", "acme"]);
    assert_eq!((plain.code, plain.error.lines().count()), (0, 1), "{plain:?}");
    assert!(plain.error.contains("1 subprocessor") && plain.error.contains("--as-found"), "{plain:?}");
    let (found, json) = (server.ok(&["export", "acme", "--as-found"]), server.json(&["export", "acme", "--as-found"]));
    assert!(found.contains("recorded_as_found: true") && found.contains("state: ACTIVE"), "{found}");
    let other = embedded(&second, &[]);
    std::fs::write(&file, &found).expect("written");
    other.ok(&["apply", path, "--yes"]);
    assert_eq!(other.json(&["get", mail])["state"], "ACTIVE");
    assert_eq!(other.json(&["export", "acme"]), json, "it needs no telling twice");
    assert_eq!(other.run(&["export", "acme"]).error, "");
}

#[test]
fn resources_are_shown_and_moved_through_their_lives() {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let mut apply = command(&["apply", "-", "--yes", "--endpoint", &server.endpoint]);
    let mut apply = apply.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    apply.stdin.take().expect("piped").write_all(MANIFEST.as_bytes()).expect("written");
    assert!(apply.wait().expect("it ends").success());
    let (list, mail) = ("organizations/acme/subprocessors", "organizations/acme/subprocessors/mail");

    let shown = server.ok(&["get", "vendors/big"]);
    assert!(
        shown.starts_with("FIELD") && shown.contains("entities[0].legal_name") && shown.contains("Big, Inc."),
        "{shown}"
    );
    assert_eq!(server.json(&["get", "vendors/big"])["display_name"], "Big");
    assert!(server.ok(&["get", "vendors/big", "-o", "yaml"]).contains("display_name: Big\n"));
    let table = server.ok(&["list", list, "--order-by", "display_name desc"]);
    let first: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first, ["NAME", mail, "organizations/acme/subprocessors/hosting"], "{table}");
    let ids = |arguments: &[&str]| {
        let answer = server.json(arguments);
        let items = answer["subprocessors"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["display_name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["list", list, "--filter", "state = PROPOSED"]), ["Mail"]);
    assert_eq!(ids(&["list", "organizations/-/subprocessors", "--effective-at", "2021-01-01"]), ["Hosting"]);

    let activated = server.ok(&["activate", mail]);
    assert!(activated.starts_with(&format!("{mail}: ACTIVE, revision 2\n")), "{activated}");
    assert_eq!(ids(&["list", list, "--filter", "state = ACTIVE", "--as-of", "1"]), ["Hosting"]);
    assert_eq!(ids(&["list", list, "--filter", "state = ACTIVE"]), ["Hosting", "Mail"]);
    assert_eq!(server.ok(&["suspend", mail, "--dry-run"]), format!("{mail}: would be SUSPENDED\n"));
    assert!(server.ok(&["suspend", mail]).contains(": SUSPENDED, revision 3"));
    assert!(server.ok(&["retire", mail]).contains(": RETIRED, revision 4"));
    let done = server.run(&["activate", mail]);
    assert_eq!(done.code, 1);
    assert!(done.error.starts_with("error: FAILED_PRECONDITION (STATE_TRANSITION_REFUSED): "), "{done:?}");
    let chain = server.ok(&["trace", mail]);
    let chain: Vec<&str> = chain.lines().skip(1).collect();
    assert!(chain[0].starts_with("organizations/acme/subprocessors/hosting"), "{chain:?}");
    assert!(chain[1].starts_with(&format!("  * {mail}")), "{chain:?}");

    assert!(server.ok(&["erase", mail, "--reason", "asked", "--dry-run"]).contains("would erase 3 versions"));
    // It cannot be undone: nothing happens until it is confirmed.
    let unasked = server.run(&["erase", mail, "--reason", "asked"]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.error.starts_with(&format!("{mail}: would erase 3 versions\n")), "{unasked:?}");
    assert!(unasked.error.contains("there is no terminal to confirm on: use --yes to erase"), "{unasked:?}");
    assert!(unasked.out.is_empty() && server.ok(&["list", "revisions"]).lines().count() == 5, "{unasked:?}");
    let both = server.run(&["erase", mail, "--reason", "asked", "--yes", "--dry-run"]);
    assert_eq!(both.code, 2, "{both:?}");
    let erased = server.ok(&["erase", mail, "--reason", "asked", "--yes"]);
    assert_eq!(erased, format!("{mail}: erased 3 versions, revision 5\nthe current version was kept: it is live\n"));
    let done = server.run(&["get", mail, "--as-of", "2"]);
    assert!(done.code == 1 && done.error.starts_with("error: NOT_FOUND (RESOURCE_ERASED)"), "{done:?}");
    let revisions = server.ok(&["list", "revisions", "--order-by", "number desc", "--limit", "1"]);
    assert!(revisions.lines().nth(1).is_some_and(|line| line.contains("ErasePersonalData")), "{revisions}");
    let named = server.run(&["erase", mail, "--reason", "x", "--principal", "a b"]);
    assert_eq!(named.code, 1, "{named:?}");
    for (line, code) in [
        (vec!["get", "vendors/none"], 1),
        (vec!["list", list, "--filter", "nothing = 1"], 1),
        (vec!["get", "nonsense"], 2),
        (vec!["list", "nonsense"], 2),
    ] {
        let done = server.run(&line);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.error.starts_with("error: ") && done.out.is_empty(), "{done:?}");
    }
    assert!(server.ok(&["verify"]).starts_with("verified: revisions 1 to 5, "));
    assert!(server.ok(&["verify", "--from", "5"]).starts_with("verified: revision 5, 1 change\n"));
    for range in [["--from", "3", "--to", "2"], ["--from", "6", "--to", "0"], ["--from", "9", "--to", "9"]] {
        let done = server.run(&[&["verify"][..], &range].concat());
        assert_eq!(done.code, 1, "{done:?}");
        let says = "error: INVALID_ARGUMENT (FIELD_INVALID): from_revision: must not be after ";
        assert!(done.error.starts_with(says) && done.error.lines().count() == 1, "{done:?}");
    }

    // The organization has had one version only, and that is live.
    let again = server.ok(&["erase", "organizations/acme", "--reason", "asked"]);
    assert!(again.contains("nothing erased: the current version still holds its content; remove"), "{again}");
    let stale = server.run(&["delete", mail, "--etag", "stale"]);
    assert!(stale.code == 1 && stale.error.contains("ETAG_STALE"), "{stale:?}");
    assert_eq!(server.ok(&["delete", mail, "--dry-run"]), format!("{mail}: would be deleted\n"));
    assert_eq!(server.ok(&["delete", mail]), format!("{mail}: deleted, revision 6\n"));
    assert_eq!(server.ok(&["undelete", mail]), format!("{mail}: undeleted, revision 7\n"));
    assert_eq!(server.json(&["delete", mail])["name"], mail);
    assert_eq!(
        server.ok(&["erase", mail, "--reason", "asked", "--dry-run"]),
        format!("{mail}: would erase 4 versions\n")
    );
}

#[test]
fn the_server_is_named_before_the_command_or_by_the_environment() {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (here, nowhere, path) = (server.endpoint.as_str(), "http://127.0.0.1:1", place("acme.yaml"));
    std::fs::write(&path, MANIFEST).expect("written");
    let by = |endpoint: &str, line: &[&str]| -> Done {
        let mut command = command(line);
        command.env("SUBPROCESSOR_REGISTRY_ENDPOINT", endpoint).env("SUBPROCESSOR_REGISTRY_PRINCIPAL", "eve");
        command.output().expect("it runs").into()
    };
    let mail = "organizations/acme/subprocessors/mail";
    let list = place("list.csv");
    std::fs::write(&list, "Subprocessor,Purpose,Location\nTwilio Inc.,e-mail,US\nZorro Hosting GmbH,backups,Germany\n")
        .expect("written");
    for (done, code) in [
        (run(&["--endpoint", here, "--principal", "ann", "apply", &path, "--yes"]), 0),
        (by(here, &["delete", mail]), 0),
        (by(here, &["health"]), 0),
        (by(nowhere, &["health"]), 1),
        (by(nowhere, &["list", "vendors"]), 1),
        // The command line is stronger, wherever it says so.
        (by(nowhere, &["health", "--endpoint", here]), 0),
        (by(nowhere, &["--endpoint", here, "list", "vendors"]), 0),
        (by(here, &["list", "vendors", "--endpoint", nowhere]), 1),
        (by(nowhere, &["import", &list, "--organization", "x"]), 1),
        (by(nowhere, &["import", &list, "--organization", "x", "--offline"]), 0),
        // They are no settings of a server.
        (by(nowhere, &["migrate", "--data-dir", &place("other")]), 0),
    ] {
        assert_eq!(done.code, code, "{done:?}");
    }
    let deeper = by(nowhere, &["--endpoint", here, "notice", "status", "organizations/acme/notices/none"]);
    assert!(deeper.error.contains("NOT_FOUND"), "{deeper:?}");
    let revisions = server.json(&["list", "revisions", "--order-by", "number desc"]).to_string();
    let (eve, ann) = (revisions.find("\"eve\"").expect("eve"), revisions.find("\"ann\"").expect("ann"));
    assert!(eve < ann, "{revisions}");
}
