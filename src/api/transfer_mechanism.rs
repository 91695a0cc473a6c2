//! TransferMechanismService: instruments, and what the law says.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, as_of, mutation};
use crate::{
    error::{Error, Result},
    proto::v1::{
        AcknowledgeFindingRequest, Acknowledgement, AssessClaimsRequest, AssessClaimsResponse, AssessTransfersRequest,
        AssessTransfersResponse, Certification, ClaimAssessment, CreateCertificationRequest, CreateInstrumentRequest,
        CreateTransferRequest, DeleteCertificationRequest, DeleteInstrumentRequest, DeleteTransferRequest, Document,
        Finding, GetAcknowledgementRequest, GetCertificationRequest, GetInstrumentRequest, GetTransferRequest,
        Instrument, ListAcknowledgementsRequest, ListAcknowledgementsResponse, ListCertificationsRequest,
        ListCertificationsResponse, ListDocumentsRequest, ListFindingsRequest, ListFindingsResponse,
        ListInstrumentsRequest, ListInstrumentsResponse, ListTransfersRequest, ListTransfersResponse,
        RenderPaperRequest, RenderPaperResponse, SimulateInstrumentEndRequest, SimulateInstrumentEndResponse, Transfer,
        UndeleteCertificationRequest, UndeleteInstrumentRequest, UndeleteTransferRequest, UpdateCertificationRequest,
        UpdateInstrumentRequest, UpdateTransferRequest, transfer_mechanism_service_server::TransferMechanismService,
    },
    resource::{
        name::{Kind, Name},
        page::{Position, Query},
        text,
    },
    rules::law::{Law, certification, claim},
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

    async fn create_instrument(&self, request: Request<CreateInstrumentRequest>) -> Answer<Instrument> {
        let (call, request) = mutation(request, "TransferMechanismService/CreateInstrument");
        self.create(call, None, &request.instrument_id, request.instrument.as_ref()).await
    }

    async fn update_instrument(&self, request: Request<UpdateInstrumentRequest>) -> Answer<Instrument> {
        let (call, request) = mutation(request, "TransferMechanismService/UpdateInstrument");
        self.update(call, request.instrument, request.update_mask).await
    }

    async fn delete_instrument(&self, request: Request<DeleteInstrumentRequest>) -> Answer<Instrument> {
        let (call, request) = mutation(request, "TransferMechanismService/DeleteInstrument");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_instrument(&self, request: Request<UndeleteInstrumentRequest>) -> Answer<Instrument> {
        let (call, request) = mutation(request, "TransferMechanismService/UndeleteInstrument");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn get_certification(&self, request: Request<GetCertificationRequest>) -> Answer<Certification> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_certifications(
        &self,
        request: Request<ListCertificationsRequest>,
    ) -> Answer<ListCertificationsResponse> {
        let effective_at = request.get_ref().effective_at.clone();
        let Listed { mut items, next_page_token, revision } = self.list(request.get_ref()).await?;
        // Where it stood on a day is in its history: those that were not active leave the page shorter.
        if !effective_at.is_empty() {
            items.retain(|one| certification::is_active(one, &effective_at));
        }
        Ok(Response::new(ListCertificationsResponse { certifications: items, next_page_token, revision }))
    }

    async fn create_certification(&self, request: Request<CreateCertificationRequest>) -> Answer<Certification> {
        let (call, request) = mutation(request, "TransferMechanismService/CreateCertification");
        self.create(call, Some(&request.parent), &request.certification_id, request.certification.as_ref()).await
    }

    async fn update_certification(&self, request: Request<UpdateCertificationRequest>) -> Answer<Certification> {
        let (call, request) = mutation(request, "TransferMechanismService/UpdateCertification");
        self.update(call, request.certification, request.update_mask).await
    }

    async fn delete_certification(&self, request: Request<DeleteCertificationRequest>) -> Answer<Certification> {
        let (call, request) = mutation(request, "TransferMechanismService/DeleteCertification");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_certification(&self, request: Request<UndeleteCertificationRequest>) -> Answer<Certification> {
        let (call, request) = mutation(request, "TransferMechanismService/UndeleteCertification");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn get_transfer(&self, request: Request<GetTransferRequest>) -> Answer<Transfer> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_transfers(&self, request: Request<ListTransfersRequest>) -> Answer<ListTransfersResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListTransfersResponse { transfers: items, next_page_token, revision }))
    }

    async fn create_transfer(&self, request: Request<CreateTransferRequest>) -> Answer<Transfer> {
        let (call, request) = mutation(request, "TransferMechanismService/CreateTransfer");
        self.create(call, Some(&request.parent), &request.transfer_id, request.transfer.as_ref()).await
    }

    async fn update_transfer(&self, request: Request<UpdateTransferRequest>) -> Answer<Transfer> {
        let (call, request) = mutation(request, "TransferMechanismService/UpdateTransfer");
        self.update(call, request.transfer, request.update_mask).await
    }

    async fn delete_transfer(&self, request: Request<DeleteTransferRequest>) -> Answer<Transfer> {
        let (call, request) = mutation(request, "TransferMechanismService/DeleteTransfer");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_transfer(&self, request: Request<UndeleteTransferRequest>) -> Answer<Transfer> {
        let (call, request) = mutation(request, "TransferMechanismService/UndeleteTransfer");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn assess_transfers(&self, request: Request<AssessTransfersRequest>) -> Answer<AssessTransfersResponse> {
        Ok(Response::new(self.assess(request.get_ref()).await?))
    }

    async fn simulate_instrument_end(
        &self,
        request: Request<SimulateInstrumentEndRequest>,
    ) -> Answer<SimulateInstrumentEndResponse> {
        Ok(Response::new(self.simulate(request.into_inner()).await?))
    }

    async fn assess_claims(&self, request: Request<AssessClaimsRequest>) -> Answer<AssessClaimsResponse> {
        let request = request.into_inner();
        let today = self.day_of("date", &request.date)?;
        let (date, Listed { items: documents, next_page_token, revision }) = self.documents_of(&request, today).await?;
        let law = self.store.law(revision).await?;
        let assessments = documents.iter().flat_map(|document| worth(&law, document, &date)).collect();
        Ok(Response::new(AssessClaimsResponse { assessments, next_page_token, revision, date }))
    }

    async fn render_paper(&self, request: Request<RenderPaperRequest>) -> Answer<RenderPaperResponse> {
        Ok(Response::new(self.paper(request.get_ref()).await?))
    }

    async fn list_findings(&self, request: Request<ListFindingsRequest>) -> Answer<ListFindingsResponse> {
        Ok(Response::new(self.findings(request.get_ref()).await?))
    }

    async fn acknowledge_finding(&self, request: Request<AcknowledgeFindingRequest>) -> Answer<Finding> {
        let (call, request) = mutation(request, "TransferMechanismService/AcknowledgeFinding");
        Ok(Response::new(self.acknowledge(call, request).await?))
    }

    async fn get_acknowledgement(&self, request: Request<GetAcknowledgementRequest>) -> Answer<Acknowledgement> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_acknowledgements(
        &self,
        request: Request<ListAcknowledgementsRequest>,
    ) -> Answer<ListAcknowledgementsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListAcknowledgementsResponse { acknowledgements: items, next_page_token, revision }))
    }
}

