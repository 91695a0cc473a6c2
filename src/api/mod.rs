//! The services, one file each: unwrap the request, one call into the store, wrap the answer. What every method does
//! alike stands here.

mod assess;
mod change_log;
mod evidence;
mod findings;
mod notification;
mod organization;
mod paper;
mod registry;
mod simulate;
mod subprocessor;
mod subscription;
mod transfer_mechanism;
mod vendor;
mod watch;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request as AxumRequest, State},
    middleware::Next,
    response::Response as AxumResponse,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, codec::CompressionEncoding, service::Routes};

use crate::{
    call::{Call, Principal},
    error::{Error, Result, causes},
    metrics::Metrics,
    notify::channels::Channels,
    proto::v1,
    resource::{
        filter,
        name::{Kind, Name, Parent},
        page::{self, Query},
        shape::Violations,
        text,
    },
    store::{
        Store,
        read::{AsOf, List},
        standard::{self, Managed},
        version::Resource,
    },
    trace,
};

/// What the handlers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    store: Store,
    options: Options,
    channels: Arc<Channels>,
    stopping: CancellationToken,
}

/// What handlers can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest request, in bytes.
    pub max_request_bytes: usize,
    /// Revisions that a stream holds for a reader that is slower than the log.
    pub watch_buffer: usize,
    /// How long a stream that is full waits for its reader, and then for it to take the reason of its end.
    pub slow_reader_grace: Duration,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_request_bytes: 4 * 1024 * 1024,
            watch_buffer: 64,
            slow_reader_grace: Duration::from_secs(10),
            metrics: Metrics::none(),
        }
    }
}

impl Api {
    /// The handlers over a store. Streams end when `stopping` is cancelled.
    pub fn new(store: Store, options: Options, channels: Arc<Channels>, stopping: CancellationToken) -> Self {
        Self { store, options, channels, stopping }
    }

    /// What they can send by.
    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// What they read from.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

/// All services.
pub fn routes(api: &Api) -> Routes {
    let most = api.options.max_request_bytes;
    macro_rules! service {
        ($module:ident :: $server:ident) => {
            v1::$module::$server::new(api.clone())
                .max_decoding_message_size(most)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .send_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Zstd)
        };
    }
    let services = Routes::new(service!(organization_service_server::OrganizationServiceServer))
        .add_service(service!(vendor_service_server::VendorServiceServer))
        .add_service(service!(subprocessor_service_server::SubprocessorServiceServer))
        .add_service(service!(transfer_mechanism_service_server::TransferMechanismServiceServer))
        .add_service(service!(change_notification_service_server::ChangeNotificationServiceServer))
        .add_service(service!(change_log_service_server::ChangeLogServiceServer))
        .add_service(service!(registry_service_server::RegistryServiceServer));
    current(api, services.into_axum_router()).into()
}

/// Handlers that answer nobody from before what is due.
pub(crate) fn current(api: &Api, handlers: Router) -> Router {
    handlers.layer(axum::middleware::from_fn_with_state(api.store.clone(), after_what_is_due))
}

/// Lets time catch up before a call. If that fails the call is answered all the same: the schedule tries again.
async fn after_what_is_due(State(store): State<Store>, request: AxumRequest, next: Next) -> AxumResponse {
    if let Err(error) = store.catch_up().await {
        tracing::warn!(%error, cause = %causes(&error), "what is due could not be applied");
    }
    next.run(request).await
}

/// What a handler returns.
type Answer<T> = std::result::Result<Response<T>, Status>;

/// A request that writes.
trait Mutation: Message + Clone + Default {
    fn request_id(&mut self) -> &mut String;
    fn validate_only(&mut self) -> &mut bool;
}

macro_rules! mutations {
    ($($request:ident),* $(,)?) => {
        $(impl Mutation for v1::$request {
            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }

            fn validate_only(&mut self) -> &mut bool {
                &mut self.validate_only
            }
        })*
    };
}

