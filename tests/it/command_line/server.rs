//! The server's own commands: how it starts, how it refuses to, and how it ends.

use super::*;

#[test]
fn the_examples_are_served_and_the_server_drains_on_sigterm() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a path");
    let server = Server::start(&["--data-dir", data, "--with-examples"]);
    assert_eq!(server.ok(&["health", "--service", "subprocessor.registry.v1.VendorService"]), "SERVING\n");
    let organizations = server.json(&["list", "organizations"]);
    assert_eq!(organizations["organizations"].as_array().map(Vec::len), Some(5));
    assert!(server.ok(&["get", "vendors/aws"]).contains("Amazon Web Services"));
    // Who follows is told, and the server does not wait for it longer than for calls.
    let mut watch = command(&["watch", "--endpoint", &server.endpoint, "-o", "json", "--after-revision", "5"]);
    let mut watch = Running(watch.stdout(Stdio::piped()).spawn().expect("it starts"));
    let seen = lines(watch.0.stdout.take().expect("piped"));
    let first: Value = serde_json::from_str(&seen.recv_timeout(PATIENCE).expect("a line")).expect("JSON");
    assert_eq!(first["revision"]["number"], 6, "{first}");
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log:#?}");
    assert!(
        log.iter().any(|line| line.contains("SIGTERM")) && log.iter().any(|line| line.contains("stopped")),
        "{log:#?}"
    );

    // What was served once is there again, and is not loaded twice.
    let server = Server::start(&["--data-dir", data, "--with-examples"]);
    assert!(server.ok(&["verify"]).starts_with("verified: revisions 1 to 6, "));
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_watch_goes_on_when_the_server_comes_back() {
    watch_over(|server| assert_eq!(server.stop().0, 0));
}

#[test]
fn a_watch_goes_on_after_a_crash() {
    watch_over(drop);
}

/// Watches while a server ends and another comes in its place.
fn watch_over(end: fn(Server)) {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let endpoint = server.endpoint.clone();
    let address = endpoint.trim_start_matches("http://").to_owned();
    let mut watch = command(&["watch", "-", "--after-revision", "0", "--endpoint", &endpoint]);
    let mut watch = Running(watch.stdout(Stdio::piped()).spawn().expect("it starts"));
    let seen = lines(watch.0.stdout.take().expect("piped"));
    let apply = |server: &Server, id: &str| {
        let file = folder.path().join(format!("{id}.yaml"));
        std::fs::write(&file, format!("organization: {{id: {id}, display_name: {id}}}\n")).expect("written");
        server.ok(&["apply", file.to_str().expect("a path"), "--yes", "--principal", "tester"]);
    };
    apply(&server, "one");
    let line = seen.recv_timeout(PATIENCE).expect("a line");
    assert!(line.starts_with("1  ") && line.ends_with("  tester  CREATED  organizations/one"), "{line}");
    end(server);
    // The same port: clap takes the last of a flag given twice only if told so, hence not through `start`.
    let config = folder.path().join("config.toml");
    let data = folder.path().join("data");
    let mut serve = command(&["serve", "--listen", &address, "--config", config.to_str().expect("a path")]);
    let mut serve =
        serve.args(["--data-dir", data.to_str().expect("a path")]).stderr(Stdio::piped()).spawn().expect("it starts");
    let log = lines(serve.stderr.take().expect("piped"));
    let server = Server { process: Running(serve), start: Vec::new(), log, endpoint };
    while !server.log.recv_timeout(PATIENCE).expect("it listens").contains("listening") {}
    apply(&server, "two");
    let line = seen.recv_timeout(PATIENCE).expect("a line");
    assert!(line.starts_with("2  ") && line.ends_with("  organizations/two"), "{line}");
    watch.signal("-INT");
}

#[test]
fn what_was_tampered_with_is_not_verified() {
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let file = folder.path().join("acme.yaml");
    std::fs::write(&file, MANIFEST).expect("written");
    server.ok(&["apply", file.to_str().expect("a path"), "--yes"]);
    let verified = server.ok(&["verify"]);
    let expected = verified.lines().nth(1).and_then(|line| line.split(": ").nth(1)).expect("a hash").to_owned();
    assert!(server.ok(&["verify", "--expected", &expected]).starts_with("verified"));
    let done = server.run(&["verify", "--expected", &format!("1:{}", "0".repeat(64))]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.out.contains("EXPECTED_HASH_MISMATCH"), "{done:?}");
    assert_eq!(server.stop().0, 0);

    let place = Place {
        backend: Backend::Sqlite,
        url: format!("sqlite:{}", folder.path().join("data/registry.db").display()),
        folder: TempDir::new().expect("a folder"),
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let db = connect(&place).await;
        let sql = "UPDATE vendor SET body = body || x'00' WHERE name = 'vendors/big'";
        db.execute_unprepared(sql).await.expect("tampered with");
        db.close().await.expect("closed");
    });
    let server = embedded(folder.path(), &[]);
    let done = server.run(&["verify"]);
    assert_eq!((done.code, done.error.as_str()), (3, "error: not verified: 1 problem\n"), "{done:?}");
    let row = done.out.lines().nth(1).expect("a row");
    assert!(row.starts_with('1') && row.contains("vendors/big") && row.contains("BODY_ALTERED"), "{}", done.out);
}

