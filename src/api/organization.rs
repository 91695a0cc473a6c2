//! OrganizationService: organizations, documents, customers.

use tonic::{Request, Response};

use super::{Answer, Api, Listed, mutation};
use crate::proto::v1::{
    CreateCustomerRequest, CreateDocumentRequest, CreateOrganizationRequest, Customer, DeleteCustomerRequest,
    DeleteDocumentRequest, DeleteOrganizationRequest, Document, GetCustomerRequest, GetDocumentRequest,
    GetOrganizationRequest, ListCustomersRequest, ListCustomersResponse, ListDocumentsRequest, ListDocumentsResponse,
    ListOrganizationsRequest, ListOrganizationsResponse, Organization, UndeleteCustomerRequest,
    UndeleteDocumentRequest, UndeleteOrganizationRequest, UpdateCustomerRequest, UpdateDocumentRequest,
    UpdateOrganizationRequest, organization_service_server::OrganizationService,
};

#[tonic::async_trait]
impl OrganizationService for Api {
    async fn get_organization(&self, request: Request<GetOrganizationRequest>) -> Answer<Organization> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_organizations(
        &self,
        request: Request<ListOrganizationsRequest>,
    ) -> Answer<ListOrganizationsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListOrganizationsResponse { organizations: items, next_page_token, revision }))
    }

    async fn create_organization(&self, request: Request<CreateOrganizationRequest>) -> Answer<Organization> {
        let (call, request) = mutation(request, "OrganizationService/CreateOrganization");
        self.create(call, None, &request.organization_id, request.organization.as_ref()).await
    }

    async fn update_organization(&self, request: Request<UpdateOrganizationRequest>) -> Answer<Organization> {
        let (call, request) = mutation(request, "OrganizationService/UpdateOrganization");
        self.update(call, request.organization, request.update_mask).await
    }

    async fn delete_organization(&self, request: Request<DeleteOrganizationRequest>) -> Answer<Organization> {
        let (call, request) = mutation(request, "OrganizationService/DeleteOrganization");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_organization(&self, request: Request<UndeleteOrganizationRequest>) -> Answer<Organization> {
        let (call, request) = mutation(request, "OrganizationService/UndeleteOrganization");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn get_document(&self, request: Request<GetDocumentRequest>) -> Answer<Document> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_documents(&self, request: Request<ListDocumentsRequest>) -> Answer<ListDocumentsResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListDocumentsResponse { documents: items, next_page_token, revision }))
    }

    async fn create_document(&self, request: Request<CreateDocumentRequest>) -> Answer<Document> {
        let (call, request) = mutation(request, "OrganizationService/CreateDocument");
        self.create(call, Some(&request.parent), &request.document_id, request.document.as_ref()).await
    }

    async fn update_document(&self, request: Request<UpdateDocumentRequest>) -> Answer<Document> {
        let (call, request) = mutation(request, "OrganizationService/UpdateDocument");
        self.update(call, request.document, request.update_mask).await
    }

    async fn delete_document(&self, request: Request<DeleteDocumentRequest>) -> Answer<Document> {
        let (call, request) = mutation(request, "OrganizationService/DeleteDocument");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_document(&self, request: Request<UndeleteDocumentRequest>) -> Answer<Document> {
        let (call, request) = mutation(request, "OrganizationService/UndeleteDocument");
        self.undelete(call, &request.name, request.etag).await
    }

    async fn get_customer(&self, request: Request<GetCustomerRequest>) -> Answer<Customer> {
        let request = request.into_inner();
        self.get(&request.name, request.as_of.as_ref()).await
    }

    async fn list_customers(&self, request: Request<ListCustomersRequest>) -> Answer<ListCustomersResponse> {
        let Listed { items, next_page_token, revision } = self.list(request.get_ref()).await?;
        Ok(Response::new(ListCustomersResponse { customers: items, next_page_token, revision }))
    }

    async fn create_customer(&self, request: Request<CreateCustomerRequest>) -> Answer<Customer> {
        let (call, request) = mutation(request, "OrganizationService/CreateCustomer");
        self.create(call, Some(&request.parent), &request.customer_id, request.customer.as_ref()).await
    }

    async fn update_customer(&self, request: Request<UpdateCustomerRequest>) -> Answer<Customer> {
        let (call, request) = mutation(request, "OrganizationService/UpdateCustomer");
        self.update(call, request.customer, request.update_mask).await
    }

    async fn delete_customer(&self, request: Request<DeleteCustomerRequest>) -> Answer<Customer> {
        let (call, request) = mutation(request, "OrganizationService/DeleteCustomer");
        self.delete(call, &request.name, request.etag).await
    }

    async fn undelete_customer(&self, request: Request<UndeleteCustomerRequest>) -> Answer<Customer> {
        let (call, request) = mutation(request, "OrganizationService/UndeleteCustomer");
        self.undelete(call, &request.name, request.etag).await
    }
}