mutations!(
    CreateOrganizationRequest,
    UpdateOrganizationRequest,
    DeleteOrganizationRequest,
    UndeleteOrganizationRequest,
    CreateDocumentRequest,
    UpdateDocumentRequest,
    DeleteDocumentRequest,
    UndeleteDocumentRequest,
    CreateCustomerRequest,
    UpdateCustomerRequest,
    DeleteCustomerRequest,
    UndeleteCustomerRequest,
    CreateVendorRequest,
    UpdateVendorRequest,
    DeleteVendorRequest,
    UndeleteVendorRequest,
    CreateSubprocessorRequest,
    UpdateSubprocessorRequest,
    DeleteSubprocessorRequest,
    UndeleteSubprocessorRequest,
    CreateInstrumentRequest,
    UpdateInstrumentRequest,
    DeleteInstrumentRequest,
    UndeleteInstrumentRequest,
    CreateCertificationRequest,
    UpdateCertificationRequest,
    DeleteCertificationRequest,
    UndeleteCertificationRequest,
    CreateTransferRequest,
    UpdateTransferRequest,
    DeleteTransferRequest,
    UndeleteTransferRequest,
    CreateNoticeRequest,
    UpdateNoticeRequest,
    DeleteNoticeRequest,
    UndeleteNoticeRequest,
    ApproveNoticeRequest,
    PublishNoticeRequest,
    WithdrawNoticeRequest,
    AcknowledgeNoticeRequest,
    AuthorizeNoticeRequest,
    DenyNoticeRequest,
    AskNoticeQuestionRequest,
    AnswerNoticeQuestionRequest,
    RecordDeliveryRequest,
    CreateObjectionRequest,
    UpdateObjectionRequest,
    ResolveObjectionRequest,
    CreateSubscriptionRequest,
    UpdateSubscriptionRequest,
    DeleteSubscriptionRequest,
    UndeleteSubscriptionRequest,
    VerifySubscriptionRequest,
    TestSubscriptionRequest,
    RotateSubscriptionSecretRequest,
    RetryDeliveryRequest,
    ReplayDeliveriesRequest,
    ReportBounceRequest,
    ActivateRequest,
    SuspendRequest,
    RetireRequest,
    ErasePersonalDataRequest,
    ApplyManifestRequest,
    AcknowledgeFindingRequest,
);

/// Who calls, and what, taken from a request that writes. The request's own id and dry run are taken out of it: what is
/// left is what the same id must come with again.
fn mutation<R: Mutation>(request: Request<R>, method: &'static str) -> (Call, R) {
    let principal = request.extensions().get::<Principal>().cloned().unwrap_or_else(Principal::anonymous);
    let mut message = request.into_inner();
    let request_id = std::mem::take(message.request_id());
    let validate_only = std::mem::take(message.validate_only());
    let request_digest = Sha256::digest(message.encode_to_vec()).into();
    let principal = principal.as_str().to_owned();
    let call = Call { principal, method, request_id, request_digest, validate_only, trace: trace::current() };
    (call, message)
}

/// A request for a page.
trait PageRequest {
    fn parent(&self) -> Option<&str>;
    fn page_size(&self) -> i32;
    fn page_token(&self) -> &str;
    fn filter(&self) -> &str;
    fn order_by(&self) -> &str;
    fn as_of(&self) -> Option<&v1::AsOf>;
    fn show_deleted(&self) -> bool;
    fn effective_at(&self) -> &str {
        ""
    }
    /// For whom: what is listed is what applies to this customer.
    fn customer(&self) -> &str {
        ""
    }
}

