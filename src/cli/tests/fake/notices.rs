//! The notices of the fake: one, with more recipients than fit on a page.

use super::*;

/// How many recipients there are.
pub(in crate::cli::tests) const RECIPIENTS: usize = 700;

/// What is asked of them.
#[derive(Debug, Default, Clone)]
pub(in crate::cli::tests) struct Told {
    pub(in crate::cli::tests) created: Vec<CreateNoticeRequest>,
    pub(in crate::cli::tests) previewed: Vec<PreviewNoticeRequest>,
    pub(in crate::cli::tests) withdrawn: Vec<WithdrawNoticeRequest>,
    pub(in crate::cli::tests) lists: Vec<ListNoticeRecipientsRequest>,
    pub(in crate::cli::tests) evidence: Vec<RenderNoticeEvidenceRequest>,
    pub(in crate::cli::tests) delivered: Vec<RecordDeliveryRequest>,
    pub(in crate::cli::tests) asked: Vec<AskNoticeQuestionRequest>,
    pub(in crate::cli::tests) objections: Vec<ListObjectionsRequest>,
    pub(in crate::cli::tests) lodged: Vec<CreateObjectionRequest>,
    pub(in crate::cli::tests) resolved: Vec<ResolveObjectionRequest>,
}

fn notice(state: notice::State) -> Notice {
    Notice {
        name: "organizations/a/notices/n".into(),
        title: "A new host".into(),
        state: state.into(),
        revision: 7,
        recipient_count: i32::try_from(RECIPIENTS).expect("few"),
        audience_complete: true,
        changes: vec![NoticeChange {
            change_id: "c1".into(),
            kind: notice_change::Kind::Add.into(),
            subprocessor: "organizations/a/subprocessors/s".into(),
            waits: true,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn recipient(number: usize) -> NoticeRecipient {
    let change = RecipientChange {
        change_id: "c1".into(),
        status: recipient_change::Status::Pending.into(),
        clear_time: Some(prost_types::Timestamp { seconds: 1_774_260_000, nanos: 0 }),
        ..Default::default()
    };
    NoticeRecipient {
        name: format!("organizations/a/notices/n/recipients/r{number}"),
        customer: format!("organizations/a/customers/r{number}"),
        revision: 7,
        changes: vec![change],
        ..Default::default()
    }
}

fn objection(state: objection::State, outcome: i32) -> Objection {
    Objection {
        name: "organizations/a/notices/n/objections/o".into(),
        customer: "organizations/a/customers/r1".into(),
        change_ids: vec!["c1".into()],
        state: state.into(),
        outcome,
        revision: 8,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl change_notification_service_server::ChangeNotificationService for Fake {
    async fn get_notice(&self, request: Request<GetNoticeRequest>) -> Answer<Notice> {
        drop(self.see(&request)?);
        Ok(Response::new(notice(notice::State::Published)))
    }

    async fn list_notices(&self, _: Request<ListNoticesRequest>) -> Answer<ListNoticesResponse> {
        unused()
    }

    /// One whose title is `bad` is refused.
    async fn create_notice(&self, request: Request<CreateNoticeRequest>) -> Answer<Notice> {
        self.see(&request)?.told.created.push(request.get_ref().clone());
        match request.get_ref().notice.as_ref().is_some_and(|one| one.title == "bad") {
            true => Err(Error::field("notice.changes[0].subprocessor", "does not exist").into()),
            false => Ok(Response::new(notice(notice::State::Draft))),
        }
    }

    async fn update_notice(&self, _: Request<UpdateNoticeRequest>) -> Answer<Notice> {
        unused()
    }

    async fn delete_notice(&self, _: Request<DeleteNoticeRequest>) -> Answer<Notice> {
        unused()
    }

    async fn undelete_notice(&self, _: Request<UndeleteNoticeRequest>) -> Answer<Notice> {
        unused()
    }

    async fn preview_notice(&self, request: Request<PreviewNoticeRequest>) -> Answer<PreviewNoticeResponse> {
        self.see(&request)?.told.previewed.push(request.get_ref().clone());
        let last = !request.get_ref().page_token.is_empty();
        let customer = PreviewedCustomer {
            customer: format!("organizations/a/customers/{}", if last { "z" } else { "y" }),
            reached: true,
            reason: "it uses all products".into(),
            recipient: Some(recipient(1)),
            ..Default::default()
        };
        Ok(Response::new(PreviewNoticeResponse {
            notice: Some(notice(notice::State::Published)),
            customers: vec![customer],
            next_page_token: if last { String::new() } else { "more".into() },
            recipient_count: 2,
            held_back_count: 1,
            revision: 7,
            ..Default::default()
        }))
    }

    async fn approve_notice(&self, request: Request<ApproveNoticeRequest>) -> Answer<Notice> {
        drop(self.see(&request)?);
        Ok(Response::new(notice(notice::State::Approved)))
    }

    async fn publish_notice(&self, request: Request<PublishNoticeRequest>) -> Answer<Notice> {
        drop(self.see(&request)?);
        Ok(Response::new(notice(notice::State::Published)))
    }

    async fn withdraw_notice(&self, request: Request<WithdrawNoticeRequest>) -> Answer<Notice> {
        self.see(&request)?.told.withdrawn.push(request.get_ref().clone());
        Ok(Response::new(notice(notice::State::Withdrawn)))
    }

    async fn list_notice_recipients(
        &self,
        request: Request<ListNoticeRecipientsRequest>,
    ) -> Answer<ListNoticeRecipientsResponse> {
        self.see(&request)?.told.lists.push(request.get_ref().clone());
        let request = request.into_inner();
        let begin: usize = request.page_token.parse().unwrap_or(0);
        let end = RECIPIENTS.min(begin + usize::try_from(request.page_size).expect("positive"));
        Ok(Response::new(ListNoticeRecipientsResponse {
            recipients: (begin..end).map(recipient).collect(),
            next_page_token: if end < RECIPIENTS { end.to_string() } else { String::new() },
            revision: 7,
        }))
    }

    async fn get_notice_recipient(&self, _: Request<GetNoticeRecipientRequest>) -> Answer<NoticeRecipient> {
        unused()
    }

    async fn acknowledge_notice(&self, request: Request<AcknowledgeNoticeRequest>) -> Answer<NoticeRecipient> {
        drop(self.see(&request)?);
        Ok(Response::new(recipient(1)))
    }

    async fn authorize_notice(&self, request: Request<AuthorizeNoticeRequest>) -> Answer<NoticeRecipient> {
        drop(self.see(&request)?);
        Ok(Response::new(recipient(1)))
    }

    async fn deny_notice(&self, request: Request<DenyNoticeRequest>) -> Answer<NoticeRecipient> {
        drop(self.see(&request)?);
        Ok(Response::new(recipient(1)))
    }

    async fn ask_notice_question(&self, request: Request<AskNoticeQuestionRequest>) -> Answer<NoticeRecipient> {
        self.see(&request)?.told.asked.push(request.get_ref().clone());
        Ok(Response::new(recipient(1)))
    }

    async fn answer_notice_question(&self, request: Request<AnswerNoticeQuestionRequest>) -> Answer<NoticeRecipient> {
        drop(self.see(&request)?);
        Ok(Response::new(recipient(1)))
    }

    async fn record_delivery(&self, request: Request<RecordDeliveryRequest>) -> Answer<NoticeRecipient> {
        self.see(&request)?.told.delivered.push(request.get_ref().clone());
        Ok(Response::new(recipient(1)))
    }

    async fn render_notice_evidence(
        &self,
        request: Request<RenderNoticeEvidenceRequest>,
    ) -> Answer<RenderNoticeEvidenceResponse> {
        self.see(&request)?.told.evidence.push(request.get_ref().clone());
        let content = format!("evidence in format {}\n", request.get_ref().format);
        Ok(Response::new(RenderNoticeEvidenceResponse { content, ..Default::default() }))
    }

    async fn get_objection(&self, _: Request<GetObjectionRequest>) -> Answer<Objection> {
        unused()
    }

    async fn list_objections(&self, request: Request<ListObjectionsRequest>) -> Answer<ListObjectionsResponse> {
        self.see(&request)?.told.objections.push(request.get_ref().clone());
        let objections = vec![objection(objection::State::Open, 0)];
        Ok(Response::new(ListObjectionsResponse { objections, ..Default::default() }))
    }

    async fn create_objection(&self, request: Request<CreateObjectionRequest>) -> Answer<Objection> {
        self.see(&request)?.told.lodged.push(request.get_ref().clone());
        Ok(Response::new(objection(objection::State::Open, 0)))
    }

    async fn update_objection(&self, _: Request<UpdateObjectionRequest>) -> Answer<Objection> {
        unused()
    }

    async fn resolve_objection(&self, request: Request<ResolveObjectionRequest>) -> Answer<Objection> {
        self.see(&request)?.told.resolved.push(request.get_ref().clone());
        Ok(Response::new(objection(objection::State::Closed, request.get_ref().outcome)))
    }

    async fn get_subscription(
        &self,
        _: Request<crate::proto::v1::GetSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn list_subscriptions(
        &self,
        _: Request<crate::proto::v1::ListSubscriptionsRequest>,
    ) -> Answer<crate::proto::v1::ListSubscriptionsResponse> {
        unused()
    }

    async fn create_subscription(
        &self,
        _: Request<crate::proto::v1::CreateSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn update_subscription(
        &self,
        _: Request<crate::proto::v1::UpdateSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn delete_subscription(
        &self,
        _: Request<crate::proto::v1::DeleteSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn undelete_subscription(
        &self,
        _: Request<crate::proto::v1::UndeleteSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn verify_subscription(
        &self,
        _: Request<crate::proto::v1::VerifySubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn test_subscription(
        &self,
        _: Request<crate::proto::v1::TestSubscriptionRequest>,
    ) -> Answer<crate::proto::v1::Delivery> {
        unused()
    }

    async fn rotate_subscription_secret(
        &self,
        _: Request<crate::proto::v1::RotateSubscriptionSecretRequest>,
    ) -> Answer<crate::proto::v1::Subscription> {
        unused()
    }

    async fn get_delivery(
        &self,
        _: Request<crate::proto::v1::GetDeliveryRequest>,
    ) -> Answer<crate::proto::v1::Delivery> {
        unused()
    }

    async fn list_deliveries(
        &self,
        _: Request<crate::proto::v1::ListDeliveriesRequest>,
    ) -> Answer<crate::proto::v1::ListDeliveriesResponse> {
        unused()
    }

    async fn retry_delivery(
        &self,
        _: Request<crate::proto::v1::RetryDeliveryRequest>,
    ) -> Answer<crate::proto::v1::Delivery> {
        unused()
    }

    async fn replay_deliveries(
        &self,
        _: Request<crate::proto::v1::ReplayDeliveriesRequest>,
    ) -> Answer<crate::proto::v1::ReplayDeliveriesResponse> {
        unused()
    }

    async fn report_bounce(
        &self,
        _: Request<crate::proto::v1::ReportBounceRequest>,
    ) -> Answer<crate::proto::v1::Delivery> {
        unused()
    }
}
