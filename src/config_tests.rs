use super::*;

fn load(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Settings, Vec<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("settings.toml");
    fs::write(&path, file).expect("a file");
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load(&Flags { config: Some(path), ..flags }, &environment)
}

fn refused(file: &str, environment: &[(&str, &str)], flags: Flags) -> Vec<String> {
    load(file, environment, flags).expect_err("these settings are refused")
}

fn of_file(file: &str) -> Vec<String> {
    refused(file, &[], Flags::default())
}

#[track_caller]
fn assert_names(problems: &[String], parts: &[&str]) {
    let found = problems.iter().any(|problem| parts.iter().all(|part| problem.contains(part)));
    assert!(found, "no problem names all of {parts:?} in {problems:#?}");
}

#[test]
fn the_defaults_are_valid_and_say_what_the_design_says() {
    let settings = Settings::load(&Flags::default(), &BTreeMap::new()).expect("defaults");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.server.max_request_bytes, 4 * 1024 * 1024);
    assert_eq!(settings.database.connect_url(), "sqlite:data/registry.db?mode=rwc");
    assert!(!settings.database.is_postgres());
    assert!(settings.catalog.load);
    assert!(!settings.examples.load);
    assert_eq!(settings.telemetry.log_format, LogFormat::Text);
}

#[test]
fn the_last_layer_that_has_a_setting_wins() {
    let file = "[server]\nlisten = '127.0.0.1:1'\ndrain_seconds = 1\nmax_request_bytes = 2048\n";
    let environment = [
        ("SUBPROCESSOR_REGISTRY__SERVER__LISTEN", "127.0.0.1:2"),
        ("SUBPROCESSOR_REGISTRY__SERVER__DRAIN_SECONDS", "2"),
        ("SUBPROCESSOR_REGISTRY__TELEMETRY__SAMPLE_RATIO", "0"),
        ("SUBPROCESSOR_REGISTRY__EXAMPLES__LOAD", "true"),
        // A file name of digits stays text.
        ("SUBPROCESSOR_REGISTRY__CLOCK__FILE", "123"),
    ];
    let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), data_dir: Some("there".into()), ..Flags::default() };
    let settings = load(file, &environment, flags).expect("valid");
    assert_eq!(settings.server.listen.port(), 3);
    assert_eq!(settings.server.drain_seconds, 2);
    assert_eq!(settings.server.max_request_bytes, 2048);
    assert!((settings.telemetry.sample_ratio - 0.0).abs() < f64::EPSILON);
    assert!(settings.examples.load);
    assert_eq!(settings.clock.file, "123");
    assert_eq!(settings.database.connect_url(), "sqlite:there/registry.db?mode=rwc");
}

#[test]
fn flags_set_what_they_name() {
    let flags = Flags {
        config: None,
        listen: Some("0.0.0.0:1".to_owned()),
        insecure_no_auth: true,
        database_url: Some("postgres://h/d".to_owned()),
        data_dir: Some("d".into()),
        with_examples: true,
    };
    let settings = Settings::load(&flags, &BTreeMap::new()).expect("valid");
    assert!(settings.server.insecure_no_auth && !settings.server.is_loopback());
    assert!(settings.database.is_postgres() && settings.examples.load);
    assert_eq!(settings.database.data_dir, PathBuf::from("d"));
}

#[test]
fn what_is_unknown_or_of_another_type_is_named_with_its_place_all_at_once() {
    let file = "[server]\nlistn = 'x'\ndrain_seconds = 'soon'\n[databse]\nurl = ''\n[clock]\nfile = 3\n[telemetry]\n\
                log_format = 'xml'\n";
    let environment = [
        ("SUBPROCESSOR_REGISTRY__SERVER__MAX_REQUEST_BYTES", "many"),
        ("SUBPROCESSOR_REGISTRY__SERVER__PORT", "1"),
        ("SUBPROCESSOR_REGISTRY__NOWHERE__PORT", "1"),
        ("SUBPROCESSOR_REGISTRY__LISTEN", "1"),
        // Not ours: Kubernetes makes it.
        ("SUBPROCESSOR_REGISTRY_PORT", "tcp://10.0.0.1:1"),
    ];
    let flags = Flags { listen: Some("everywhere".to_owned()), ..Flags::default() };
    let problems = refused(file, &environment, flags);
    for parts in [
        ["server.listn", "unknown field", "settings.toml"],
        ["server.drain_seconds", "soon", "settings.toml"],
        ["databse.url", "unknown field", "settings.toml"],
        ["clock.file", "expected a string", "settings.toml"],
        ["telemetry.log_format", "xml", "settings.toml"],
        ["server.max_request_bytes", "many", "environment variable SUBPROCESSOR_REGISTRY__SERVER__MAX_REQUEST_BYTES"],
        ["server.port", "unknown field", "environment variable SUBPROCESSOR_REGISTRY__SERVER__PORT"],
        ["nowhere.port", "unknown field", "environment variable SUBPROCESSOR_REGISTRY__NOWHERE__PORT"],
        ["environment variable SUBPROCESSOR_REGISTRY__LISTEN", "SECTION__KEY", ""],
        ["server.listen", "socket address", "flag --listen"],
    ] {
        assert_names(&problems, &parts);
    }
    assert_eq!(problems.len(), 10, "{problems:#?}");
}