macro_rules! page_request {
    ($request:ident, parent: $parent:expr $(, effective_at: $effective_at:expr)? $(, customer: $customer:expr)?) => {
        impl PageRequest for v1::$request {
            fn parent(&self) -> Option<&str> {
                let parent: fn(&Self) -> Option<&str> = $parent;
                parent(self)
            }

            fn page_size(&self) -> i32 {
                self.page_size
            }

            fn page_token(&self) -> &str {
                &self.page_token
            }

            fn filter(&self) -> &str {
                &self.filter
            }

            fn order_by(&self) -> &str {
                &self.order_by
            }

            fn as_of(&self) -> Option<&v1::AsOf> {
                self.as_of.as_ref()
            }

            fn show_deleted(&self) -> bool {
                self.show_deleted
            }

            $(fn effective_at(&self) -> &str {
                let effective_at: fn(&Self) -> &str = $effective_at;
                effective_at(self)
            })?

            $(fn customer(&self) -> &str {
                let customer: fn(&Self) -> &str = $customer;
                customer(self)
            })?
        }
    };
}

page_request!(ListOrganizationsRequest, parent: |_| None);
page_request!(ListVendorsRequest, parent: |_| None);
page_request!(ListInstrumentsRequest, parent: |_| None);
page_request!(ListDocumentsRequest, parent: |r| Some(&r.parent));
page_request!(ListCustomersRequest, parent: |r| Some(&r.parent));
page_request!(
    ListSubprocessorsRequest,
    parent: |r| Some(&r.parent),
    effective_at: |r| &r.effective_at,
    customer: |r| &r.customer
);
page_request!(ListCertificationsRequest, parent: |r| Some(&r.parent), effective_at: |r| &r.effective_at);
page_request!(ListAcknowledgementsRequest, parent: |r| Some(&r.parent));
page_request!(ListNoticesRequest, parent: |r| Some(&r.parent));
page_request!(ListNoticeRecipientsRequest, parent: |r| Some(&r.parent));
page_request!(ListObjectionsRequest, parent: |r| Some(&r.parent));
page_request!(ListSubscriptionsRequest, parent: |r| Some(&r.parent));
page_request!(ListTransfersRequest, parent: |r| Some(&r.parent), effective_at: |r| &r.effective_at);

/// The point in known time that a request asks for in `as_of`.
///
/// # Errors
/// FIELD_INVALID for a time that cannot be one.
fn as_of(message: Option<&v1::AsOf>) -> Result<Option<AsOf>> {
    point("as_of", message)
}

/// The point in known time that a request asks for in `field`.
///
/// # Errors
/// FIELD_INVALID for a revision or a time that cannot be one.
fn point(field: &str, message: Option<&v1::AsOf>) -> Result<Option<AsOf>> {
    use v1::as_of::Point;
    match message.map(|as_of| &as_of.point) {
        None => Ok(None),
        Some(None) => Err(Error::field(field, "must have a revision or a time")),
        Some(Some(Point::Revision(number))) if *number < 0 => {
            Err(Error::field(format!("{field}.revision"), format!("must not be negative, but is {number}")))
        }
        Some(Some(Point::Revision(number))) => Ok(Some(AsOf::Revision(*number))),
        Some(Some(Point::Time(time))) => text::instant(time.seconds, time.nanos)
            .map(|instant| Some(AsOf::Time(instant)))
            .map_err(|rule| Error::field(format!("{field}.time"), rule)),
    }
}

/// An ISO 8601 day that a request may leave out.
///
/// # Errors
/// FIELD_INVALID for what is no date.
fn day<'a>(field: &str, text: &'a str) -> Result<Option<&'a str>> {
    if text.is_empty() {
        return Ok(None);
    }
    text::date(text).map(|_| Some(text)).map_err(|rule| Error::field(field, rule))
}

/// What a field says; what is wrong with it is kept, so that all of it is said at once.
fn take<T>(read: Result<T>, wrong: &mut Violations) -> Option<T> {
    read.map_err(|error| {
        wrong.extend(error.field_violations().map(|(field, rule)| (field.to_owned(), rule.to_owned())))
    })
    .ok()
}

