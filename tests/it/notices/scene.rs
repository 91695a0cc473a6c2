//! An organization with customers, whose changes are told.

use prost_types::{FieldMask, Timestamp};
use subprocessor_registry::proto::v1::{
    self, Agreement, Notice, NoticeChange, NoticeRecipient,
    agreement::Authorization,
    notice::State,
    notice_change::Kind,
    notice_policy::{Enforcement, Rollout},
};
use tonic::{Code, Request, Response, Status};

use crate::support::{Backend, Place, Server, vendor};

pub const ACME: &str = "organizations/acme";

/// An instant.
pub fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().expect("an instant");
    Timestamp { seconds: instant.as_second(), nanos: 0 }
}

/// An instant as it is read.
pub fn read(time: Option<&Timestamp>) -> String {
    time.map_or_else(String::new, |time| {
        jiff::Timestamp::new(time.seconds, time.nanos).expect("an instant").to_string()
    })
}

pub fn customer(id: &str) -> String {
    format!("{ACME}/customers/{id}")
}

pub fn engagement(id: &str) -> String {
    format!("{ACME}/subprocessors/{id}")
}

pub fn notice(id: &str) -> String {
    format!("{ACME}/notices/{id}")
}

/// A general authorization with notice and objection days.
pub fn general(notice_days: i32, objection_days: i32) -> Agreement {
    Agreement {
        authorization: Authorization::General.into(),
        notice_days: Some(notice_days),
        objection_days: Some(objection_days),
        ..Agreement::default()
    }
}

/// The same as a specific one.
pub fn specific(notice_days: i32, objection_days: i32) -> Agreement {
    Agreement { authorization: Authorization::Specific.into(), ..general(notice_days, objection_days) }
}

/// A change that adds a subprocessor that does not exist yet.
pub fn add(id: &str) -> NoticeChange {
    NoticeChange {
        kind: Kind::Add.into(),
        subprocessor: engagement(id),
        proposed: Some(proposal(id)),
        ..NoticeChange::default()
    }
}

/// The same of one that the page does not show.
pub fn add_unseen(id: &str) -> NoticeChange {
    NoticeChange { proposed: Some(v1::Subprocessor { listed: false, ..proposal(id) }), ..add(id) }
}

/// What the page shows, and what meets every gate but that of the notice.
pub fn proposal(id: &str) -> v1::Subprocessor {
    v1::Subprocessor {
        display_name: id.to_uppercase(),
        vendor: "vendors/aws".into(),
        role: v1::Role::SubProcessor.into(),
        purposes: vec!["Hosting".into()],
        dpa: Some(v1::Dpa { status: v1::dpa::Status::Signed.into(), ..Default::default() }),
        section: id.into(),
        listed: true,
        ..Default::default()
    }
}

/// A change of some fields.
pub fn change(kind: Kind, id: &str, proposed: v1::Subprocessor, fields: &[&str]) -> NoticeChange {
    NoticeChange {
        kind: kind.into(),
        subprocessor: engagement(id),
        proposed: Some(proposed),
        update_mask: Some(FieldMask { paths: fields.iter().map(|field| (*field).to_owned()).collect() }),
        ..NoticeChange::default()
    }
}

/// A policy under which what must wait comes about through notices only.
pub fn required() -> v1::NoticePolicy {
    v1::NoticePolicy { enforcement: Enforcement::Required.into(), ..Default::default() }
}

/// What becomes of an organization whose policy is REQUIRED.
pub struct Scene {
    pub place: Place,
    pub server: Server,
}

