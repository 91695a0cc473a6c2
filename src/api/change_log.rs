//! ChangeLogService: reading, following, checking and erasing history.

use tonic::{Request, Response};

use super::{Answer, Api, kinds, mutation, watch};
use crate::{
    error::{Error, Result},
    proto::v1::{
        Acknowledgement, Certification, Customer, Document, ErasePersonalDataRequest, ErasePersonalDataResponse,
        GetRevisionRequest, Instrument, ListRevisionsRequest, ListRevisionsResponse, Notice, NoticeRecipient,
        Objection, Organization, Revision, Subprocessor, Subscription, Transfer, Vendor, VerifyChangeLogRequest,
        VerifyChangeLogResponse, WatchChangesRequest, change_log_service_server::ChangeLogService,
    },
    reset::{Leaving, StreamReset},
    resource::{
        filter::{self, Field, FieldKind},
        name::{Kind, Name, Parent},
        page::{self, Query},
        text,
    },
    store::{log::LogList, read::AsOf, verify::Range, watch::Start},
};

/// By what revisions can be filtered.
const FIELDS: &[Field] = &[
    Field::new("number", FieldKind::Number).ordered(),
    Field::new("commit_time", FieldKind::Time),
    Field::new("principal", FieldKind::Text),
    Field::new("method", FieldKind::Text),
    Field::new("request_id", FieldKind::Text),
    Field::new("resource_names", FieldKind::Texts),
];

#[tonic::async_trait]
impl ChangeLogService for Api {
    async fn get_revision(&self, request: Request<GetRevisionRequest>) -> Answer<Revision> {
        let number = revision_number(&request.get_ref().name)?;
        Ok(Response::new(self.store.revision(number).await?))
    }

    async fn list_revisions(&self, request: Request<ListRevisionsRequest>) -> Answer<ListRevisionsResponse> {
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let parent = if request.parent.is_empty() { Parent::Any } else { Parent::of_organizations(&request.parent)? };
        let filter = filter::parse(&request.filter, FIELDS)?;
        let order = filter::order(&request.order_by, FIELDS)?;
        let query = Query::of("revisions", &[&request.parent, &request.filter, &request.order_by]);
        let after = query.position(&request.page_token)?;
        let at = after.as_ref().map(|position| AsOf::Revision(position.revision));
        let revision = self.store.revision_at(at).await?;
        let list = LogList {
            parent: &parent,
            filter: filter.as_ref(),
            descending: order.descending,
            after: after.as_ref(),
            revision,
            size,
        };
        let (revisions, next) = self.store.list_revisions(&list).await?;
        let next_page_token = next.map(|position| query.token(&position)).unwrap_or_default();
        Ok(Response::new(ListRevisionsResponse { revisions, next_page_token, revision }))
    }

    type WatchChangesStream = watch::Stream;

    async fn watch_changes(&self, request: Request<WatchChangesRequest>) -> Answer<Self::WatchChangesStream> {
        let reset = request.extensions().get::<StreamReset>().cloned();
        let leaving = request.extensions().get::<Leaving>().map_or(&self.stopping, |Leaving(leaving)| leaving).clone();
        let request = request.into_inner();
        let start = Start {
            parent: Parent::of_organizations(&request.parent)?,
            after_revision: request.after_revision,
            after_hash: request.after_hash,
            kinds: kinds("resource_types", &request.resource_types)?,
        };
        let cursor = self.store.watch(start).await?;
        Ok(Response::new(watch::stream(cursor, &self.options, leaving, reset)))
    }

    async fn verify_change_log(&self, request: Request<VerifyChangeLogRequest>) -> Answer<VerifyChangeLogResponse> {
        let request = request.into_inner();
        let expected = match (request.expected_revision, request.expected_hash) {
            (0, hash) if hash.is_empty() => None,
            (_, hash) if hash.len() != 32 => {
                return Err(Error::field("expected_hash", format!("must be 32 bytes, not {}", hash.len())).into());
            }
            (number, hash) => Some((number, hash)),
        };
        let range = Range { from: request.from_revision, to: request.to_revision, expected };
        Ok(Response::new(self.store.verify(&range).await?))
    }

    async fn erase_personal_data(
        &self,
        request: Request<ErasePersonalDataRequest>,
    ) -> Answer<ErasePersonalDataResponse> {
        let (call, request) = mutation(request, "ChangeLogService/ErasePersonalData");
        let name = Name::parse(&request.name).ok_or_else(|| Error::field("name", "must be the name of a resource"))?;
        let reason = text::normalize(&request.reason).into_owned();
        if reason.is_empty() {
            return Err(Error::field("reason", "is required").into());
        }
        if reason.chars().count() > text::LONG || text::control_rule(&reason, true).is_some() {
            return Err(Error::field("reason", "is too long or has control characters").into());
        }
        let erased = self
            .store
            .write(call, |writer| {
                Box::pin(async move {
                    match name.kind() {
                        Kind::Organization => writer.erase::<Organization>(&name, &reason).await,
                        Kind::Document => writer.erase::<Document>(&name, &reason).await,
                        Kind::Customer => writer.erase::<Customer>(&name, &reason).await,
                        Kind::Vendor => writer.erase::<Vendor>(&name, &reason).await,
                        Kind::Subprocessor => writer.erase::<Subprocessor>(&name, &reason).await,
                        Kind::Instrument => writer.erase::<Instrument>(&name, &reason).await,
                        Kind::Certification => writer.erase::<Certification>(&name, &reason).await,
                        Kind::Transfer => writer.erase::<Transfer>(&name, &reason).await,
                        Kind::Acknowledgement => writer.erase::<Acknowledgement>(&name, &reason).await,
                        Kind::Notice => writer.erase::<Notice>(&name, &reason).await,
                        Kind::Recipient => writer.erase::<NoticeRecipient>(&name, &reason).await,
                        Kind::Objection => writer.erase::<Objection>(&name, &reason).await,
                        Kind::Subscription => writer.erase::<Subscription>(&name, &reason).await,
                    }
                })
            })
            .await?;
        Ok(Response::new(erased))
    }
}

fn revision_number(name: &str) -> Result<i64> {
    name.strip_prefix("revisions/")
        .filter(|digits| !digits.starts_with(['+', '0']))
        .and_then(|digits| digits.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| {
            Error::field(
                "name",
                format!("must be of the form revisions/{{number}}, not \"{}\"", crate::error::clip(name)),
            )
        })
}