/// A page and what goes with it in the answer.
struct Listed<R> {
    items: Vec<R>,
    next_page_token: String,
    revision: i64,
}

impl Api {
    async fn get<R: Resource>(&self, name: &str, at: Option<&v1::AsOf>) -> Answer<R> {
        let name = Name::of(R::KIND, "name", name)?;
        Ok(Response::new(self.store.get(&name, as_of(at)?).await?))
    }

    async fn list<R: Resource>(&self, request: &impl PageRequest) -> Result<Listed<R>> {
        let size = page::size(request.page_size())?;
        let parent = request.parent().map_or(Ok(Parent::Any), |text| Parent::of(R::KIND, text))?;
        let filter = filter::parse(request.filter(), R::FIELDS)?;
        let order = filter::order(request.order_by(), R::FIELDS)?;
        let effective_at = day("effective_at", request.effective_at())?;
        let at = as_of(request.as_of())?;
        let point = format!("{at:?}");
        let mut asked = vec![
            request.parent().unwrap_or_default(),
            request.filter(),
            request.order_by(),
            request.effective_at(),
            &point,
            if request.show_deleted() { "deleted" } else { "" },
        ];
        asked.extend(Some(request.customer()).filter(|customer| !customer.is_empty()));
        let query = Query::of(R::KIND.collection(), &asked);
        let after = query.position(request.page_token())?;
        let revision = match &after {
            Some(position) => self.store.revision_at(Some(AsOf::Revision(position.revision))).await?,
            None => self.store.revision_at(at).await?,
        };
        let list = List {
            parent: &parent,
            filter: filter.as_ref(),
            effective_at,
            held_too: !request.customer().is_empty(),
            order,
            show_deleted: request.show_deleted(),
            after: after.as_ref(),
            revision,
            size,
        };
        let page = self.store.list::<R>(&list).await?;
        let next_page_token = page.next.map(|position| query.token(&position)).unwrap_or_default();
        Ok(Listed { items: page.items, next_page_token, revision })
    }

    async fn create<R: Managed>(&self, call: Call, parent: Option<&str>, id: &str, message: Option<&R>) -> Answer<R> {
        let creation = standard::creation(parent, id, message)?;
        let created = self.store.write(call, |writer| Box::pin(writer.create(creation))).await?;
        Ok(Response::new(created))
    }

    async fn update<R: Managed>(
        &self,
        call: Call,
        message: Option<R>,
        mask: Option<prost_types::FieldMask>,
    ) -> Answer<R> {
        let change = standard::change(message, mask)?;
        let updated = self.store.write(call, |writer| Box::pin(writer.update(change))).await?;
        Ok(Response::new(updated))
    }

    async fn delete<R: Managed>(&self, call: Call, name: &str, etag: String) -> Answer<R> {
        let name = Name::of(R::KIND, "name", name)?;
        let deleted =
            self.store.write(call, |writer| Box::pin(async move { writer.delete(&name, &etag).await })).await?;
        Ok(Response::new(deleted))
    }

    async fn undelete<R: Managed>(&self, call: Call, name: &str, etag: String) -> Answer<R> {
        let name = Name::of(R::KIND, "name", name)?;
        let undeleted =
            self.store.write(call, |writer| Box::pin(async move { writer.undelete(&name, &etag).await })).await?;
        Ok(Response::new(undeleted))
    }
}

/// The kinds that words such as `subprocessors` name.
fn kinds(field: &str, words: &[String]) -> Result<Vec<Kind>> {
    words
        .iter()
        .enumerate()
        .map(|(i, word)| {
            Kind::from_collection(word).ok_or_else(|| {
                let known = Kind::ALL.map(Kind::collection).join(", ");
                Error::field(
                    format!("{field}[{i}]"),
                    format!("must be one of {known}, not \"{}\"", crate::error::clip(word)),
                )
            })
        })
        .collect()
}