#[test]
fn the_clock_of_a_file_is_the_time() {
    let folder = TempDir::new().expect("a folder");
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "2030-01-01T00:00:00Z\n").expect("written");
    let config = folder.path().join("own.toml");
    std::fs::write(&config, format!("[catalog]\nload = false\n[clock]\nfile = {clock:?}\n")).expect("written");
    let data = folder.path().join("data");
    let arguments = ["--config", config.to_str().expect("a path"), "--data-dir", data.to_str().expect("a path")];
    let server = Server::start(&arguments);
    let create = |id: &str| {
        let file = folder.path().join(format!("{id}.yaml"));
        std::fs::write(&file, format!("organization: {{id: {id}, display_name: {id}}}\n")).expect("written");
        server.ok(&["apply", file.to_str().expect("a path"), "--yes"]);
        server.json(&["get", &format!("organizations/{id}")])["create_time"].as_str().expect("a time").to_owned()
    };
    assert_eq!(create("a"), "2030-01-01T00:00:00Z");
    let fresh = folder.path().join("fresh");
    std::fs::write(&fresh, "2031-02-03T04:05:06Z").expect("written");
    std::fs::rename(fresh, &clock).expect("moved");
    assert_eq!(create("b"), "2031-02-03T04:05:06Z");
    let old = server.json(&["list", "organizations", "--as-of", "2030-06-01"]);
    assert_eq!(old["organizations"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_cannot_be_started_says_why() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().to_str().expect("a path");
    let config = folder.path().join("bad.toml");
    std::fs::write(&config, "[server]\nlisten = \"nowhere\"\nspeed = 3\n").expect("written");
    let config = config.to_str().expect("a path");
    let serve = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = command(&[&["serve", "--data-dir", data][..], arguments].concat());
        Done::from(command.envs(environment.iter().copied()).output().expect("it runs"))
    };
    for (arguments, environment, code, says) in [
        (&["--listen", "0.0.0.0:0"][..], None, 2, "insecure"),
        (&[], Some(("SUBPROCESSOR_REGISTRY__SERVER__SPEED", "3")), 2, "SUBPROCESSOR_REGISTRY__SERVER__SPEED"),
        (&[], Some(("SUBPROCESSOR_REGISTRY__WRITER__MAX_BATCH", "0")), 2, "SUBPROCESSOR_REGISTRY__WRITER__MAX_BATCH"),
        (&["--config", config], None, 2, "server.speed"),
        (&["--database-url", "mysql://x"], None, 2, "flag --database-url"),
        (&["--database-url", "postgres://127.0.0.1:1/x"], None, 1, "cannot be reached"),
        (
            &["--listen", "0.0.0.0:0", "--insecure-no-auth"],
            Some(("SUBPROCESSOR_REGISTRY__CLOCK__FILE", "x")),
            2,
            "clock.file",
        ),
    ] {
        let done = serve(arguments, environment.as_slice());
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        assert!(done.error.contains(says) && done.out.is_empty(), "{arguments:?}: {done:?}");
        assert!(!done.error.contains("panicked"), "{done:?}");
    }
    // An address that is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let fresh = folder.path().join("fresh");
    let done = Done::from(
        command(&["serve", "--listen", &address, "--data-dir", fresh.to_str().expect("a path")])
            .output()
            .expect("it runs"),
    );
    assert!(done.code == 1 && done.error.contains(&address) && done.error.contains("--listen"), "{done:?}");
    assert!(!fresh.exists(), "nothing is left behind");
    // Nobody listens there.
    drop(taken);
    let done = run(&["health", "--endpoint", &format!("http://{address}")]);
    assert!(done.code == 1 && done.error.starts_with("error: "), "{done:?}");
}