impl Scene {
    /// `acme`, where gates refuse, with the vendor `aws`.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, required()).await
    }

    pub async fn with(backend: Backend, policy: v1::NoticePolicy) -> Self {
        Self::set(backend, policy, &[]).await
    }

    /// With some settings of the server.
    pub async fn set(backend: Backend, policy: v1::NoticePolicy, settings: &[(&str, &str)]) -> Self {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, settings).await;
        let products = ["eu", "us"].map(|id| v1::Product {
            product_id: id.into(),
            display_name: id.to_uppercase(),
            ..Default::default()
        });
        let organization = v1::Organization {
            display_name: "Acme".into(),
            products: products.to_vec(),
            notice_policy: Some(policy),
            ..Default::default()
        };
        let request = v1::CreateOrganizationRequest {
            organization_id: "acme".into(),
            organization: Some(organization),
            ..Default::default()
        };
        server.organizations.create_organization(request).await.expect("created");
        vendor(&mut server, "aws").await;
        Self { place, server }
    }

    /// Moves the clock.
    pub fn pass_to(&self, instant: &str) {
        self.place.set_clock(instant);
    }

    pub async fn customer(&mut self, id: &str, agreement: Agreement) -> v1::Customer {
        let message = v1::Customer { agreement: Some(agreement), ..Default::default() };
        self.customer_as(id, message).await
    }

    pub async fn customer_as(&mut self, id: &str, message: v1::Customer) -> v1::Customer {
        let message = v1::Customer { display_name: id.to_uppercase(), ..message };
        let request = v1::CreateCustomerRequest {
            parent: ACME.into(),
            customer_id: id.into(),
            customer: Some(message),
            ..Default::default()
        };
        self.server.organizations.create_customer(request).await.expect("created").into_inner()
    }

    pub async fn update_customer(&mut self, message: v1::Customer, fields: &[&str]) -> v1::Customer {
        let update_mask = Some(FieldMask { paths: fields.iter().map(|field| (*field).to_owned()).collect() });
        let request = v1::UpdateCustomerRequest { customer: Some(message), update_mask, ..Default::default() };
        self.server.organizations.update_customer(request).await.expect("updated").into_inner()
    }

    /// Something that was in use before the register began.
    pub async fn found(&mut self, id: &str, message: v1::Subprocessor) -> v1::Subprocessor {
        let message =
            v1::Subprocessor { recorded_as_found: true, state: v1::subprocessor::State::Active.into(), ..message };
        crate::support::subprocessor(&mut self.server, ACME, id, message).await.expect("created")
    }

    pub async fn create(&mut self, id: &str, message: Notice) -> Result<Notice, Status> {
        let message =
            Notice { title: if message.title.is_empty() { id.into() } else { message.title.clone() }, ..message };
        let request = v1::CreateNoticeRequest {
            parent: ACME.into(),
            notice_id: id.into(),
            notice: Some(message),
            ..Default::default()
        };
        self.server.notices.create_notice(by("author", request)).await.map(Response::into_inner)
    }

    pub async fn approve(&mut self, id: &str) -> Result<Notice, Status> {
        let request = v1::ApproveNoticeRequest { name: notice(id), ..Default::default() };
        self.server.notices.approve_notice(by("approver", request)).await.map(Response::into_inner)
    }

    pub async fn publish(&mut self, id: &str) -> Result<Notice, Status> {
        let request = v1::PublishNoticeRequest { name: notice(id), ..Default::default() };
        self.server.notices.publish_notice(by("approver", request)).await.map(Response::into_inner)
    }

    /// Creates, approves and publishes.
    pub async fn announce(&mut self, id: &str, message: Notice) -> Notice {
        self.create(id, message).await.expect("created");
        self.approve(id).await.expect("approved");
        self.publish(id).await.expect("published")
    }

    /// Announces changes for an instant; empty: as soon as they may.
    pub async fn announce_for(&mut self, id: &str, changes: Vec<NoticeChange>, effective: &str) -> Notice {
        let requested_effective_time = (!effective.is_empty()).then(|| at(effective));
        self.announce(id, Notice { changes, requested_effective_time, ..Notice::default() }).await
    }

    pub async fn withdraw(&mut self, id: &str, changes: &[&str]) -> Result<Notice, Status> {
        let request = v1::WithdrawNoticeRequest {
            name: notice(id),
            change_ids: changes.iter().map(|id| (*id).to_owned()).collect(),
            reason: "thought better of it".into(),
            ..Default::default()
        };
        self.server.notices.withdraw_notice(request).await.map(Response::into_inner)
    }

    pub async fn notice(&mut self, id: &str) -> Notice {
        let request = v1::GetNoticeRequest { name: notice(id), as_of: None };
        self.server.notices.get_notice(request).await.expect("a notice").into_inner()
    }

    pub async fn state(&mut self, id: &str) -> State {
        self.notice(id).await.state()
    }

    pub async fn recipient(&mut self, notice: &str, customer: &str) -> NoticeRecipient {
        let name = format!("{ACME}/notices/{notice}/recipients/{customer}");
        let request = v1::GetNoticeRecipientRequest { name, as_of: None };
        self.server.notices.get_notice_recipient(request).await.expect("a recipient").into_inner()
    }

    /// Where a customer stands on the first change of a notice: status, objection deadline, clear time.
    pub async fn stands(&mut self, notice: &str, customer: &str) -> (String, String, String) {
        let recipient = self.recipient(notice, customer).await;
        let change = recipient.changes.first().expect("a change");
        let status = change.status().as_str_name().trim_start_matches("STATUS_").to_owned();
        (status, read(change.objection_deadline_time.as_ref()), read(change.clear_time.as_ref()))
    }

    pub async fn status(&mut self, notice: &str, customer: &str) -> String {
        self.stands(notice, customer).await.0
    }

    pub async fn authorize(&mut self, notice_id: &str, who: &str) -> Result<NoticeRecipient, Status> {
        let request =
            v1::AuthorizeNoticeRequest { name: notice(notice_id), customer: customer(who), ..Default::default() };
        self.server.notices.authorize_notice(request).await.map(Response::into_inner)
    }

    pub async fn deny(&mut self, notice_id: &str, who: &str) -> Result<NoticeRecipient, Status> {
        let request = v1::DenyNoticeRequest { name: notice(notice_id), customer: customer(who), ..Default::default() };
        self.server.notices.deny_notice(request).await.map(Response::into_inner)
    }

    pub async fn object(&mut self, notice_id: &str, who: &str, id: &str) -> Result<v1::Objection, Status> {
        self.object_at(notice_id, who, id, None).await
    }

    pub async fn object_at(
        &mut self,
        notice_id: &str,
        who: &str,
        id: &str,
        lodge_time: Option<Timestamp>,
    ) -> Result<v1::Objection, Status> {
        let objection = v1::Objection {
            customer: customer(who),
            grounds: "no data in the US".into(),
            lodge_time,
            ..Default::default()
        };
        let request = v1::CreateObjectionRequest {
            parent: notice(notice_id),
            objection_id: id.into(),
            objection: Some(objection),
            ..Default::default()
        };
        self.server.notices.create_objection(request).await.map(Response::into_inner)
    }

    pub async fn resolve(
        &mut self,
        notice_id: &str,
        id: &str,
        outcome: v1::objection::Outcome,
    ) -> Result<v1::Objection, Status> {
        let request = v1::ResolveObjectionRequest {
            name: format!("{}/objections/{id}", notice(notice_id)),
            outcome: outcome.into(),
            ..Default::default()
        };
        self.server.notices.resolve_objection(request).await.map(Response::into_inner)
    }

    pub async fn record(
        &mut self,
        notice_id: &str,
        who: &str,
        kind: v1::delivery_receipt::Kind,
        event_time: Option<Timestamp>,
    ) -> Result<NoticeRecipient, Status> {
        let request = v1::RecordDeliveryRequest {
            name: notice(notice_id),
            customer: customer(who),
            kind: kind.into(),
            event_time,
            evidence: "message 4711".into(),
            ..Default::default()
        };
        self.server.notices.record_delivery(request).await.map(Response::into_inner)
    }

    pub async fn subprocessor(&mut self, id: &str) -> v1::Subprocessor {
        crate::support::get_subprocessor(&mut self.server, &engagement(id)).await
    }

    /// One as it applies to a customer.
    pub async fn for_customer(&mut self, id: &str, who: &str) -> v1::Subprocessor {
        let request =
            v1::GetSubprocessorRequest { name: engagement(id), customer: customer(who), ..Default::default() };
        self.server.subprocessors.get_subprocessor(request).await.expect("a subprocessor").into_inner()
    }

    /// The ids on the list of a day; for one customer, if one is named.
    pub async fn list(&mut self, day: &str, who: &str) -> Vec<String> {
        let request = v1::ListSubprocessorsRequest {
            parent: ACME.into(),
            effective_at: day.into(),
            customer: if who.is_empty() { String::new() } else { customer(who) },
            page_size: 1_000,
            ..Default::default()
        };
        let answer = self.server.subprocessors.list_subprocessors(request).await.expect("a list").into_inner();
        answer.subprocessors.iter().map(|one| one.name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
    }

    pub async fn revision(&mut self) -> i64 {
        self.server.revision().await
    }
}

/// A request of a principal.
pub fn by<T>(principal: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-principal", principal.parse().expect("a principal"));
    request
}

/// The preconditions that a refusal with this reason names: subject and text.
#[track_caller]
pub fn preconditions<T: std::fmt::Debug>(answer: Result<T, Status>, reason: &str) -> Vec<(String, String)> {
    use tonic_types::StatusExt;
    let status = crate::support::refused(answer, Code::FailedPrecondition, reason, &[]);
    let details = status.get_error_details();
    let violations = details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    violations.into_iter().map(|one| (one.subject, one.description)).collect()
}

/// All customers at the same time.
pub fn together(changes: Vec<NoticeChange>) -> Notice {
    Notice { changes, rollout: Rollout::Together.into(), ..Notice::default() }
}
