//! TransferMechanismService: so far, reading instruments.

use tonic::{Request, Response};

use super::{Answer, Api, Listed};
use crate::proto::v1::{
    GetInstrumentRequest, Instrument, ListInstrumentsRequest, ListInstrumentsResponse,
    transfer_mechanism_service_server::TransferMechanismService,
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
}
