//! ChangeNotificationService: notices, their recipients, objections.

use jiff::Timestamp;
use tonic::{Request, Response};

use super::{Answer, Api, Listed, mutation, take};
use crate::{
    call::Call,
    error::{Error, Reason, Result, clip},
    proto::v1::{
        AcknowledgeNoticeRequest, AnswerNoticeQuestionRequest, ApproveNoticeRequest, AskNoticeQuestionRequest,
        AuthorizeNoticeRequest, CreateNoticeRequest, CreateObjectionRequest, CreateSubscriptionRequest,
        DeleteNoticeRequest, DeleteSubscriptionRequest, Delivery, DenyNoticeRequest, GetDeliveryRequest,
        GetNoticeRecipientRequest, GetNoticeRequest, GetObjectionRequest, GetSubscriptionRequest,
        ListDeliveriesRequest, ListDeliveriesResponse, ListNoticeRecipientsRequest, ListNoticeRecipientsResponse,
        ListNoticesRequest, ListNoticesResponse, ListObjectionsRequest, ListObjectionsResponse,
        ListSubscriptionsRequest, ListSubscriptionsResponse, Notice, NoticeRecipient, Objection, PreviewNoticeRequest,
        PreviewNoticeResponse, PublishNoticeRequest, RecordDeliveryRequest, RenderNoticeEvidenceRequest,
        RenderNoticeEvidenceResponse, ReplayDeliveriesRequest, ReplayDeliveriesResponse, ReportBounceRequest,
        ResolveObjectionRequest, RetryDeliveryRequest, RotateSubscriptionSecretRequest, Subscription,
        TestSubscriptionRequest, UndeleteNoticeRequest, UndeleteSubscriptionRequest, UpdateNoticeRequest,
        UpdateObjectionRequest, UpdateSubscriptionRequest, VerifySubscriptionRequest, WithdrawNoticeRequest,
        change_notification_service_server::ChangeNotificationService, delivery_receipt::Kind as Receipt,
        objection::Outcome,
    },
    resource::{
        name::{Kind, Name},
        page::{self, Position, Query},
        shape::Violations,
        text,
    },
    store::{
        notice::{answers::Answer as Said, preview::Preview},
        outbox::list,
        standard,
    },
};

/// The instant that a request states.
pub(super) fn instant(field: &str, time: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    time.map(|time| text::instant(time.seconds, time.nanos).map_err(|rule| Error::field(field, rule))).transpose()
}

/// Checks the texts of a request's own, which no resource has.
fn accept(fields: &[(&str, &mut String, bool)], most: usize) -> Violations {
    let mut wrong = Violations::new();
    for (field, content, required) in fields {
        let rule = if *required && content.trim().is_empty() {
            Some("is required".to_owned())
        } else if content.chars().count() > most {
            Some(format!("has more than {most} characters"))
        } else {
            text::control_rule(content, true).map(str::to_owned)
        };
        wrong.extend(rule.map(|rule| ((*field).to_owned(), rule)));
    }
    wrong
}

fn refuse(wrong: Violations) -> Result<()> {
    if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
}

fn normalize(text: &mut String) {
    *text = text::normalize(text).into_owned();
}

impl Api {
    /// One write that is about a notice.
    async fn say(&self, call: Call, notice: &str, customer: String, said: Said) -> Answer<NoticeRecipient> {
        let name = Name::of(Kind::Notice, "name", notice)?;
        let written = self
            .store
            .write(call, |writer| Box::pin(async move { writer.answer(&name, &customer, said).await }))
            .await?;
        Ok(Response::new(written))
    }

