//! `subscriptions` and `deliveries`, against a server on an embedded database and a real receiver.

use serde_json::Value as Json;
use tempfile::TempDir;

use super::Server;
use crate::{
    deliveries::scene::{Manner, Receiver},
    sink::Sink,
};

const MANIFEST: &str = "
organization: {id: acme, display_name: Acme}
subprocessors:
  - {id: old, display_name: Old, state: ACTIVE, recorded_as_found: true, listed: true, purposes: [mail]}
";

const SETTINGS: &str = "
[webhook]
allow_http = true
allow_private_networks = [\"127.0.0.0/8\"]
[schedule]
poll_interval_ms = 50
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_lives() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    std::fs::write(place("settings.toml"), SETTINGS).expect("written");
    std::fs::write(place("acme.yaml"), MANIFEST).expect("written");
    let server = Server::start(&["--data-dir", &place("data"), "--config", &place("settings.toml")]);
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);
    let mut receiver = Receiver::start(Manner::Kind).await;
    let name = "organizations/acme/subscriptions/hook";
    let add = ["subscriptions", "add", "acme", "--webhook", &receiver.uri(), "--id", "hook", "--event", "list.changed"];
    let dry = server.ok(&[&add[..], &["--dry-run"]].concat());
    assert_eq!(dry, format!("{name}: would be PENDING_VERIFICATION\n"));
    let added = server.ok(&add);
    assert!(added.contains("PENDING_VERIFICATION") && added.contains("secret, shown this once: whsec_"), "{added}");
    assert_eq!(receiver.next().await.kind(), "subscription.verification");
    while !server.ok(&["subscriptions", "acme", "--state", "ACTIVE"]).contains(name) {}
    let again = server.run(&["subscriptions", "verify", name]);
    assert!(again.code == 1 && again.error.contains("STATE_TRANSITION_REFUSED"), "{again:?}");

    assert!(server.ok(&["subscriptions", "test", name]).contains("QUEUED"));
    assert_eq!(receiver.next().await.kind(), "subscription.test");
    assert!(server.ok(&["subscriptions", "rotate", name, "--overlap", "PT1H"]).contains("whsec_"));
    assert!(server.ok(&["subscriptions", "pause", name]).contains("PAUSED"));
    assert!(server.ok(&["subscriptions", "resume", name]).contains("ACTIVE"));

    let replayed = server.ok(&["deliveries", "replay", name, "--from", "1"]);
    assert!(replayed.starts_with("1 event queued, up to revision "), "{replayed}");
    assert_eq!(receiver.next().await.kind(), "list.changed");
    let sent = server.ok(&["deliveries", "acme", "--subscription", name, "-o", "json"]);
    let sent: Json = serde_json::from_str(&sent).expect("JSON");
    let kinds: Vec<&str> = sent["deliveries"]
        .as_array()
        .expect("deliveries")
        .iter()
        .filter_map(|one| one["event_type"].as_str())
        .collect();
    assert_eq!(kinds, ["list.changed", "subscription.test", "subscription.verification"]);

    receiver.behave(Manner::Status(410));
    let changed = MANIFEST.replace("[mail]", "[mail, archive]");
    std::fs::write(place("acme.yaml"), changed).expect("written");
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);
    receiver.next().await;
    while !server.ok(&["subscriptions", "acme", "--state", "DISABLED"]).contains("410") {}
    let dead = loop {
        let dead = server.ok(&["deliveries", "acme", "--state", "DEAD", "-o", "json"]);
        let dead: Json = serde_json::from_str(&dead).expect("JSON");
        if let Some(name) = dead["deliveries"][0]["name"].as_str() {
            break name.to_owned();
        }
    };
    assert!(server.ok(&["deliveries", "show", &dead]).contains("410"));
    let retry = server.run(&["deliveries", "retry", &dead]);
    assert!(retry.code == 1 && retry.error.contains("STATE_TRANSITION_REFUSED"), "{retry:?}");
    let bounce = server.run(&["deliveries", "bounce", &dead, "--diagnostic", "550 no"]);
    assert!(bounce.code == 1 && bounce.error.contains("is no mail"), "{bounce:?}");
    assert!(server.ok(&["subscriptions", "end", name]).contains("ended"));
    assert!(!server.ok(&["subscriptions", "acme"]).contains(name));
}

const MAILED: &str = "
organization: {id: acme, display_name: Acme, notice_policy: {enforcement: REQUIRED, four_eyes: false}}
subprocessors:
  - {id: old, display_name: Old, state: ACTIVE, recorded_as_found: true, listed: true, purposes: [mail]}
  - {id: moved, display_name: Moved, state: ACTIVE, recorded_as_found: true, listed: true, purposes: [mail], locations: [{region_code: DE}]}
