//! What the resources have in common, so that one test asks all of them.

use std::{collections::BTreeMap, fmt::Debug};

use prost_reflect::ReflectMessage;
use prost_types::{FieldMask, Timestamp};
use subprocessor_registry::proto::v1;
use tonic::{Request, Response, Status};

use crate::support::Server;

/// A list request, whatever it lists. An absent parent is `organizations/-` where there is one.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub parent: String,
    pub page_size: i32,
    pub page_token: String,
    pub filter: String,
    pub order_by: String,
    pub as_of: Option<v1::AsOf>,
    pub show_deleted: bool,
}

/// A page, whatever it lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<R> {
    pub items: Vec<R>,
    pub next: String,
    pub revision: i64,
}

/// How a write is called.
#[derive(Debug, Clone, Default)]
pub struct How {
    pub request_id: String,
    pub validate_only: bool,
    pub principal: String,
}

impl How {
    /// A dry run.
    pub fn dry() -> Self {
        Self { validate_only: true, ..Self::default() }
    }

    /// With a request id.
    pub fn id(id: &str) -> Self {
        Self { request_id: id.into(), ..Self::default() }
    }

    /// A request as this caller sends it.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if !self.principal.is_empty() {
            request.metadata_mut().insert("x-principal", self.principal.parse().expect("ASCII"));
        }
        request
    }
}

/// What every resource begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub name: String,
    pub uid: String,
    pub etag: String,
    pub revision: i64,
    pub create_time: Option<Timestamp>,
    pub update_time: Option<Timestamp>,
    pub delete_time: Option<Timestamp>,
}

/// A resource that can be read.
pub trait Subject: ReflectMessage + Default + Clone + PartialEq + Debug + Send {
    const COLLECTION: &'static str;
    const SINGULAR: &'static str;
    const HAS_PARENT: bool;

    fn head(&self) -> Head;
    /// What it is called by people.
    fn label(&self) -> String;
    async fn get(server: &mut Server, name: &str, as_of: Option<v1::AsOf>) -> Result<Self, Status>;
    async fn list(server: &mut Server, ask: Ask) -> Result<Page<Self>, Status>;

    /// The name of a resource, under organization `acme` where it has a parent.
    fn name(id: &str) -> String {
        let parent = if Self::HAS_PARENT { "organizations/acme/" } else { "" };
        format!("{parent}{}/{id}", Self::COLLECTION)
    }
}

/// A resource that can be written.
pub trait Writable: Subject {
    /// A valid one that people call `label`.
    fn sample(label: &str) -> Self;
    /// The same resource with a name and an etag, to be sent in an update.
    fn with(self, name: &str, etag: &str) -> Self;
    async fn create(s: &mut Server, id: &str, message: Option<Self>, parent: &str, how: &How) -> Result<Self, Status>;
    async fn update(s: &mut Server, message: Option<Self>, mask: Option<FieldMask>, how: &How) -> Result<Self, Status>;
    async fn delete(server: &mut Server, name: &str, etag: &str, how: &How) -> Result<Self, Status>;
    async fn undelete(server: &mut Server, name: &str, etag: &str, how: &How) -> Result<Self, Status>;

    /// Creates one under `acme`, which must be there.
    async fn make(server: &mut Server, id: &str, label: &str) -> Self {
        Self::create(server, id, Some(Self::sample(label)), "organizations/acme", &How::default())
            .await
            .expect("created")
    }
}

macro_rules! subject {
    ($message:ident, $client:ident, $label:ident, $singular:literal, $collection:ident,
     get: $get:ident $get_request:ident, list: $list:ident $list_request:ident $(, parent: $parent:ident)?) => {
        impl Subject for v1::$message {
            const COLLECTION: &'static str = stringify!($collection);
            const SINGULAR: &'static str = $singular;
            const HAS_PARENT: bool = { let has = false; $(let $parent = true; let has = has || $parent;)? has };

            fn head(&self) -> Head {
                Head {
                    name: self.name.clone(),
                    uid: self.uid.clone(),
                    etag: self.etag.clone(),
                    revision: self.revision,
                    create_time: self.create_time,
                    update_time: self.update_time,
                    delete_time: self.delete_time,
                }
            }

            fn label(&self) -> String {
                self.$label.clone()
            }

            async fn get(server: &mut Server, name: &str, as_of: Option<v1::AsOf>) -> Result<Self, Status> {
                #[allow(clippy::needless_update)] // Some kinds have more to ask for.
                let request = v1::$get_request { name: name.into(), as_of, ..Default::default() };
                server.$client.$get(request).await.map(Response::into_inner)
            }

            #[allow(clippy::needless_update)] // Only some lists have more to ask.
            async fn list(server: &mut Server, ask: Ask) -> Result<Page<Self>, Status> {
                let request = v1::$list_request {
                    $($parent: if ask.parent.is_empty() { "organizations/-".into() } else { ask.parent },)?
                    page_size: ask.page_size,
                    page_token: ask.page_token,
                    filter: ask.filter,
                    order_by: ask.order_by,
                    as_of: ask.as_of,
                    show_deleted: ask.show_deleted,
                    ..Default::default()
                };
                let answer = server.$client.$list(request).await?.into_inner();
                Ok(Page { items: answer.$collection, next: answer.next_page_token, revision: answer.revision })
            }
        }
    };
}

