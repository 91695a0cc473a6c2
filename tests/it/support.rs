//! A server for a test: in this process, on a free port, on a database of its own, with a clock that the test moves.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use sea_orm::{ConnectionTrait, Database};
use subprocessor_registry::{
    config::{Flags, Settings},
    proto::v1,
    run, store,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OnceCell, oneshot},
    task::JoinHandle,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

/// Defines tests that run on both databases: `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($backend:ident: Backend) $body:block)*) => {
        $($(#[$meta])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn run($backend: $crate::support::Backend) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::support::Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($crate::support::Backend::Postgres).await;
            }
        })*
    };
}
pub(crate) use both;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// The cluster that `make test` starts; a test that needs it fails without it, and says what to run.
pub fn postgres_url() -> String {
    std::env::var("REGISTRY_TEST_POSTGRES_URL").expect(
        "REGISTRY_TEST_POSTGRES_URL is not set: run `make test`, or `tests/tools/postgres.sh start` and \
         `export REGISTRY_TEST_POSTGRES_URL=$(tests/tools/postgres.sh url)`",
    )
}

/// How much of a trial is wanted: a number in the environment, set by `make soak`; else what `make test` takes.
pub fn trials(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number: {text}")))
}

/// A fresh database: its URL, and the folder that holds it.
pub struct Place {
    pub backend: Backend,
    pub url: String,
    pub folder: TempDir,
}

impl Place {
    /// A migrated database of its own.
    pub async fn new(backend: Backend) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{}", folder.path().join("registry.db").display()),
            Backend::Postgres => clone_template().await,
        };
        let place = Self { backend, url, folder };
        place.set_clock("2026-03-23T10:00:00Z");
        place
    }

    /// The file that holds the server's clock.
    pub fn clock_file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Moves the clock; it only goes forward.
    pub fn set_clock(&self, instant: &str) {
        let fresh = self.folder.path().join("clock.new");
        std::fs::write(&fresh, instant).expect("the clock is written");
        std::fs::rename(fresh, self.clock_file()).expect("the clock is moved");
    }

    /// Settings for a server on this database, with some of them changed: `("WATCH__BUFFER_REVISIONS", "4")`.
    pub fn settings(&self, changes: &[(&str, &str)]) -> Settings {
        let clock = self.clock_file();
        let mut environment: BTreeMap<String, String> = [
            ("SERVER__LISTEN", "127.0.0.1:0"),
            ("SERVER__DRAIN_SECONDS", "2"),
            ("DATABASE__URL", self.url.as_str()),
            ("CLOCK__FILE", clock.to_str().expect("a path")),
            ("CATALOG__LOAD", "false"),
            ("WATCH__POLL_INTERVAL_MS", "20"),
        ]
        .into_iter()
        .chain(changes.iter().copied())
        .map(|(key, value)| (format!("SUBPROCESSOR_REGISTRY__{key}"), value.to_owned()))
        .collect();
        environment.retain(|_, value| !value.is_empty());
        Settings::load(&Flags::default(), &environment).expect("valid settings")
    }
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Makes a database from a template that is migrated once.
async fn clone_template() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let base = postgres_url();
    let (server, _) = base.rsplit_once('/').expect("a URL with a database");
    let template = TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", std::process::id());
            let admin = Database::connect(&base).await.expect("PostgreSQL answers");
            admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
            admin.close().await.expect("closed");
            store::migrate(&store::Options::new(format!("{server}/{name}"))).await.expect("migrated");
            name
        })
        .await;
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let admin = Database::connect(&base).await.expect("PostgreSQL answers");
    // A template is copied by one at a time: others are told it is in use.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let guard = ONE.lock().await;
    admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("a database");
    drop(guard);
    admin.close().await.expect("closed");
    format!("{server}/{name}")
}

/// A running server and clients of all its services.
pub struct Server {
    pub address: String,
    pub organizations: v1::organization_service_client::OrganizationServiceClient<Channel>,
    pub vendors: v1::vendor_service_client::VendorServiceClient<Channel>,
    pub subprocessors: v1::subprocessor_service_client::SubprocessorServiceClient<Channel>,
    pub mechanisms: v1::transfer_mechanism_service_client::TransferMechanismServiceClient<Channel>,
    pub notices: v1::change_notification_service_client::ChangeNotificationServiceClient<Channel>,
    pub log: v1::change_log_service_client::ChangeLogServiceClient<Channel>,
    pub registry: v1::registry_service_client::RegistryServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a place.
    pub async fn start(place: &Place) -> Self {
        Self::start_with(place, &[]).await
    }