customers:
  - {id: gone, display_name: Gone, contacts: [{email: code-550-rcpt@gone.example}], agreement: {authorization: SPECIFIC, notice_days: 30, notice_method: EMAIL_TO_CONTACTS}}
  - {id: here, display_name: Here, contacts: [{email: dpo@here.example}], agreement: {authorization: SPECIFIC, notice_days: 30, notice_method: EMAIL_TO_CONTACTS}}
";

const NOTICE: &str = "
id: n
title: Two changes
changes:
  - {kind: REMOVE, subprocessor: organizations/acme/subprocessors/old}
  - {kind: CHANGE_LOCATION, subprocessor: organizations/acme/subprocessors/moved, proposed: {locations: [{region_code: DE}, {region_code: US}]}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_not_be_told_is_seen_and_why() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let mut sink = Sink::start(&[]).await;
    let email = format!(
        "[email]\nsmtp_host = \"127.0.0.1\"\nsmtp_port = {}\ntls = \"none\"\nfrom = \"a@acme.example\"",
        sink.port
    );
    std::fs::write(
        place("settings.toml"),
        format!("{SETTINGS}{email}\n[web]\npublic_url = \"https://acme.example\"\n"),
    )
    .expect("written");
    std::fs::write(place("acme.yaml"), MAILED).expect("written");
    std::fs::write(place("notice.yaml"), NOTICE).expect("written");
    let server = Server::start(&["--data-dir", &place("data"), "--config", &place("settings.toml")]);
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);
    let name = "organizations/acme/notices/n";
    server.ok(&["notice", "create", &place("notice.yaml"), "--organization", "acme"]);
    server.ok(&["notice", "approve", name]);
    server.ok(&["notice", "publish", name]);
    sink.kept().await;
    let dead = loop {
        let dead = server.ok(&["deliveries", "acme", "--state", "DEAD", "--notice", name]);
        if dead.contains("notice.published") {
            break dead;
        }
    };
    // When it was tried last, the code, and the words, each once.
    let row = dead.lines().find(|line| line.contains("notice.published")).expect("a row");
    assert!(row.contains(" 550 ") && row.matches("5.1.1 said the sink").count() == 1, "{dead}");
    assert!(row.matches(&jiff::Timestamp::now().strftime("%Y-%m-").to_string()).count() == 1, "{dead}");
    let status = loop {
        let status = server.ok(&["notice", "status", name]);
        // What arrived is written down a moment later.
        if status.lines().any(|line| line.starts_with("here") && !line.contains("not told")) {
            break status;
        }
    };
    let of = |who: &str| -> Vec<&str> {
        let rows = status.lines().skip_while(|line| !line.starts_with(who));
        rows.take(2).collect()
    };
    let gone = of("gone");
    assert!(gone[0].contains("not told: code-550-rcpt@gone.example: 550 5.1.1"), "{status}");
    // Of what waits for nobody there is nothing to wait for.
    let here = of("here");
    assert!(here[0].contains("waits for no answer") && here[1].contains("c2"), "{status}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_not_open_what_is_sealed_is_told_at_the_start() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    std::fs::write(place("settings.toml"), SETTINGS).expect("written");
    std::fs::write(place("acme.yaml"), MANIFEST).expect("written");
    let start = || Server::start(&["--data-dir", &place("data"), "--config", &place("settings.toml")]);
    let warned = |server: &Server| server.start.iter().any(|line| line.contains("sealed by another key"));
    let mut receiver = Receiver::start(Manner::Kind).await;
    let name = "organizations/acme/subscriptions/hook";

    let server = start();
    assert!(!warned(&server), "{:?}", server.start);
    server.ok(&["apply", &place("acme.yaml"), "--yes"]);
    server.ok(&["subscriptions", "add", "acme", "--webhook", &receiver.uri(), "--id", "hook"]);
    assert_eq!(receiver.next().await.kind(), "subscription.verification");
    while !server.ok(&["subscriptions", "acme", "--state", "ACTIVE"]).contains(name) {}
    server.stop();

    let (key, kept) = (place("data/secret.key"), place("kept.key"));
    std::fs::rename(&key, &kept).expect("moved");
    let server = start();
    let line = server.start.iter().find(|line| line.contains("sealed by another key")).expect("a warning");
    for said in ["WARN", name, "secret.key", "subscriptions rotate"] {
        assert!(line.contains(said), "{said}: {line}");
    }
    // All else goes on.
    assert_eq!(server.ok(&["health"]), "SERVING\n");
    server.stop();

    std::fs::copy(&kept, &key).expect("back");
    let server = start();
    assert!(!warned(&server), "{:?}", server.start);
    server.stop();

    // Where it is lost, another secret does, without the one before beside it.
    std::fs::remove_file(&key).expect("lost");
    let server = start();
    assert!(warned(&server), "{:?}", server.start);
    server.ok(&["subscriptions", "rotate", name, "--overlap", "PT0S"]);
    server.ok(&["subscriptions", "test", name]);
    assert_eq!(receiver.next().await.kind(), "subscription.test");
    server.stop();
    let server = start();
    assert!(!warned(&server), "{:?}", server.start);
}
