//! What is due is applied once: by several servers, after a time in which none ran, after a server was killed while it
//! applied it; and to as many customers as there are.
//!
//! What a server does that nobody disturbs says what has to come out: the same changes, in the same order, in the same
//! revisions of the system's.
//!
//! REGISTRY_DUE_KILLS: how often the server is killed.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rand::Rng;
use subprocessor_registry::proto::v1::{
    self, Notice, change_log_service_client::ChangeLogServiceClient, notice::State, subprocessor::State as Stage,
    watch_changes_response::Event,
};
use tonic::transport::Channel;

use super::scene::{ACME, Scene, add, at, general, notice, read, specific};
use crate::support::{Backend, Server, apply, both, trials};

const EAGER: [(&str, &str); 1] = [("SCHEDULE__POLL_INTERVAL_MS", "10")];
const PATIENT: [(&str, &str); 1] = [("SCHEDULE__POLL_INTERVAL_MS", "60000")];
/// When everything is over.
const LATE: &str = "2026-06-01T09:00:00Z";

/// What a revision of the system's did: to which resources, in its order.
type Deed = (i64, String, Vec<String>);

/// Notices with deadlines and effects at many instants, and then silence.
async fn announced(backend: Backend, notices: usize) -> Scene {
    let mut scene = Scene::new(backend).await;
    for days in 1..5 {
        scene.customer(&format!("c{days}"), general(5 * days, 3 + days)).await;
    }
    scene.customer("strict", specific(10, 10)).await;
    for i in 0..notices {
        let requested = (i % 3 != 0).then(|| at(&format!("2026-04-{:02}T{:02}:30:00Z", 1 + i / 24 % 28, i % 24)));
        let message =
            Notice { changes: vec![add(&format!("s{i}"))], requested_effective_time: requested, ..Notice::default() };
        scene.announce(&format!("n{i}"), message).await;
    }
    scene
}

/// Everything that was written, up to the newest revision.
async fn revisions(log: &mut ChangeLogServiceClient<Channel>, head: i64) -> Vec<v1::Revision> {
    let request = v1::WatchChangesRequest { parent: ACME.into(), after_revision: Some(0), ..Default::default() };
    let mut stream = log.watch_changes(request).await.expect("watched").into_inner();
    let (mut all, mut last) = (Vec::new(), 0);
    while last < head {
        match stream.message().await.expect("a message").expect("more").event {
            Some(Event::Revision(revision)) => {
                last = revision.number;
                all.push(revision);
            }
            Some(Event::Checkpoint(checkpoint)) => last = checkpoint.revision,
            None => {}
        }
    }
    all
}

fn deeds(revisions: &[v1::Revision]) -> Vec<Deed> {
    let of_system = revisions.iter().filter(|revision| revision.principal == "system");
    of_system
        .map(|revision| {
            let changes = revision.changes.iter().map(|change| change.resource_name.clone()).collect();
            (revision.number, revision.method.clone(), changes)
        })
        .collect()
}

/// What the system did on a server that nobody disturbs.
async fn expected(notices: usize) -> Vec<Deed> {
    let mut scene = announced(Backend::Sqlite, notices).await;
    scene.pass_to(LATE);
    done(&mut scene.server).await
}

/// Lets time catch up, and says what the system has done by then.
async fn done(server: &mut Server) -> Vec<Deed> {
    // A call waits for 200 revisions at most.
    let mut head = server.revision().await;
    loop {
        let next = server.revision().await;
        if next == head {
            break;
        }
        head = next;
    }
    deeds(&revisions(&mut server.log, head).await)
}

async fn verified(server: &mut Server) {
    let request = v1::VerifyChangeLogRequest::default();
    let verified = server.log.verify_change_log(request).await.expect("checked").into_inner();
    assert!(verified.verified, "{verified:#?}");
}

/// What of the notices has taken effect, and when.
async fn effects(scene: &mut Scene, notices: usize) -> Vec<(State, String, String)> {
    let mut effects = Vec::new();
    for i in 0..notices {
        let notice = scene.notice(&format!("n{i}")).await;
        let start = scene.subprocessor(&format!("s{i}")).await.start_date;
        effects.push((notice.state(), read(notice.effective_time.as_ref()), start));
    }
    effects
}