    async fn preview(&self, request: PreviewNoticeRequest) -> Result<PreviewNoticeResponse> {
        let shown = format!("{:?} {:?}", request.notice, request.publish_time);
        let query = Query::of("preview", &[&request.name, &request.parent, &shown]);
        let position = query.position(&request.page_token)?;
        let after = position.map(|position| position.name).unwrap_or_default();
        let mut wrong = Violations::new();
        let size = take(page::size(request.page_size), &mut wrong);
        let publish_time = take(instant("publish_time", request.publish_time.as_ref()), &mut wrong).flatten();
        let notice = match (request.name.is_empty(), &request.notice) {
            (false, None) => take(Name::of(Kind::Notice, "name", &request.name), &mut wrong).map(Err),
            (true, Some(notice)) => {
                take(standard::creation(Some(&request.parent), "preview", Some(notice)), &mut wrong).map(Ok)
            }
            _ => {
                wrong.push(("name".to_owned(), "either name or notice is required, and not both".to_owned()));
                None
            }
        };
        let (Some(size), Some(notice), true) = (size, notice, wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        };
        // What publishing would do is found out by the same code, but on a snapshot: nothing waits for it.
        let call = Call { validate_only: true, ..Call::internal("ChangeNotificationService/PreviewNotice") };
        let mut answer = self
            .store
            .foresee(call, move |writer| {
                Box::pin(async move {
                    let notice = match notice {
                        Ok(creation) => creation.into_message(),
                        Err(name) => writer.get::<Notice>(&name).await?.message,
                    };
                    writer.preview_notice(Preview { notice, publish_time, after, size }).await
                })
            })
            .await?;
        answer.next_page_token = match answer.customers.last() {
            Some(last) if !answer.next_page_token.is_empty() => {
                query.token(&Position { revision: answer.revision, name: last.customer.clone(), ..Position::default() })
            }
            _ => String::new(),
        };
        Ok(answer)
    }
}