    /// Starts a server with some settings changed.
    pub async fn start_with(place: &Place, changes: &[(&str, &str)]) -> Self {
        let settings = place.settings(changes);
        let server = run::bind(&settings).await.expect("the server starts");
        let address = format!("http://{}", server.local_addr());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.run(until).await.expect("the server runs");
        });
        let channel = Channel::from_shared(address.clone()).expect("an address").connect().await.expect("connected");
        Self {
            address,
            organizations: v1::organization_service_client::OrganizationServiceClient::new(channel.clone()),
            vendors: v1::vendor_service_client::VendorServiceClient::new(channel.clone()),
            subprocessors: v1::subprocessor_service_client::SubprocessorServiceClient::new(channel.clone()),
            mechanisms: v1::transfer_mechanism_service_client::TransferMechanismServiceClient::new(channel.clone()),
            notices: v1::change_notification_service_client::ChangeNotificationServiceClient::new(channel.clone()),
            log: v1::change_log_service_client::ChangeLogServiceClient::new(channel.clone())
                .max_decoding_message_size(16 * 1024 * 1024),
            registry: v1::registry_service_client::RegistryServiceClient::new(channel),
            stop: Some(stop),
            running,
        }
    }

    /// Stops the server as SIGTERM would and waits for it.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        (&mut self.running).await.expect("the server stopped");
    }

    /// The newest revision.
    pub async fn revision(&mut self) -> i64 {
        let request = v1::ListRevisionsRequest { page_size: 1, ..Default::default() };
        self.log.list_revisions(request).await.expect("revisions").into_inner().revision
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A database with a server on it.
pub async fn fresh(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let server = Server::start(&place).await;
    (place, server)
}

/// Asserts a refusal: its canonical code, its published reason, and (if any are given) exactly these bad fields.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str, fields: &[&str]) -> Status {
    let status = answer.expect_err("a refusal");
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("ErrorInfo in {status:?}"));
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "subprocessor-registry"), "{status:?}");
    if !fields.is_empty() {
        let named: Vec<&str> = details
            .bad_request()
            .unwrap_or_else(|| panic!("BadRequest in {status:?}"))
            .field_violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(named, fields, "{status:?}");
    }
    status
}

/// The preconditions that a refusal names: type and subject.
pub fn preconditions(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations = details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.r#type, violation.subject)).collect()
}

/// Creates an organization.
pub async fn organization(server: &mut Server, id: &str) -> v1::Organization {
    let request = v1::CreateOrganizationRequest {
        organization_id: id.into(),
        organization: Some(v1::Organization { display_name: id.to_uppercase(), ..Default::default() }),
        ..Default::default()
    };
    server.organizations.create_organization(request).await.expect("created").into_inner()
}

/// Creates a vendor with one entity, an address and a contact.
pub async fn vendor(server: &mut Server, id: &str) -> v1::Vendor {
    let entity = v1::Entity {
        entity_id: format!("{id}-inc"),
        legal_name: format!("{id}, Inc."),
        region_code: "US".into(),
        address: Some(v1::Address { lines: vec!["1 Road".into()], ..Default::default() }),
    };
    let contact = v1::Contact { email: format!("privacy@{id}.example"), ..Default::default() };
    let vendor = v1::Vendor {
        display_name: id.to_uppercase(),
        entities: vec![entity],
        contacts: vec![contact],
        ..Default::default()
    };
    let request = v1::CreateVendorRequest { vendor_id: id.into(), vendor: Some(vendor), ..Default::default() };
    server.vendors.create_vendor(request).await.expect("created").into_inner()
}

/// Creates a subprocessor.
pub async fn subprocessor(
    server: &mut Server,
    parent: &str,
    id: &str,
    message: v1::Subprocessor,
) -> Result<v1::Subprocessor, Status> {
    let request = v1::CreateSubprocessorRequest {
        parent: parent.into(),
        subprocessor_id: id.into(),
        subprocessor: Some(message),
        ..Default::default()
    };
    server.subprocessors.create_subprocessor(request).await.map(tonic::Response::into_inner)
}

/// What a refusal says is wrong: field and rule, in its order.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|request| request.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}

/// Changes the fields of a subprocessor that `paths` name.
pub async fn update_subprocessor(
    server: &mut Server,
    message: v1::Subprocessor,
    paths: &[&str],
) -> Result<v1::Subprocessor, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = v1::UpdateSubprocessorRequest {
        subprocessor: Some(v1::Subprocessor { etag: String::new(), ..message }),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    server.subprocessors.update_subprocessor(request).await.map(tonic::Response::into_inner)
}

