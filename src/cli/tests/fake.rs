//! A server with just enough of the registry to run commands against.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use tokio::sync::oneshot;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    call::Principal,
    config::{Flags, Settings},
    error::{Error, Reason},
    proto::v1::*,
    server::Server,
};

mod notices;

pub(super) use notices::RECIPIENTS;

/// How many vendors there are.
pub(super) const VENDORS: usize = 450;

/// What the commands did to it.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    pub(super) applied: Vec<ApplyManifestRequest>,
    pub(super) lists: Vec<ListVendorsRequest>,
    pub(super) gets: Vec<GetVendorRequest>,
    pub(super) watches: Vec<WatchChangesRequest>,
    pub(super) erased: Vec<ErasePersonalDataRequest>,
    pub(super) resolved: Vec<ResolveVendorsRequest>,
    pub(super) told: notices::Told,
    pub(super) principals: Vec<String>,
    /// Calls that are answered UNAVAILABLE before one is answered.
    pub(super) unavailable: usize,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Seen>>);

impl Fake {
    fn see<M>(&self, request: &Request<M>) -> Result<std::sync::MutexGuard<'_, Seen>, Status> {
        let mut seen = self.0.lock().expect("not poisoned");
        let principal = request.extensions().get::<Principal>().expect("a principal");
        seen.principals.push(principal.to_string());
        if seen.unavailable > 0 {
            seen.unavailable -= 1;
            return Err(Error::new(Reason::DatabaseUnavailable, "try again").into());
        }
        Ok(seen)
    }
}

type Answer<M> = Result<Response<M>, Status>;

fn unused<M>() -> Answer<M> {
    Err(Status::unimplemented(""))
}