/// Which it must be: as soon as the first customer is cleared, or when it was asked for.
fn on_time(notices: usize) -> Vec<(State, String, String)> {
    let when = |i: usize| match i % 3 {
        0 => "2026-03-29T00:00:00Z".to_owned(),
        _ => format!("2026-04-{:02}T{:02}:30:00Z", 1 + i / 24 % 28, i % 24),
    };
    (0..notices).map(|i| (State::Effective, when(i), when(i)[..10].to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_servers_one_applies_what_is_due() {
    const NOTICES: usize = 12;
    let expected = expected(NOTICES).await;
    let mut scene = announced(Backend::Postgres, NOTICES).await;
    let last = expected.last().expect("something is due").0;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Server::start_with(&scene.place, &EAGER).await);
    }
    let known = scene.revision().await;
    let request = v1::WatchChangesRequest { parent: ACME.into(), after_revision: Some(known), ..Default::default() };
    let mut stream = servers[0].log.watch_changes(request).await.expect("watched").into_inner();
    // From here on nobody asks: the schedules do it, each of them.
    scene.pass_to(LATE);
    let mut seen = known;
    while seen < last {
        if let Some(Event::Revision(revision)) = stream.message().await.expect("a message").expect("more").event {
            assert_eq!((revision.number, revision.principal.as_str()), (seen + 1, "system"));
            seen = revision.number;
        }
    }
    for server in &mut servers {
        assert_eq!(done(server).await, expected);
    }
    assert_eq!(effects(&mut scene, NOTICES).await, on_time(NOTICES));
    verified(&mut scene.server).await;
}

both! {
    async fn what_ended_while_no_server_ran_ended_when_it_did(backend: Backend) {
        const NOTICES: usize = 5;
        let expected = expected(NOTICES).await;
        let mut scene = announced(backend, NOTICES).await;
        let Scene { place, server } = scene;
        server.stop().await;
        place.set_clock(LATE);
        let server = Server::start_with(&place, &PATIENT).await;
        scene = Scene { place, server };
        assert_eq!(done(&mut scene.server).await, expected);
        assert_eq!(effects(&mut scene, NOTICES).await, on_time(NOTICES));
        assert_eq!(scene.stands("n0", "c1").await, ("DEEMED_AUTHORIZED".into(), "2026-03-28T00:00:00Z".into(), "2026-03-29T00:00:00Z".into()));
        let Scene { place, server } = scene;
        server.stop().await;
        let mut server = Server::start(&place).await;
        assert_eq!(done(&mut server).await, expected, "a second start finds nothing left to do");
        verified(&mut server).await;
    }

    async fn a_server_that_is_killed_while_it_applies_what_is_due_loses_and_doubles_nothing(backend: Backend) {
        let kills = trials("REGISTRY_DUE_KILLS", 3);
        let notices = Ord::min(8 * kills, 600);
        let expected = expected(notices).await;
        let scene = announced(backend, notices).await;
        let Scene { place, server } = scene;
        server.stop().await;
        place.set_clock(LATE);
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let mut amid = 0;
        for _ in 0..kills {
            let mut server = Killed::start(&place.url, &place.clock_file(), port);
            server.listens(port).await;
            // It began before it listened; any moment of the next ones.
            let moment = rand::rng().random_range(0..120);
            tokio::time::sleep(Duration::from_millis(moment)).await;
            server.kill();
            let known = written(&place.url).await;
            amid += usize::from(known >= expected[0].0 && known < expected.last().expect("something is due").0);
        }
        let server = Server::start(&place).await;
        let mut scene = Scene { place, server };
        assert_eq!(done(&mut scene.server).await, expected);
        assert_eq!(effects(&mut scene, notices).await, on_time(notices));
        verified(&mut scene.server).await;
        println!("killed {kills} times on {backend:?}, {amid} of them amid {} revisions", expected.len());
    }

    async fn an_audience_of_many_is_written_in_several_revisions(backend: Backend) {
        const MANY: usize = 1_200;
        let mut scene = Scene::new(backend).await;
        let whole = "organization: {id: acme, display_name: Acme, notice_policy: {enforcement: REQUIRED}}";
        for part in [0..600, 600..MANY] {
            let customers: Vec<String> = part
                .map(|i| format!("- {{id: c{i:04}, display_name: C{i}, agreement: {{authorization: GENERAL, notice_days: {}, objection_days: 0}}}}", i % 2))
                .collect();
            apply(&mut scene.server, &format!("{whole}\ncustomers:\n{}\n", customers.join("\n"))).await.expect("applied");
        }
        scene.create("n", Notice { changes: vec![add("aws")], ..Notice::default() }).await.expect("created");
        scene.approve("n").await.expect("approved");
        // A server that does nothing before it is asked.
        let Scene { place, server } = scene;
        server.stop().await;
        let server = Server::start_with(&place, &PATIENT).await;
        scene = Scene { place, server };
        let published = scene.publish("n").await.expect("published");
        assert_eq!((published.recipient_count, published.audience_complete, published.earliest_effective_time), (500, false, None));
        scene.pass_to("2026-03-23T18:00:00Z");
        let head = scene.revision().await;
        let after = scene.notice("n").await;
        assert_eq!((after.state(), after.recipient_count, after.audience_complete), (State::Effective, 1_200, true));
        let log = revisions(&mut scene.server.log, head).await;
        let (mut written, mut effective) = (BTreeMap::<String, i64>::new(), 0);
        for revision in log.iter().filter(|revision| revision.number >= published.revision) {
            for change in &revision.changes {
                if change.resource_name.contains("/recipients/") && change.kind() == v1::change::Kind::Created {
                    assert_eq!(written.insert(change.resource_name.clone(), revision.number), None, "{} twice", change.resource_name);
                }
                if change.resource_name.ends_with("/subprocessors/aws") && revision.number > published.revision && effective == 0 {
                    effective = revision.number;
                }
            }
        }
        assert_eq!(written.len(), MANY);
        let in_revisions: std::collections::BTreeSet<i64> = written.values().copied().collect();
        assert_eq!(in_revisions.len(), 3, "{in_revisions:?}");
        assert!(in_revisions.iter().all(|revision| *revision < effective), "{in_revisions:?} {effective}");
        let mut token = String::new();
        let mut listed = 0;
        loop {
            let request = v1::ListNoticeRecipientsRequest { parent: notice("n"), page_size: 1_000, page_token: token, ..Default::default() };
            let page = scene.server.notices.list_notice_recipients(request).await.expect("listed").into_inner();
            for recipient in &page.recipients {
                assert_eq!((recipient.start_time, recipient.changes.len()), (published.publish_time, 1), "{}", recipient.name);
            }
            listed += page.recipients.len();
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, MANY);
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.held_back_count, aws.held_back.len()), (Stage::Active, 600, 600));
        scene.pass_to("2026-03-25T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back_count, 0);
        let request = v1::GetSubprocessorRequest {
            name: format!("{ACME}/subprocessors/aws"),
            as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(effective - 1)) }),
            ..Default::default()
        };
        let before = scene.server.subprocessors.get_subprocessor(request).await.expect("found").into_inner();
        assert_eq!(before.state(), Stage::Announced);
    }
}

/// The newest revision, asked of the database.
async fn written(url: &str) -> i64 {
    use sea_orm::{ConnectionTrait, Database};
    let database = Database::connect(url).await.expect("connected");
    let query =
        sea_orm::Statement::from_string(database.get_database_backend(), "SELECT MAX(number) AS number FROM revision");
    let row = database.query_one_raw(query).await.expect("read").expect("a row");
    let number = row.try_get("", "number").expect("a number");
    database.close().await.expect("closed");
    number
}

/// The server's process.
struct Killed(Child);

impl Killed {
    fn start(url: &str, clock: &std::path::Path, port: u16) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_subprocessor-registry"))
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--database-url", url])
            .env("SUBPROCESSOR_REGISTRY__CATALOG__LOAD", "false")
            .env("SUBPROCESSOR_REGISTRY__TELEMETRY__LOG_FILTER", "off")
            .env("SUBPROCESSOR_REGISTRY__CLOCK__FILE", clock)
            .env("SUBPROCESSOR_REGISTRY__SCHEDULE__POLL_INTERVAL_MS", "10")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the server starts"))
    }

    async fn listens(&mut self, port: u16) {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(self.0.try_wait().expect("asked").is_none(), "the server ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("waited for");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