/// Announces a subprocessor for a day that is far off, so that only the other gates stand before it.
pub async fn announce(server: &mut Server, subprocessor: &str) -> v1::Subprocessor {
    let (parent, id) = subprocessor.split_once("/subprocessors/").expect("a name");
    let kind = v1::notice_change::Kind::Add.into();
    let change = v1::NoticeChange { kind, subprocessor: subprocessor.into(), ..Default::default() };
    let far = prost_types::Timestamp { seconds: 7_000_000_000, nanos: 0 };
    let notice = v1::Notice {
        title: id.into(),
        changes: vec![change],
        requested_effective_time: Some(far),
        ..Default::default()
    };
    let parent = parent.to_owned();
    let request = v1::CreateNoticeRequest { parent, notice: Some(notice), ..Default::default() };
    let name = server.notices.create_notice(request).await.expect("drafted").into_inner().name;
    let mut approve = tonic::Request::new(v1::ApproveNoticeRequest { name: name.clone(), ..Default::default() });
    approve.metadata_mut().insert("x-principal", "approver".parse().expect("a principal"));
    server.notices.approve_notice(approve).await.expect("approved");
    server.notices.publish_notice(v1::PublishNoticeRequest { name, ..Default::default() }).await.expect("published");
    get_subprocessor(server, subprocessor).await
}

/// Puts a subprocessor into use.
pub async fn activate(server: &mut Server, name: &str) -> Result<v1::Subprocessor, Status> {
    let request = v1::ActivateRequest { name: name.into(), ..Default::default() };
    server.subprocessors.activate(request).await.map(tonic::Response::into_inner)
}

/// Stops using a subprocessor for now.
pub async fn suspend(server: &mut Server, name: &str) -> Result<v1::Subprocessor, Status> {
    let request = v1::SuspendRequest { name: name.into(), ..Default::default() };
    server.subprocessors.suspend(request).await.map(tonic::Response::into_inner)
}

/// Ends an engagement, today if `end_date` is empty.
pub async fn retire(server: &mut Server, name: &str, end_date: &str) -> Result<v1::Subprocessor, Status> {
    let request = v1::RetireRequest { name: name.into(), end_date: end_date.into(), ..Default::default() };
    server.subprocessors.retire(request).await.map(tonic::Response::into_inner)
}

/// Reads a subprocessor as it is now.
pub async fn get_subprocessor(server: &mut Server, name: &str) -> v1::Subprocessor {
    let request = v1::GetSubprocessorRequest { name: name.into(), ..Default::default() };
    server.subprocessors.get_subprocessor(request).await.expect("found").into_inner()
}

/// Applies a manifest without pruning.
pub async fn apply(server: &mut Server, manifest: &str) -> Result<v1::ApplyManifestResponse, Status> {
    let request = v1::ApplyManifestRequest { manifest: manifest.into(), ..Default::default() };
    server.registry.apply_manifest(request).await.map(tonic::Response::into_inner)
}

/// An organization's subprocessors as they are now, by name; `organizations/-` for those of all.
pub async fn subprocessors_of(server: &mut Server, parent: &str) -> Vec<v1::Subprocessor> {
    let request = v1::ListSubprocessorsRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
    server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner().subprocessors
}

/// A place without a schema.
pub async fn empty(backend: Backend) -> Place {
    let folder = TempDir::new().expect("a temporary folder");
    let url = match backend {
        Backend::Sqlite => format!("sqlite:{}?mode=rwc", folder.path().join("registry.db").display()),
        Backend::Postgres => {
            let base = postgres_url();
            let (server, _) = base.rsplit_once('/').expect("a URL with a database");
            let name = format!("empty_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
            let admin = Database::connect(&base).await.expect("PostgreSQL answers");
            admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
            admin.close().await.expect("closed");
            format!("{server}/{name}")
        }
    };
    let place = Place { backend, url, folder };
    place.set_clock("2026-03-23T10:00:00Z");
    place
}

impl Server {
    /// A connection of its own.
    pub async fn channel(&self) -> Channel {
        Channel::from_shared(self.address.clone()).expect("an address").connect().await.expect("connected")
    }
}

/// Sends bytes as they are, and takes what comes.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl tonic::codec::Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use bytes::Buf;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// Asks for a page.
pub async fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(server, method, path, headers, "").await
}

/// The same with something to send.
pub async fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let address = server.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answered");
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}