fn vendor(number: usize) -> Vendor {
    Vendor {
        name: format!("vendors/v{number}"),
        display_name: format!("Vendor {number}"),
        entities: vec![Entity { legal_name: "Example, Inc.".into(), region_code: "US".into(), ..Default::default() }],
        origin: vendor::Origin::Catalog.into(),
        revision: 3,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl vendor_service_server::VendorService for Fake {
    async fn get_vendor(&self, request: Request<GetVendorRequest>) -> Answer<Vendor> {
        self.see(&request)?.gets.push(request.get_ref().clone());
        match request.get_ref().name.strip_prefix("vendors/v").and_then(|number| number.parse().ok()) {
            Some(number) => Ok(Response::new(vendor(number))),
            None => Err(Error::not_found("vendor", &request.get_ref().name).into()),
        }
    }

    async fn list_vendors(&self, request: Request<ListVendorsRequest>) -> Answer<ListVendorsResponse> {
        self.see(&request)?.lists.push(request.get_ref().clone());
        let request = request.into_inner();
        let begin: usize = request.page_token.parse().unwrap_or(0);
        let end = VENDORS.min(begin + usize::try_from(request.page_size).expect("positive"));
        Ok(Response::new(ListVendorsResponse {
            vendors: (begin..end).map(vendor).collect(),
            next_page_token: if end < VENDORS { end.to_string() } else { String::new() },
            revision: 3,
        }))
    }

    async fn create_vendor(&self, _: Request<CreateVendorRequest>) -> Answer<Vendor> {
        unused()
    }

    async fn update_vendor(&self, _: Request<UpdateVendorRequest>) -> Answer<Vendor> {
        unused()
    }

    async fn delete_vendor(&self, _: Request<DeleteVendorRequest>) -> Answer<Vendor> {
        unused()
    }

    async fn undelete_vendor(&self, _: Request<UndeleteVendorRequest>) -> Answer<Vendor> {
        unused()
    }

    async fn trace_vendor(&self, _: Request<TraceVendorRequest>) -> Answer<TraceVendorResponse> {
        unused()
    }

    /// `x…` is unknown, `bad` is refused, and everything else is the first vendor's entity. Writes go on meanwhile.
    async fn resolve_vendors(&self, request: Request<ResolveVendorsRequest>) -> Answer<ResolveVendorsResponse> {
        let mut seen = self.see(&request)?;
        seen.resolved.push(request.get_ref().clone());
        let known = VendorMatch {
            vendor: "vendors/v0".into(),
            entity_id: "inc".into(),
            score: 0.93,
            via: vendor_match::Via::LegalName.into(),
            matched: "Vendor 0, Inc.".into(),
            reason: "It is like it.".into(),
            ..Default::default()
        };
        let ResolveVendorsRequest { names, as_of, .. } = request.into_inner();
        if let Some(bad) = names.iter().position(|name| name == "bad") {
            return Err(Error::field(format!("names[{bad}]"), "is empty").into());
        }
        let matches = |name: &str| if name.starts_with('x') { vec![] } else { vec![known.clone()] };
        let results = names.into_iter().map(|name| ResolvedName { matches: matches(&name), name }).collect();
        let revision = match as_of.and_then(|as_of| as_of.point) {
            Some(as_of::Point::Revision(revision)) => revision,
            _ => i64::try_from(seen.resolved.len()).expect("few") + 6,
        };
        Ok(Response::new(ResolveVendorsResponse { results, revision }))
    }
}

#[tonic::async_trait]
impl registry_service_server::RegistryService for Fake {
    /// A manifest `same` changes nothing, one with `bad` is invalid.
    async fn apply_manifest(&self, request: Request<ApplyManifestRequest>) -> Answer<ApplyManifestResponse> {
        self.see(&request)?.applied.push(request.get_ref().clone());
        let request = request.into_inner();
        if request.manifest.contains("bad") {
            let fields = [("vendors[0].id", "line 12: must not be empty"), ("organization", "line 1: is missing")];
            let fields = fields.map(|(field, rule)| (field.to_owned(), rule.to_owned())).to_vec();
            return Err(Error::fields(Reason::ManifestInvalid, fields).into());
        }
        let diff = FieldDiff { path: "display_name".into(), before: "\"A\"".into(), after: "\"B\"".into() };
        let change = PlannedChange {
            action: planned_change::Action::Update.into(),
            resource_name: "vendors/a".into(),
            field_diffs: vec![diff],
        };
        let plan = if request.manifest.contains("same") { vec![] } else { vec![change] };
        let revision = if request.validate_only || plan.is_empty() { 3 } else { 4 };
        Ok(Response::new(ApplyManifestResponse { revision, plan }))
    }

    async fn export_manifest(&self, request: Request<ExportManifestRequest>) -> Answer<ExportManifestResponse> {
        drop(self.see(&request)?);
        let ExportManifestRequest { name, format, .. } = request.into_inner();
        let manifest = format!("{name} in format {format}");
        Ok(Response::new(ExportManifestResponse { manifest, revision: 3, states_left_out: 0 }))
    }

    async fn get_manifest_schema(
        &self,
        request: Request<GetManifestSchemaRequest>,
    ) -> Answer<GetManifestSchemaResponse> {
        drop(self.see(&request)?);
        Ok(Response::new(GetManifestSchemaResponse { json_schema: "{}".into() }))
    }
}

#[tonic::async_trait]
impl change_log_service_server::ChangeLogService for Fake {
    type WatchChangesStream = Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;

    /// Sends the next revision and a checkpoint after it, then stops; the third time there is no such history.
    async fn watch_changes(&self, request: Request<WatchChangesRequest>) -> Answer<Self::WatchChangesStream> {
        let mut seen = self.see(&request)?;
        seen.watches.push(request.get_ref().clone());
        if seen.watches.len() > 2 {
            return Err(Error::new(Reason::LogNotYetWritten, "no such revision").with("revision", 9).into());
        }
        let number = request.get_ref().after_revision.unwrap_or(0) + 1;
        let change =
            Change { resource_name: "vendors/a".into(), kind: change::Kind::Created.into(), ..Default::default() };
        let hash = vec![u8::try_from(number).expect("small"); 32];
        let revision = Revision { number, changes: vec![change], principal: "ops".into(), ..Default::default() };
        let checkpoint = Checkpoint { revision: number + 1, hash, commit_time: None };
        let message = |event| Ok(WatchChangesResponse { event: Some(event) });
        Ok(Response::new(Box::pin(tokio_stream::iter([
            message(watch_changes_response::Event::Revision(revision)),
            message(watch_changes_response::Event::Checkpoint(checkpoint)),
            Err(Error::new(Reason::ServerStopping, "stopping").into()),
        ]))))
    }

    async fn get_revision(&self, _: Request<GetRevisionRequest>) -> Answer<Revision> {
        unused()
    }

    async fn list_revisions(&self, _: Request<ListRevisionsRequest>) -> Answer<ListRevisionsResponse> {
        unused()
    }

    /// Verified, unless something else is expected.
    async fn verify_change_log(&self, request: Request<VerifyChangeLogRequest>) -> Answer<VerifyChangeLogResponse> {
        drop(self.see(&request)?);
        let verified = request.get_ref().expected_revision == 0;
        let problem = Problem {
            revision: request.get_ref().expected_revision,
            kind: problem::Kind::ExpectedHashMismatch.into(),
            text: "another hash".into(),
            ..Default::default()
        };
        let problems = if verified { vec![] } else { vec![problem] };
        Ok(Response::new(VerifyChangeLogResponse {
            verified,
            from_revision: 1,
            to_revision: 3,
            to_hash: vec![0xab; 32],
            changes_checked: 9,
            problem_count: i64::try_from(problems.len()).expect("few"),
            problems,
        }))
    }

    async fn erase_personal_data(
        &self,
        request: Request<ErasePersonalDataRequest>,
    ) -> Answer<ErasePersonalDataResponse> {
        self.see(&request)?.erased.push(request.get_ref().clone());
        Ok(Response::new(ErasePersonalDataResponse { revision: 4, versions_erased: 2, current_version_kept: true }))
    }
}

/// A running fake; commands run beside it, each with a runtime of its own.
pub(super) struct Running {
    pub(super) endpoint: String,
    fake: Fake,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start() -> Self {
        let fake = Fake::default();
        let routes = Routes::new(vendor_service_server::VendorServiceServer::new(fake.clone()))
            .add_service(registry_service_server::RegistryServiceServer::new(fake.clone()))
            .add_service(change_notification_service_server::ChangeNotificationServiceServer::new(fake.clone()))
            .add_service(change_log_service_server::ChangeLogServiceServer::new(fake.clone()));
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let flags = Flags { listen: Some("127.0.0.1:0".into()), ..Flags::default() };
                let settings = Settings::load(&flags, &Default::default()).expect("settings");
                let server = Server::bind(&settings.server, routes, CancellationToken::new()).await.expect("bound");
                bound.send(server.local_addr()).expect("awaited");
                server.run(async { drop(stopped.await) }).await.expect("served");
            });
        });
        let endpoint = format!("http://{}", address.recv().expect("bound"));
        Self { endpoint, fake, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn seen(&self) -> Seen {
        self.fake.0.lock().expect("not poisoned").clone()
    }

    pub(super) fn be_unavailable(&self, times: usize) {
        self.fake.0.lock().expect("not poisoned").unavailable = times;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok());
        }
    }
}