macro_rules! writable {
    ($message:ident, $client:ident, $label:ident, $field:ident $id:ident,
     $create:ident $create_request:ident, $update:ident $update_request:ident,
     $delete:ident $delete_request:ident, $undelete:ident $undelete_request:ident
     $(, parent: $parent:ident)? $(, also: { $($also:ident: $value:expr),* })?) => {
        impl Writable for v1::$message {
            fn sample(label: &str) -> Self {
                Self { $label: label.into(), $($($also: $value,)*)? ..Default::default() }
            }

            fn with(self, name: &str, etag: &str) -> Self {
                Self { name: name.into(), etag: etag.into(), ..self }
            }

            async fn create(
                server: &mut Server,
                id: &str,
                message: Option<Self>,
                parent: &str,
                how: &How,
            ) -> Result<Self, Status> {
                let _ = parent;
                let request = v1::$create_request {
                    $($parent: parent.into(),)?
                    $id: id.into(),
                    $field: message,
                    request_id: how.request_id.clone(),
                    validate_only: how.validate_only,
                };
                server.$client.$create(how.request(request)).await.map(Response::into_inner)
            }

            async fn update(
                server: &mut Server,
                message: Option<Self>,
                update_mask: Option<FieldMask>,
                how: &How,
            ) -> Result<Self, Status> {
                #[allow(clippy::needless_update)] // Some kinds have more to say.
                let request = v1::$update_request {
                    $field: message,
                    update_mask,
                    request_id: how.request_id.clone(),
                    validate_only: how.validate_only,
                    ..Default::default()
                };
                server.$client.$update(how.request(request)).await.map(Response::into_inner)
            }

            async fn delete(server: &mut Server, name: &str, etag: &str, how: &How) -> Result<Self, Status> {
                let request = v1::$delete_request {
                    name: name.into(),
                    etag: etag.into(),
                    request_id: how.request_id.clone(),
                    validate_only: how.validate_only,
                };
                server.$client.$delete(how.request(request)).await.map(Response::into_inner)
            }

            async fn undelete(server: &mut Server, name: &str, etag: &str, how: &How) -> Result<Self, Status> {
                let request = v1::$undelete_request {
                    name: name.into(),
                    etag: etag.into(),
                    request_id: how.request_id.clone(),
                    validate_only: how.validate_only,
                };
                server.$client.$undelete(how.request(request)).await.map(Response::into_inner)
            }
        }
    };
}

subject!(Organization, organizations, display_name, "organization", organizations,
    get: get_organization GetOrganizationRequest, list: list_organizations ListOrganizationsRequest);
subject!(Document, organizations, title, "document", documents,
    get: get_document GetDocumentRequest, list: list_documents ListDocumentsRequest, parent: parent);
subject!(Customer, organizations, display_name, "customer", customers,
    get: get_customer GetCustomerRequest, list: list_customers ListCustomersRequest, parent: parent);
subject!(Vendor, vendors, display_name, "vendor", vendors,
    get: get_vendor GetVendorRequest, list: list_vendors ListVendorsRequest);
subject!(Subprocessor, subprocessors, display_name, "subprocessor", subprocessors,
    get: get_subprocessor GetSubprocessorRequest, list: list_subprocessors ListSubprocessorsRequest, parent: parent);
subject!(Instrument, mechanisms, title, "instrument", instruments,
    get: get_instrument GetInstrumentRequest, list: list_instruments ListInstrumentsRequest);

writable!(Organization, organizations, display_name, organization organization_id,
    create_organization CreateOrganizationRequest, update_organization UpdateOrganizationRequest,
    delete_organization DeleteOrganizationRequest, undelete_organization UndeleteOrganizationRequest);
writable!(Document, organizations, title, document document_id,
    create_document CreateDocumentRequest, update_document UpdateDocumentRequest,
    delete_document DeleteDocumentRequest, undelete_document UndeleteDocumentRequest,
    parent: parent, also: { kind: v1::document::Kind::Dpa.into() });
writable!(Customer, organizations, display_name, customer customer_id,
    create_customer CreateCustomerRequest, update_customer UpdateCustomerRequest,
    delete_customer DeleteCustomerRequest, undelete_customer UndeleteCustomerRequest, parent: parent);
