//! SubprocessorService: the list, its lifecycle and its chain.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, as_of, mutation};
use crate::proto::v1::{
    ActivateRequest, CreateSubprocessorRequest, DeleteSubprocessorRequest, DiffSubprocessorsRequest,
    DiffSubprocessorsResponse, GetSubprocessorRequest, ListSubprocessorsRequest, ListSubprocessorsResponse,
    RetireRequest, Subprocessor, SuspendRequest, TraceSubprocessorRequest, TraceSubprocessorResponse,
    UndeleteSubprocessorRequest, UpdateSubprocessorRequest, subprocessor_service_server::SubprocessorService,
};
use crate::{
    call::Call,
    error::{Error, Reason},
    resource::{
        name::{Kind, Name},
        shape, text,
    },
    store::subprocessor::lifecycle::Taken,
};

impl Api {
    async fn step(&self, call: Call, name: &str, etag: String, taken: Taken) -> Answer<Subprocessor> {
        let name = Name::of(Kind::Subprocessor, "name", name)?;
        let stepped =
            self.store.write(call, |writer| Box::pin(async move { writer.step(&name, &etag, taken).await })).await?;
        Ok(Response::new(stepped))
    }
}

#[tonic::async_trait]
impl SubprocessorService for Api {
    async fn get_subprocessor(&self, request: Request<GetSubprocessorRequest>) -> Answer<Subprocessor> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_subprocessors(
        &self,
        request: Request<ListSubprocessorsRequest>,
    ) -> Answer<ListSubprocessorsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListSubprocessorsResponse { subprocessors: items, next_page_token, revision }))
    }

    async fn create_subprocessor(&self, request: Request<CreateSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/CreateSubprocessor");
        self.create(call, Some(&request.parent), &request.subprocessor_id, request.subprocessor.as_ref()).await
    }

    async fn update_subprocessor(&self, request: Request<UpdateSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/UpdateSubprocessor");
        self.update(call, request.subprocessor, request.update_mask).await
    }

    async fn delete_subprocessor(&self, request: Request<DeleteSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/DeleteSubprocessor");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_subprocessor(&self, request: Request<UndeleteSubprocessorRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/UndeleteSubprocessor");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn activate(&self, request: Request<ActivateRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Activate");
        let over = request.r#override.map(|over| shape::accept(&over, "override")).transpose()?;
        self.step(call, &request.name, request.etag, Taken::Activate { over }).await
    }

    async fn suspend(&self, request: Request<SuspendRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Suspend");
        self.step(call, &request.name, request.etag, Taken::Suspend).await
    }

    async fn retire(&self, request: Request<RetireRequest>) -> Answer<Subprocessor> {
        let (call, request) = mutation(request, "SubprocessorService/Retire");
        if !request.end_date.is_empty() {
            text::date(&request.end_date).map_err(|rule| Error::field("end_date", rule))?;
        }
        self.step(call, &request.name, request.etag, Taken::Retire { end_date: request.end_date }).await
    }

    async fn trace_subprocessor(
        &self,
        request: Request<TraceSubprocessorRequest>,
    ) -> Answer<TraceSubprocessorResponse> {
        let request = request.into_inner();
        let name = Name::of(Kind::Subprocessor, "name", &request.name)?;
        let trace = self.store.trace_subprocessor(&name, as_of(request.as_of.as_ref())?).await?;
        Ok(Response::new(trace))
    }

    async fn diff_subprocessors(
        &self,
        _request: Request<DiffSubprocessorsRequest>,
    ) -> Answer<DiffSubprocessorsResponse> {
        Err(Error::new(Reason::NotSupported, "not there yet").into())
    }
}