#[tonic::async_trait]
impl ChangeNotificationService for Api {
    async fn get_notice(&self, request: Request<GetNoticeRequest>) -> Answer<Notice> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_notices(&self, request: Request<ListNoticesRequest>) -> Answer<ListNoticesResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListNoticesResponse { notices: items, next_page_token, revision }))
    }

    async fn create_notice(&self, request: Request<CreateNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/CreateNotice");
        let creation = standard::creation(Some(&request.parent), &request.notice_id, request.notice.as_ref())?;
        let created = self.store.write(call, |writer| Box::pin(writer.create_notice(creation))).await?;
        Ok(Response::new(created))
    }

    async fn update_notice(&self, request: Request<UpdateNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/UpdateNotice");
        self.update(call, request.notice, request.update_mask).await
    }

    async fn delete_notice(&self, request: Request<DeleteNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/DeleteNotice");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_notice(&self, request: Request<UndeleteNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/UndeleteNotice");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn preview_notice(&self, request: Request<PreviewNoticeRequest>) -> Answer<PreviewNoticeResponse> {
        Ok(Response::new(self.preview(request.into_inner()).await?))
    }

    async fn approve_notice(&self, request: Request<ApproveNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/ApproveNotice");
        let name = Name::of(Kind::Notice, "name", &request.name)?;
        let approved = self
            .store
            .write(call, |writer| Box::pin(async move { writer.approve_notice(&name, &request.etag).await }))
            .await?;
        Ok(Response::new(approved))
    }

    async fn publish_notice(&self, request: Request<PublishNoticeRequest>) -> Answer<Notice> {
        let (call, request) = mutation(request, "ChangeNotificationService/PublishNotice");
        let name = Name::of(Kind::Notice, "name", &request.name)?;
        let published = self
            .store
            .write(call, |writer| Box::pin(async move { Box::pin(writer.publish_notice(&name, &request.etag)).await }))
            .await?;
        Ok(Response::new(published))
    }

    async fn withdraw_notice(&self, request: Request<WithdrawNoticeRequest>) -> Answer<Notice> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/WithdrawNotice");
        let mut wrong = accept(&[("reason", &mut request.reason, true)], text::LONG);
        let name = take(Name::of(Kind::Notice, "name", &request.name), &mut wrong);
        normalize(&mut request.reason);
        let Some(name) = name.filter(|_| wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        let WithdrawNoticeRequest { etag, change_ids, reason, .. } = request;
        let withdrawn = self
            .store
            .write(call, |writer| {
                Box::pin(async move { writer.withdraw_notice(&name, &etag, &change_ids, reason).await })
            })
            .await?;
        Ok(Response::new(withdrawn))
    }

    async fn list_notice_recipients(
        &self,
        request: Request<ListNoticeRecipientsRequest>,
    ) -> Answer<ListNoticeRecipientsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListNoticeRecipientsResponse { recipients: items, next_page_token, revision }))
    }

    async fn get_notice_recipient(&self, request: Request<GetNoticeRecipientRequest>) -> Answer<NoticeRecipient> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn acknowledge_notice(&self, request: Request<AcknowledgeNoticeRequest>) -> Answer<NoticeRecipient> {
        let (call, request) = mutation(request, "ChangeNotificationService/AcknowledgeNotice");
        let event_time = instant("event_time", request.event_time.as_ref())?;
        self.say(call, &request.name, request.customer, Said::Acknowledge { event_time }).await
    }

    async fn authorize_notice(&self, request: Request<AuthorizeNoticeRequest>) -> Answer<NoticeRecipient> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/AuthorizeNotice");
        refuse(accept(&[("note", &mut request.note, false)], text::LONG))?;
        normalize(&mut request.note);
        let AuthorizeNoticeRequest { name, customer, change_ids, note, .. } = request;
        self.say(call, &name, customer, Said::Authorize { change_ids, note }).await
    }

    async fn deny_notice(&self, request: Request<DenyNoticeRequest>) -> Answer<NoticeRecipient> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/DenyNotice");
        refuse(accept(&[("note", &mut request.note, false)], text::LONG))?;
        normalize(&mut request.note);
        let DenyNoticeRequest { name, customer, change_ids, note, .. } = request;
        self.say(call, &name, customer, Said::Deny { change_ids, note }).await
    }

    async fn ask_notice_question(&self, request: Request<AskNoticeQuestionRequest>) -> Answer<NoticeRecipient> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/AskNoticeQuestion");
        let mut wrong = accept(&[("question", &mut request.question, true)], text::LONG);
        if !request.question_id.is_empty() && !crate::resource::name::is_id(&request.question_id) {
            let rule = format!("{}, not \"{}\"", crate::resource::name::ID_RULE, clip(&request.question_id));
            wrong.push(("question_id".to_owned(), rule));
        }
        refuse(wrong)?;
        normalize(&mut request.question);
        let AskNoticeQuestionRequest { name, customer, question, question_id, .. } = request;
        self.say(call, &name, customer, Said::Ask { question_id, question }).await
    }

    async fn answer_notice_question(&self, request: Request<AnswerNoticeQuestionRequest>) -> Answer<NoticeRecipient> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/AnswerNoticeQuestion");
        let AnswerNoticeQuestionRequest { question_id, answer, mitigation, .. } = &mut request;
        refuse(accept(
            &[("question_id", question_id, true), ("answer", answer, true), ("mitigation", mitigation, false)],
            text::LONG,
        ))?;
        normalize(&mut request.answer);
        normalize(&mut request.mitigation);
        let AnswerNoticeQuestionRequest { name, customer, question_id, answer, mitigation, .. } = request;
        self.say(call, &name, customer, Said::Reply { question_id, answer, mitigation }).await
    }

    async fn record_delivery(&self, request: Request<RecordDeliveryRequest>) -> Answer<NoticeRecipient> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/RecordDelivery");
        let mut wrong = accept(&[("evidence", &mut request.evidence, true)], text::LONG);
        let kind = Receipt::try_from(request.kind).ok().filter(|kind| *kind != Receipt::Unspecified);
        if kind.is_none() {
            wrong.push(("kind".to_owned(), "is required: SENT, DELIVERED or BOUNCED".to_owned()));
        }
        let event_time = take(instant("event_time", request.event_time.as_ref()), &mut wrong).flatten();
        let Some(kind) = kind.filter(|_| wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        normalize(&mut request.evidence);
        let RecordDeliveryRequest { name, customer, evidence, .. } = request;
        self.say(call, &name, customer, Said::Record { kind, event_time, evidence }).await
    }

    async fn render_notice_evidence(
        &self,
        request: Request<RenderNoticeEvidenceRequest>,
    ) -> Answer<RenderNoticeEvidenceResponse> {
        Ok(Response::new(self.notice_evidence(request.get_ref()).await?))
    }

    async fn get_objection(&self, request: Request<GetObjectionRequest>) -> Answer<Objection> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_objections(&self, request: Request<ListObjectionsRequest>) -> Answer<ListObjectionsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListObjectionsResponse { objections: items, next_page_token, revision }))
    }

    async fn create_objection(&self, request: Request<CreateObjectionRequest>) -> Answer<Objection> {
        let (call, request) = mutation(request, "ChangeNotificationService/CreateObjection");
        let creation = standard::creation(Some(&request.parent), &request.objection_id, request.objection.as_ref())?;
        let created = self.store.write(call, |writer| Box::pin(writer.lodge(creation))).await?;
        Ok(Response::new(created))
    }

    async fn update_objection(&self, request: Request<UpdateObjectionRequest>) -> Answer<Objection> {
        let (call, request) = mutation(request, "ChangeNotificationService/UpdateObjection");
        self.update(call, request.objection, request.update_mask).await
    }

    async fn resolve_objection(&self, request: Request<ResolveObjectionRequest>) -> Answer<Objection> {
        let (call, mut request) = mutation(request, "ChangeNotificationService/ResolveObjection");
        let mut wrong = accept(&[("resolution", &mut request.resolution, false)], text::LONG);
        let name = take(Name::of(Kind::Objection, "name", &request.name), &mut wrong);
        let outcome = Outcome::try_from(request.outcome).ok().filter(|outcome| *outcome != Outcome::Unspecified);
        if outcome.is_none() {
            wrong.push(("outcome".to_owned(), "is required".to_owned()));
        }
        let (Some(name), Some(outcome), true) = (name, outcome, wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        normalize(&mut request.resolution);
        let ResolveObjectionRequest { etag, resolution, .. } = request;
        let resolved = self
            .store
            .write(call, move |writer| {
                Box::pin(async move { Box::pin(writer.resolve_objection(&name, &etag, outcome, resolution)).await })
            })
            .await?;
        Ok(Response::new(resolved))
    }

    async fn get_subscription(&self, request: Request<GetSubscriptionRequest>) -> Answer<Subscription> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_subscriptions(
        &self,
        request: Request<ListSubscriptionsRequest>,
    ) -> Answer<ListSubscriptionsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListSubscriptionsResponse { subscriptions: items, next_page_token, revision }))
    }

    async fn create_subscription(&self, request: Request<CreateSubscriptionRequest>) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/CreateSubscription");
        self.subscribe(call, request).await
    }

    async fn update_subscription(&self, request: Request<UpdateSubscriptionRequest>) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/UpdateSubscription");
        self.update(call, request.subscription, request.update_mask).await
    }

    async fn delete_subscription(&self, request: Request<DeleteSubscriptionRequest>) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/DeleteSubscription");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_subscription(&self, request: Request<UndeleteSubscriptionRequest>) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/UndeleteSubscription");
        let name = Name::of(Kind::Subscription, "name", &request.name)?;
        let undeleted = self
            .store
            .write(call, |writer| Box::pin(async move { writer.resubscribe(&name, &request.etag).await }))
            .await?;
        Ok(Response::new(undeleted))
    }

    async fn verify_subscription(&self, request: Request<VerifySubscriptionRequest>) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/VerifySubscription");
        self.verify(call, request).await
    }

    async fn test_subscription(&self, request: Request<TestSubscriptionRequest>) -> Answer<Delivery> {
        let (call, request) = mutation(request, "ChangeNotificationService/TestSubscription");
        let name = Name::of(Kind::Subscription, "name", &request.name)?;
        let queued =
            self.store.write(call, |writer| Box::pin(async move { writer.test_subscription(&name).await })).await?;
        Ok(Response::new(queued))
    }

    async fn rotate_subscription_secret(
        &self,
        request: Request<RotateSubscriptionSecretRequest>,
    ) -> Answer<Subscription> {
        let (call, request) = mutation(request, "ChangeNotificationService/RotateSubscriptionSecret");
        self.rotate(call, request).await
    }

    async fn get_delivery(&self, request: Request<GetDeliveryRequest>) -> Answer<Delivery> {
        let name = &request.get_ref().name;
        list::check_name("name", name)?;
        Ok(Response::new(self.store.delivery(name).await?))
    }

    async fn list_deliveries(&self, request: Request<ListDeliveriesRequest>) -> Answer<ListDeliveriesResponse> {
        self.list_of_deliveries(request.get_ref()).await
    }

    async fn retry_delivery(&self, request: Request<RetryDeliveryRequest>) -> Answer<Delivery> {
        let (call, request) = mutation(request, "ChangeNotificationService/RetryDelivery");
        self.retry(call, request).await
    }

    async fn replay_deliveries(&self, request: Request<ReplayDeliveriesRequest>) -> Answer<ReplayDeliveriesResponse> {
        let (call, request) = mutation(request, "ChangeNotificationService/ReplayDeliveries");
        self.replay(call, request).await
    }

    async fn report_bounce(&self, request: Request<ReportBounceRequest>) -> Answer<Delivery> {
        let (call, request) = mutation(request, "ChangeNotificationService/ReportBounce");
        self.bounced(call, request).await
    }
}