writable!(Vendor, vendors, display_name, vendor vendor_id,
    create_vendor CreateVendorRequest, update_vendor UpdateVendorRequest,
    delete_vendor DeleteVendorRequest, undelete_vendor UndeleteVendorRequest);
writable!(Subprocessor, subprocessors, display_name, subprocessor subprocessor_id,
    create_subprocessor CreateSubprocessorRequest, update_subprocessor UpdateSubprocessorRequest,
    delete_subprocessor DeleteSubprocessorRequest, undelete_subprocessor UndeleteSubprocessorRequest,
    parent: parent);

subject!(Transfer, mechanisms, importer_scope, "transfer", transfers,
    get: get_transfer GetTransferRequest, list: list_transfers ListTransfersRequest, parent: parent);
writable!(Instrument, mechanisms, title, instrument instrument_id,
    create_instrument CreateInstrumentRequest, update_instrument UpdateInstrumentRequest,
    delete_instrument DeleteInstrumentRequest, undelete_instrument UndeleteInstrumentRequest,
    also: { kind: v1::instrument::Kind::Other.into() });
writable!(Transfer, mechanisms, importer_scope, transfer transfer_id,
create_transfer CreateTransferRequest, update_transfer UpdateTransferRequest,
delete_transfer DeleteTransferRequest, undelete_transfer UndeleteTransferRequest,
parent: parent, also: {
    regime: v1::Regime::EuGdpr.into(), exporter: "customers".into(), importer: "organizations/acme".into()
});

/// Runs a generic check on every kind that can be written.
macro_rules! each_writable {
    ($check:ident($server:expr $(, $argument:expr)*)) => {
        each_labelled!($check($server $(, $argument)*));
        $check::<v1::Transfer>($server $(, $argument)*).await;
    };
}

/// Runs a generic check on every kind that can be written and must have a name that people call it by.
macro_rules! each_labelled {
    ($check:ident($server:expr $(, $argument:expr)*)) => {
        $check::<v1::Vendor>($server $(, $argument)*).await;
        $check::<v1::Organization>($server $(, $argument)*).await;
        $check::<v1::Document>($server $(, $argument)*).await;
        $check::<v1::Subprocessor>($server $(, $argument)*).await;
        $check::<v1::Customer>($server $(, $argument)*).await;
        $check::<v1::Instrument>($server $(, $argument)*).await;
    };
}
pub(super) use each_labelled;
pub(super) use each_writable;

/// A mask.
pub fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

/// `as_of` a revision.
pub fn at(revision: i64) -> Option<v1::AsOf> {
    Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) })
}

/// `as_of` a time, in seconds and nanoseconds.
pub fn at_time(seconds: i64, nanos: i32) -> Option<v1::AsOf> {
    Some(v1::AsOf { point: Some(v1::as_of::Point::Time(Timestamp { seconds, nanos })) })
}

/// The ids of a page.
pub fn ids<R: Subject>(page: &Page<R>) -> Vec<String> {
    page.items.iter().map(|item| item.head().name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// The labels of a page.
pub fn labels<R: Subject>(page: &Page<R>) -> Vec<String> {
    page.items.iter().map(Subject::label).collect()
}

/// Reads a whole list page by page; every page must show the same revision.
pub async fn walk<R: Subject>(server: &mut Server, ask: Ask) -> Vec<R> {
    let mut all = Vec::new();
    let mut ask = ask;
    let mut revision = None;
    for _ in 0..1_500 {
        let page = R::list(server, ask.clone()).await.expect("a page");
        assert_eq!(*revision.get_or_insert(page.revision), page.revision, "all pages from one revision");
        all.extend(page.items);
        if page.next.is_empty() {
            return all;
        }
        ask.page_token = page.next;
    }
    panic!("a list without end: {ask:?}");
}

/// What cannot be the same in two answers to one request, taken out.
pub fn anonymous<R: Writable>(message: &R) -> R {
    let mut dynamic = message.transcode_to_dynamic();
    for field in ["uid", "etag"] {
        dynamic.clear_field_by_name(field);
    }
    dynamic.transcode_to().expect("the same message")
}

/// Entries of a map.
pub fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// No answer carries what only the database says.
#[track_caller]
pub fn no_driver_text(status: &Status) {
    let details = String::from_utf8_lossy(status.details()).to_lowercase();
    let text = format!("{} {details}", status.message().to_lowercase());
    for word in
        ["sqlx", "sqlite", "postgres", "sea_orm", "syntax error", "constraint", "select ", "insert into", "btree"]
    {
        assert!(!text.contains(word), "{word} in {status:?}");
    }
}