impl Api {
    /// The day a request asks about; today (UTC) if it names none.
    pub(super) fn day_of(&self, field: &str, date: &str) -> Result<String> {
        if date.is_empty() {
            return Ok(day(self.store.clock().now()));
        }
        text::date(date).map_err(|rule| Error::field(field, rule))?;
        Ok(date.to_owned())
    }

    /// The document a request asks about, or a page of those that name instruments; and for which day.
    async fn documents_of(&self, request: &AssessClaimsRequest, today: String) -> Result<(String, Listed<Document>)> {
        let parent = request.parent.as_str();
        let Some(name) = Name::parse(parent).filter(|name| name.kind() == Kind::Document) else {
            // The token of the list, in one that is bound to the day as well.
            let query = Query::of("claims", &[&request.parent, &request.date, &format!("{:?}", request.as_of)]);
            let after = query.position(&request.page_token)?;
            let date = Position::day(after.as_ref(), &request.date, today);
            let list = ListDocumentsRequest {
                parent: parent.to_owned(),
                page_size: request.page_size,
                page_token: after.map(|after| after.text).unwrap_or_default(),
                filter: "instruments:*".to_owned(),
                as_of: request.as_of,
                ..ListDocumentsRequest::default()
            };
            let mut listed: Listed<Document> = self.list(&list).await?;
            if !listed.next_page_token.is_empty() {
                let (text, date) = (listed.next_page_token, date.clone());
                listed.next_page_token = query.token(&Position { text, date, ..Position::default() });
            }
            return Ok((date, listed));
        };
        if !request.page_token.is_empty() {
            return Err(Error::field("page_token", "one document has one page"));
        }
        let revision = self.store.revision_at(as_of(request.as_of.as_ref())?).await?;
        let document: Document = self.store.get(&name, Some(AsOf::Revision(revision))).await?;
        Ok((today, Listed { items: vec![document], next_page_token: String::new(), revision }))
    }
}

/// What each claim of a document is worth.
fn worth(law: &Law, document: &Document, date: &str) -> Vec<ClaimAssessment> {
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