#[test]
fn a_section_that_is_no_section_and_a_file_that_is_no_toml_are_named() {
    assert_names(&of_file("server = 3\n"), &["server", "settings.toml"]);
    assert_names(&of_file("[server\n"), &["settings.toml", "line 1"]);
    let flags = Flags { config: Some("/nowhere/at/all.toml".into()), ..Flags::default() };
    assert_names(&Settings::load(&flags, &BTreeMap::new()).expect_err("no file"), &["/nowhere/at/all.toml"]);
}

#[test]
fn a_bad_value_is_named_even_where_another_layer_replaces_it() {
    let flags = Flags { listen: Some("127.0.0.1:1".to_owned()), ..Flags::default() };
    let problems = refused("[server]\nlisten = 'here'\n", &[], flags);
    assert_names(&problems, &["server.listen", "settings.toml"]);
}

#[test]
fn every_rule_is_checked_and_every_break_of_one_reported() {
    let file = "[server]\nlisten = '0.0.0.0:1'\nmax_request_bytes = 1\ndrain_seconds = 4000\n\
                [database]\nurl = 'mysql://x'\ndata_dir = ''\nmax_connections = 1\nstatement_timeout_seconds = 0\n\
                [watch]\nbuffer_revisions = 0\nslow_reader_grace_seconds = 4000\npoll_interval_ms = 1\n\
                [clock]\nfile = 'now'\n[writer]\nmax_batch = 0\n\
                [telemetry]\nlog_filter = 'a=b=c'\notlp_endpoint = 'collector:4317'\nsample_ratio = 1.5\n";
    let problems = of_file(file);
    for key in [
        "server.listen",
        "server.max_request_bytes",
        "server.drain_seconds",
        "database.url",
        "database.data_dir",
        "database.max_connections",
        "database.statement_timeout_seconds",
        "watch.buffer_revisions",
        "watch.slow_reader_grace_seconds",
        "watch.poll_interval_ms",
        "clock.file",
        "writer.max_batch",
        "telemetry.log_filter",
        "telemetry.otlp_endpoint",
        "telemetry.sample_ratio",
    ] {
        assert_names(&problems, &[&format!("{key}: "), "settings.toml"]);
    }
    assert_eq!(problems.len(), 15, "{problems:#?}");
}

#[test]
fn listening_where_others_reach_it_must_be_accepted_and_excludes_a_moved_clock() {
    for (listen, loopback) in [
        ("127.0.0.1:1", true),
        ("127.8.9.1:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("192.168.0.1:1", false),
    ] {
        let file = format!("[server]\nlisten = '{listen}'\n");
        let accepted = Flags { insecure_no_auth: true, ..Flags::default() };
        assert_eq!(load(&file, &[], Flags::default()).is_ok(), loopback, "{listen}");
        assert!(load(&file, &[], accepted.clone()).is_ok(), "{listen}");
        let moved = format!("{file}[clock]\nfile = 'now'\n");
        assert_eq!(load(&moved, &[], accepted).is_ok(), loopback, "{listen}");
    }
}

#[test]
fn database_urls() {
    for (url, good) in [
        ("sqlite:data/x.db", true),
        ("sqlite:///var/x.db?mode=rwc", true),
        ("postgres://u:p@h/d", true),
        ("postgresql://h/d", true),
        ("postgres:d", false),
        ("sqlite:", false),
        ("sqlite::memory:", false),
        ("sqlite://:memory:", false),
        ("sqlite:x?mode=memory", false),
        ("file:x", false),
        ("x", false),
    ] {
        let flags = Flags { database_url: Some(url.to_owned()), ..Flags::default() };
        assert_eq!(load("", &[], flags).is_ok(), good, "{url}");
    }
}

#[test]
fn a_url_with_a_password_comes_from_a_file_and_is_never_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("url");
    fs::write(&secret, "postgres://u:hunter2@h/d\n").expect("a file");
    let file = format!("[database]\nurl_file = '{}'\n", secret.display());
    let settings = load(&file, &[], Flags::default()).expect("valid");
    assert_eq!(settings.database.connect_url(), "postgres://u:hunter2@h/d");
    assert!(!format!("{settings:?}").contains("hunter2"));

    fs::write(&secret, "mysql://u:hunter2@h/d\n").expect("a file");
    let problems = of_file(&file);
    assert_names(&problems, &["database.url_file", "sqlite:"]);
    assert!(!problems.concat().contains("hunter2"));

    fs::write(&secret, "\n").expect("a file");
    assert_names(&of_file(&file), &["database.url_file", "empty"]);
    assert_names(&of_file("[database]\nurl_file = '/nowhere/url'\n"), &["database.url_file", "/nowhere/url"]);
    assert_names(&of_file(&format!("{file}url = 'sqlite:x'\n")), &["database.url_file", "not both"]);

    let flags = Flags { database_url: Some("sqlite:x".to_owned()), ..Flags::default() };
    assert_eq!(load(&file, &[], flags).expect("the flag wins").database.connect_url(), "sqlite:x");
}

#[test]
fn a_data_directory_can_have_any_name() {
    let flags = Flags { data_dir: Some("a?b#c%d".into()), ..Flags::default() };
    let settings = Settings::load(&flags, &BTreeMap::new()).expect("valid");
    assert_eq!(settings.database.connect_url(), "sqlite:a%3Fb%23c%25d/registry.db?mode=rwc");
}