#[test]
fn what_is_no_database_of_ours_is_refused_untouched_and_said_in_words() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    std::fs::write(path("text"), "no database at all, but a text\n").expect("written");
    std::fs::write(path("clock"), "tomorrow").expect("written");
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        for (name, sql) in
            [("other", "CREATE TABLE invoice (id INTEGER)"), ("named", "CREATE TABLE change (id INTEGER)")]
        {
            let url = format!("sqlite:{}?mode=rwc", path(name));
            let db = sea_orm::Database::connect(&url).await.expect("connected");
            db.execute_unprepared(sql).await.expect("made");
            db.close().await.expect("closed");
        }
    });
    // One that says it is a database and is not whole.
    let mut broken = std::fs::read(path("other")).expect("read");
    broken.truncate(4096);
    broken[100..].fill(0x55);
    std::fs::write(path("broken"), broken).expect("written");
    let before = |name: &str| std::fs::read(path(name)).expect("read");
    for (name, says) in [
        ("text", "is not a SQLite database"),
        ("other", "is the database of another program (it has a table invoice)"),
        ("named", "is the database of another program"),
        ("broken", "is damaged"),
    ] {
        let (bytes, url) = (before(name), format!("sqlite:{}", path(name)));
        for line in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["migrate"]] {
            let done = run(&[&line[..], &["--database-url", &url]].concat());
            assert!(done.code == 1 && done.error.contains(says) && done.error.contains(&path(name)), "{done:?}");
            assert_eq!(done.error.lines().count(), 1, "{done:?}");
        }
        assert_eq!(before(name), bytes, "{name}");
        assert!(!folder.path().join(format!("{name}-wal")).exists());
    }
    let done = run(&["migrate", "--data-dir", &path("text")]);
    assert!(done.code == 1 && done.error.contains("a file is in its place"), "{done:?}");

    let migrate = |url: &str| run(&["migrate", "--database-url", url]);
    let done = migrate("postgres://joe:secret@127.0.0.1:1/x");
    assert!(done.code == 1 && done.error.contains("127.0.0.1:1 cannot be reached: nothing listens"), "{done:?}");
    assert!(!done.error.contains("secret"), "{done:?}");
    let mut missing: url::Url = crate::support::postgres_url().parse().expect("a URL");
    missing.set_path("/none-such");
    let done = migrate(missing.as_str());
    assert!(done.code == 1 && done.error.contains("has no database none-such: create it"), "{done:?}");

    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir", &path("data")]);
    let done = Done::from(serve.env("SUBPROCESSOR_REGISTRY__CLOCK__FILE", path("clock")).output().expect("it runs"));
    assert!(done.code == 1 && done.error.contains("clock must hold an RFC 3339 instant"), "{done:?}");
}

#[test]
fn the_embedded_database_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().expect("a folder");
    let server = embedded(folder.path(), &[]);
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    for name in ["data/registry.db", "data/registry.db-wal", "data/registry.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(server.stop().0, 0);
}

#[test]
fn what_needs_no_server() {
    assert_eq!(run(&["version"]).out, format!("subprocessor-registry {}\n", env!("CARGO_PKG_VERSION")));
    let bash = run(&["completions", "bash"]).out;
    let mut check = Command::new("bash").args(["-n"]).stdin(Stdio::piped()).spawn().expect("bash runs");
    check.stdin.take().expect("piped").write_all(bash.as_bytes()).expect("written");
    assert!(check.wait().expect("it ends").success());
    // What `config` prints is a configuration that changes nothing.
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, run(&["config"]).out).expect("written");
    let data = folder.path().join("data");
    let arguments = ["--config", file.to_str().expect("a path"), "--data-dir", data.to_str().expect("a path")];
    let migrate = |arguments: &[&str]| run(&[&["migrate"][..], arguments].concat());
    assert!(migrate(&arguments).out.starts_with("applied "));
    assert_eq!(migrate(&arguments).out, "the schema is up to date\n");
    let help = run(&["--help"]);
    assert!(help.code == 0 && help.out.contains("Exit codes:"), "{help:?}");
    assert_eq!(run(&["nonsense"]).code, 2);
}

/// On PostgreSQL the schema is brought up first; the password is nobody's business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_migrated_then_served() {
    let place = empty(Backend::Postgres).await;
    let config = place.folder.path().join("config.toml");
    let url = place.folder.path().join("url");
    std::fs::write(&url, format!("{}\n", place.url)).expect("written");
    let text = format!("[catalog]\nload = false\n[database]\nurl_file = {url:?}\n");
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let done = run(&["serve", "--listen", "127.0.0.1:0", "--config", config]);
    assert!(done.code == 1 && done.error.contains("migrate"), "{done:?}");
    let done = run(&["migrate", "--config", config]);
    assert!(done.code == 0 && done.out.starts_with("applied "), "{done:?}");
    let server = Server::start(&["--config", config]);
    assert_eq!(server.ok(&["health"]), "SERVING\n");
    assert_eq!(server.ok(&["list", "vendors"]).lines().count(), 1, "headings only");
    assert_eq!(server.stop().0, 0);
}
