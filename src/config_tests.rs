use super::*;
use crate::notify::email::Tls;

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
    assert_eq!((settings.server.stop_delay_seconds, settings.server.drain_seconds), (0, 20));
    assert_eq!(settings.server.max_connection_age_seconds, 0);
    assert_eq!(settings.server.max_connection_age_grace_seconds, 30);
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
        ["server.listen: must be an address and a port such as 127.0.0.1:50051, not everywhere", "flag --listen", ""],
    ] {
        assert_names(&problems, &parts);
    }
    assert_eq!(problems.len(), 10, "{problems:#?}");
}

#[test]
fn a_variable_with_an_underscore_too_few_or_too_many_is_named_with_the_one_that_was_meant() {
    let environment = [
        ("SUBPROCESSOR_REGISTRY_SERVER__LISTEN", "127.0.0.1:1"),
        ("SUBPROCESSOR_REGISTRY__SERVER_DRAIN_SECONDS", "1"),
        ("SUBPROCESSOR_REGISTRY_CLOCK_FILE", "now"),
        ("SUBPROCESSOR_REGISTRY__DATABASE__URL__FILE", "x"),
        ("SUBPROCESSOR_REGISTRY_WRITER__MAX_BATHC", "3"),
        // Kubernetes makes these for services called subprocessor-registry and subprocessor-registry-email-smtp.
        ("SUBPROCESSOR_REGISTRY_SERVICE_HOST", "10.0.0.1"),
        ("SUBPROCESSOR_REGISTRY_PORT_50051_TCP_ADDR", "10.0.0.1"),
        ("SUBPROCESSOR_REGISTRY_EMAIL_SMTP_PORT", "tcp://10.0.0.2:25"),
    ];
    let problems = refused("", &environment, Flags::default());
    for (said, meant) in [
        ("SUBPROCESSOR_REGISTRY_SERVER__LISTEN: is not read", "SUBPROCESSOR_REGISTRY__SERVER__LISTEN"),
        ("SUBPROCESSOR_REGISTRY__SERVER_DRAIN_SECONDS: is", "SUBPROCESSOR_REGISTRY__SERVER__DRAIN_SECONDS"),
        ("SUBPROCESSOR_REGISTRY_CLOCK_FILE: is not read", "SUBPROCESSOR_REGISTRY__CLOCK__FILE"),
        ("SUBPROCESSOR_REGISTRY__DATABASE__URL__FILE: is", "SUBPROCESSOR_REGISTRY__DATABASE__URL_FILE"),
        ("SUBPROCESSOR_REGISTRY_WRITER__MAX_BATHC: must", "SUBPROCESSOR_REGISTRY__SECTION__KEY"),
    ] {
        assert_names(&problems, &["environment variable", said, meant]);
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
}

#[test]
fn what_cannot_be_read_and_what_breaks_a_rule_are_named_at_once() {
    let file = "[server]\nlistn = 'x'\ndrain_seconds = 4000\n[email]\nfrom = 3\nsmtp_host = 'mail.acme.example'\n[writer]\n\
                max_batch = 'many'\n[nothing]\n[database]\nurl_file = '/nowhere/url'\n";
    let environment = [("SUBPROCESSOR_REGISTRY__TELEMETRY__SAMPLE_RATIO", "2")];
    let problems = refused(file, &environment, Flags { listen: Some("localhost:50051".into()), ..Flags::default() });
    for part in [
        "server.listn: unknown field",
        "server.drain_seconds: must be 0 to 3600, not 4000",
        "email.from: invalid type",
        "writer.max_batch: invalid type",
        "nothing: unknown field",
        "database.url_file: /nowhere/url: No such file",
        "telemetry.sample_ratio: must be 0 to 1, not 2 (environment variable",
        "server.listen: must be an address and a port such as 127.0.0.1:50051, not localhost:50051 (flag --listen)",
    ] {
        assert_names(&problems, &[part]);
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
    // Of what a file that cannot be read may say, nothing is guessed.
    let flags =
        Flags { config: Some("/nowhere/at/all.toml".into()), listen: Some("0.0.0.0:1".into()), ..Flags::default() };
    let problems = Settings::load(&flags, &BTreeMap::new()).expect_err("refused");
    assert_eq!(problems.len(), 1, "{problems:#?}");
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
                stop_delay_seconds = 601\nmax_connection_age_seconds = 86401\n\
                max_connection_age_grace_seconds = 86401\n\
                [database]\nurl = 'mysql://x'\ndata_dir = ''\nmax_connections = 1\nstatement_timeout_seconds = 0\n\
                [watch]\nbuffer_revisions = 0\nslow_reader_grace_seconds = 4000\npoll_interval_ms = 1\n\
                [clock]\nfile = 'now'\n[writer]\nmax_batch = 0\n\
                [telemetry]\nlog_filter = 'a=b=c'\notlp_endpoint = 'collector:4317'\nsample_ratio = 1.5\n\
                otlp_interval_seconds = 3601\nmetrics_listen = '9464'\n";
    let problems = of_file(file);
    for key in [
        "server.listen",
        "server.max_request_bytes",
        "server.drain_seconds",
        "server.stop_delay_seconds",
        "server.max_connection_age_seconds",
        "server.max_connection_age_grace_seconds",
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
        "telemetry.otlp_interval_seconds",
        "telemetry.metrics_listen",
    ] {
        assert_names(&problems, &[&format!("{key}: "), "settings.toml"]);
    }
    assert_eq!(problems.len(), 20, "{problems:#?}");
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
fn what_is_wrong_is_told_without_secrets() {
    for (file, parts) in [
        ("[email]\nuser = 'a'\npassword = \"hunter2secret\n", &["settings.toml: line 3, column ", "basic string"][..]),
        ("[database]\nurl = \"postgres://u:hunter2@h/d\" oops\n", &["settings.toml: line 2, column "]),
        ("[database]\nurl = 'hunter2'\nurl = 'hunter2'\n", &["settings.toml: line ", "duplicate key"]),
        ("[email]\npassword = 8675309\n", &["email.password: invalid type: expected a string (", "settings.toml"]),
        ("[secrets]\nkey = 8675309\n", &["secrets.key: invalid type: expected a string ("]),
        ("[secrets]\nkey = ['hunter2']\n", &["secrets.key: invalid type: expected a string ("]),
        ("[database]\nurl = 8675309\n", &["database.url: invalid type: expected a string ("]),
        ("database = 'postgres://u:hunter2@h/d'\n", &["database: invalid type: expected struct Database ("]),
        ("[email]\npasword = 'hunter2'\n", &["email.pasword: unknown field"]),
        (
            "[telemetry]\notlp_endpoint = 'https://u:hunter2@h:4317'\n",
            &["telemetry.otlp_endpoint", "not https://…@h:4317 ("],
        ),
        ("[telemetry]\notlp_endpoint = 'u:hunter2@h'\n", &["telemetry.otlp_endpoint", "not …@h ("]),
        ("[web]\npublic_url = 'https://u:hunter2@h'\n", &["web.public_url", "not https://…@h ("]),
        // What is no secret is shown.
        ("[writer]\nmax_batch = 'many'\n", &["writer.max_batch", "many"]),
    ] {
        let problems = of_file(file);
        assert_names(&problems, parts);
        let all = problems.concat();
        assert!(!all.contains("hunter2") && !all.contains("8675309"), "{all}");
    }
}

#[test]
fn a_data_directory_can_have_any_name() {
    let flags = Flags { data_dir: Some("a?b#c%d".into()), ..Flags::default() };
    let settings = Settings::load(&flags, &BTreeMap::new()).expect("valid");
    assert_eq!(settings.database.connect_url(), "sqlite:a%3Fb%23c%25d/registry.db?mode=rwc");
}

#[test]
fn lists_come_from_the_file_and_from_the_environment() {
    let file = "[webhook]\nallow_private_networks = ['10.0.0.0/8', 'fd00::/8']\nretry_schedule_seconds = [1, 2]\n";
    let settings = load(file, &[], Flags::default()).expect("valid");
    assert_eq!(settings.webhook.options().policy.private.len(), 2);
    assert_eq!(settings.webhook.retry_schedule_seconds, [1, 2]);
    let environment = [
        ("SUBPROCESSOR_REGISTRY__WEBHOOK__ALLOW_PRIVATE_NETWORKS", "192.168.0.0/16, fd12::/16,"),
        ("SUBPROCESSOR_REGISTRY__WEBHOOK__RETRY_SCHEDULE_SECONDS", "5, 300"),
        ("SUBPROCESSOR_REGISTRY__EMAIL__RETRY_SCHEDULE_SECONDS", "60"),
        ("SUBPROCESSOR_REGISTRY__WEBHOOK__TIMEOUT_SECONDS", "0.2"),
        ("SUBPROCESSOR_REGISTRY__EMAIL__USER", "1"),
        // A password of digits stays text.
        ("SUBPROCESSOR_REGISTRY__EMAIL__PASSWORD", "12345"),
    ];
    let settings = load(file, &environment, Flags::default()).expect("valid");
    assert_eq!(settings.webhook.allow_private_networks.len(), 2);
    assert!(settings.webhook.allow_private_networks.iter().any(|network| network.to_string() == "192.168.0.0/16"));
    assert_eq!(settings.webhook.retry_schedule_seconds, [5, 300]);
    assert_eq!(settings.email.retry_schedule_seconds, [60]);
    assert_eq!(settings.webhook.options().timeout, std::time::Duration::from_millis(200));
    let environment = [("SUBPROCESSOR_REGISTRY__WEBHOOK__ALLOW_PRIVATE_NETWORKS", "")];
    assert!(load(file, &environment, Flags::default()).expect("valid").webhook.allow_private_networks.is_empty());
    let problems =
        refused("", &[("SUBPROCESSOR_REGISTRY__WEBHOOK__RETRY_SCHEDULE_SECONDS", "5, soon")], Flags::default());
    assert_names(&problems, &["webhook.retry_schedule_seconds", "soon", "environment variable"]);
    assert_names(
        &of_file("[webhook]\nallow_private_networks = ['10.0.0.0/33']\n"),
        &["webhook.allow_private_networks"],
    );
}

#[test]
fn mails_need_an_address_that_can_be_reached() {
    let mail = "[email]\nsmtp_host = '127.0.0.1'\ntls = 'none'\nfrom = 'a@b.example'\n";
    for listen in ["0.0.0.0:50051", "[::]:50051"] {
        let everywhere = format!("[server]\nlisten = '{listen}'\ninsecure_no_auth = true\n");
        assert_names(&of_file(&format!("{everywhere}{mail}")), &["web.public_url: ", "email.smtp_host", listen]);
        let named = format!("{everywhere}{mail}[web]\npublic_url = 'https://trust.example.com'\n");
        for file in [&named, &everywhere] {
            load(file, &[], Flags::default()).expect("settings");
        }
    }
    load(mail, &[], Flags::default()).expect("settings");
}

#[test]
fn every_rule_of_the_channels_is_checked() {
    let file = "[webhook]\ntimeout_seconds = 0.0\nmax_response_bytes = 1\nretry_schedule_seconds = []\n\
                retry_jitter = 0.6\nconcurrency = 0\nendpoint_concurrency = 65\n\
                [email]\nsmtp_host = 'mail.acme.example'\nsmtp_port = 0\ntls = 'none'\nuser = 'u'\nehlo_name = 'a b'\n\
                reply_to = 'nobody'\ntimeout_seconds = 301\nconcurrency = 65\nretry_schedule_seconds = [0]\n";
    let problems = of_file(file);
    for key in [
        "webhook.timeout_seconds",
        "webhook.max_response_bytes",
        "webhook.retry_schedule_seconds",
        "webhook.retry_jitter",
        "webhook.concurrency",
        "webhook.endpoint_concurrency",
        "email.smtp_port",
        "email.tls",
        "email.user",
        "email.ehlo_name",
        "email.from",
        "email.reply_to",
        "email.timeout_seconds",
        "email.concurrency",
        "email.retry_schedule_seconds",
    ] {
        assert_names(&problems, &[&format!("{key}: ")]);
    }
    assert_eq!(problems.len(), 15, "{problems:#?}");
    for (key, bad) in [("timeout_seconds", "nan"), ("timeout_seconds", "inf"), ("retry_jitter", "-0.1")] {
        assert_names(&of_file(&format!("[webhook]\n{key} = {bad}\n")), &[&format!("webhook.{key}: ")]);
    }
    for waits in ["[604801]", &format!("[{}]", "1,".repeat(21))] {
        let problems = of_file(&format!("[webhook]\nretry_schedule_seconds = {waits}\n"));
        assert_names(&problems, &["webhook.retry_schedule_seconds: "]);
    }
}

#[test]
fn email_is_off_until_a_server_is_named() {
    let settings = load("", &[], Flags::default()).expect("valid");
    assert!(!settings.email.is_on() && settings.email.options().is_none());

    let file = "[email]\nsmtp_host = 'mail.acme.example'\nfrom = '\"Acme, Privacy\" <Privacy@Bücher.example>'\n";
    let options = load(file, &[], Flags::default()).expect("valid").email.options().expect("e-mail is on");
    assert_eq!((options.port, options.tls, options.login, options.reply_to), (587, Tls::Starttls, None, None));
    assert_eq!(options.from.name, "Acme, Privacy");
    assert_eq!(options.from.address.to_string(), "Privacy@xn--bcher-kva.example");
    assert_eq!(options.ehlo_name, "xn--bcher-kva.example");

    for (line, good) in [
        ("tls = 'none'", false),
        ("tls = 'none'\nallow_plaintext = true", true),
        ("tls = 'implicit'\nsmtp_port = 465", true),
        ("tls = 'sometimes'", false),
        ("reply_to = 'answers@acme.example'\nehlo_name = 'registry.acme.example'", true),
        ("ehlo_name = '[192.0.2.1]'", true),
        ("user = 'u'\npassword = 'p'", true),
        ("password = 'p'", false),
    ] {
        assert_eq!(load(&format!("{file}{line}\n"), &[], Flags::default()).is_ok(), good, "{line}");
    }
    for host in ["localhost", "127.0.0.1", "::1"] {
        let file = format!("[email]\nsmtp_host = '{host}'\nfrom = 'a@b.example'\ntls = 'none'\n");
        assert!(load(&file, &[], Flags::default()).is_ok(), "{host}");
    }
    for from in ["Acme <a@b.example", "Acme a@b.example>", "a@b", "A\u{7}cme <a@b.example>", "<>"] {
        let file = format!("[email]\nsmtp_host = 'mail.acme.example'\nfrom = \"{}\"\n", from.escape_default());
        let file = file.replace("\\u{7}", "\\u0007");
        assert_names(&of_file(&file), &["email.from: "]);
    }
}

#[test]
fn a_password_for_mail_comes_from_a_file_and_is_never_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("password");
    fs::write(&secret, "hunter2\n").expect("a file");
    let file = format!(
        "[email]\nsmtp_host = 'mail.acme.example'\nfrom = 'a@b.example'\nuser = 'u'\npassword_file = '{}'\n",
        secret.display()
    );
    let settings = load(&file, &[], Flags::default()).expect("valid");
    let options = settings.email.options().expect("e-mail is on");
    assert_eq!(options.login, Some(("u".to_owned(), "hunter2".to_owned())));
    assert!(!format!("{settings:?} {options:?}").contains("hunter2"));
    let problems = of_file(&format!("{file}password = 'hunter2'\n"));
    assert_names(&problems, &["email.password_file", "not both"]);
    assert!(!problems.concat().contains("hunter2"));
    assert_names(
        &of_file("[email]\npassword_file = '/nowhere/password'\n"),
        &["email.password_file", "/nowhere/password"],
    );
}
