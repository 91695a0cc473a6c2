//! TransferMechanismService: instruments, and what the law says.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, as_of};
use crate::{
    error::{Error, Result},
    proto::v1::{
        AssessClaimsRequest, AssessClaimsResponse, ClaimAssessment, Document, GetInstrumentRequest, Instrument,
        ListDocumentsRequest, ListInstrumentsRequest, ListInstrumentsResponse,
        transfer_mechanism_service_server::TransferMechanismService,
    },
    resource::{
        name::{Kind, Name},
        text,
    },
    rules::law::{Law, claim},
    store::{read::AsOf, version::day},
};

#[tonic::async_trait]
impl TransferMechanismService for Api {
    async fn get_instrument(&self, request: Request<GetInstrumentRequest>) -> Answer<Instrument> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_instruments(&self, request: Request<ListInstrumentsRequest>) -> Answer<ListInstrumentsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListInstrumentsResponse { instruments: items, next_page_token, revision }))
    }

    async fn assess_claims(&self, request: Request<AssessClaimsRequest>) -> Answer<AssessClaimsResponse> {
        let request = request.into_inner();
        let date = self.day_of("date", &request.date)?;
        let Listed { items: documents, next_page_token, revision } = self.documents_of(&request).await?;
        let law = self.store.law(revision).await?;
        let assessments = documents.iter().flat_map(|document| assess(&law, document, &date)).collect();
        Ok(Response::new(AssessClaimsResponse { assessments, next_page_token, revision, date }))
    }
}

impl Api {
    /// The day a request asks about; today (UTC) if it names none.
    fn day_of(&self, field: &str, date: &str) -> Result<String> {
        if date.is_empty() {
            return Ok(day(self.store.clock().now()));
        }
        text::date(date).map_err(|rule| Error::field(field, rule))?;
        Ok(date.to_owned())
    }

    /// The document a request asks about, or a page of those that name instruments.
    async fn documents_of(&self, request: &AssessClaimsRequest) -> Result<Listed<Document>> {
        let parent = request.parent.as_str();
        let Some(name) = Name::parse(parent).filter(|name| name.kind() == Kind::Document) else {
            let list = ListDocumentsRequest {
                parent: parent.to_owned(),
                page_size: request.page_size,
                page_token: request.page_token.clone(),
                filter: "instruments:*".to_owned(),
                as_of: request.as_of,
                ..ListDocumentsRequest::default()
            };
            return self.list(&list).await;
        };
        if !request.page_token.is_empty() {
            return Err(Error::field("page_token", "one document has one page"));
        }
        let revision = self.store.revision_at(as_of(request.as_of.as_ref())?).await?;
        let document: Document = self.store.get(&name, Some(AsOf::Revision(revision))).await?;
        Ok(Listed { items: vec![document], next_page_token: String::new(), revision })
    }
}

/// What each claim of a document is worth.
fn assess(law: &Law, document: &Document, date: &str) -> Vec<ClaimAssessment> {
    let claims = document.claims.iter().enumerate();
    let answered = claims.filter_map(|(i, claim)| {
        let worth = claim::assess(law, document, claim, date)?;
        Some(ClaimAssessment {
            document: document.name.clone(),
            claim_index: i32::try_from(i).ok()?,
            instrument: claim.instrument.clone(),
            regime: claim.regime,
            exporter_areas: claim.exporter_areas.clone(),
            instrument_usable: worth.instrument_usable,
            verdict: worth.verdict.into(),
            reasons: worth.reasons,
            quote: claim.quote.clone(),
            line: claim.line,
        })
    });
    answered.collect()
}
