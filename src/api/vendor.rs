//! VendorService.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, as_of, day, mutation, take};
use crate::proto::v1::{
    CreateVendorRequest, DeleteVendorRequest, GetVendorRequest, ListVendorsRequest, ListVendorsResponse,
    ResolveVendorsRequest, ResolveVendorsResponse, TraceVendorRequest, TraceVendorResponse, UndeleteVendorRequest,
    UpdateVendorRequest, Vendor, vendor_service_server::VendorService,
};
use crate::{
    error::{Error, Reason},
    resource::{
        name::{Kind, Name},
        shape::Violations,
    },
    store::resolve,
};

#[tonic::async_trait]
impl VendorService for Api {
    async fn get_vendor(&self, request: Request<GetVendorRequest>) -> Answer<Vendor> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_vendors(&self, request: Request<ListVendorsRequest>) -> Answer<ListVendorsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListVendorsResponse { vendors: items, next_page_token, revision }))
    }

    async fn create_vendor(&self, request: Request<CreateVendorRequest>) -> Answer<Vendor> {
        let (call, request) = mutation(request, "VendorService/CreateVendor");
        self.create(call, None, &request.vendor_id, request.vendor.as_ref()).await
    }

    async fn update_vendor(&self, request: Request<UpdateVendorRequest>) -> Answer<Vendor> {
        let (call, request) = mutation(request, "VendorService/UpdateVendor");
        self.update(call, request.vendor, request.update_mask).await
    }

    async fn delete_vendor(&self, request: Request<DeleteVendorRequest>) -> Answer<Vendor> {
        let (call, request) = mutation(request, "VendorService/DeleteVendor");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_vendor(&self, request: Request<UndeleteVendorRequest>) -> Answer<Vendor> {
        let (call, request) = mutation(request, "VendorService/UndeleteVendor");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn trace_vendor(&self, request: Request<TraceVendorRequest>) -> Answer<TraceVendorResponse> {
        let request = request.into_inner();
        let mut wrong = Violations::new();
        let name = take(Name::of(Kind::Vendor, "name", &request.name), &mut wrong);
        let at = take(as_of(request.as_of.as_ref()), &mut wrong).flatten();
        let day = take(day("effective_at", &request.effective_at), &mut wrong).flatten();
        let Some(name) = name.filter(|_| wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        Ok(Response::new(self.store.trace_vendor(&name, at, day).await?))
    }

    async fn resolve_vendors(&self, request: Request<ResolveVendorsRequest>) -> Answer<ResolveVendorsResponse> {
        let request = request.into_inner();
        let question = resolve::question(request.names, request.max_matches)?;
        let answer = self.store.resolve_vendors(question, as_of(request.as_of.as_ref())?).await?;
        Ok(Response::new(answer))
    }
}
