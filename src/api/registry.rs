//! RegistryService: manifests.

use tonic::{Request, Response};

use super::{Answer, Api, as_of, mutation};
use crate::{
    error::Error,
    manifest,
    proto::v1::{
        ApplyManifestRequest, ApplyManifestResponse, ExportManifestRequest, ExportManifestResponse,
        GetManifestSchemaRequest, GetManifestSchemaResponse, registry_service_server::RegistryService,
    },
    resource::name::{Kind, Name},
};

#[tonic::async_trait]
impl RegistryService for Api {
    async fn apply_manifest(&self, request: Request<ApplyManifestRequest>) -> Answer<ApplyManifestResponse> {
        let (call, request) = mutation(request, "RegistryService/ApplyManifest");
        if request.manifest.trim().is_empty() {
            return Err(Error::field("manifest", "is required").into());
        }
        Ok(Response::new(manifest::apply(&self.store, call, &request.manifest, request.prune).await?))
    }

    async fn export_manifest(&self, request: Request<ExportManifestRequest>) -> Answer<ExportManifestResponse> {
        let request = request.into_inner();
        let name = Name::of(Kind::Organization, "name", &request.name)?;
        let format = request.format();
        let at = as_of(request.as_of.as_ref())?;
        Ok(Response::new(manifest::export(&self.store, &name, format, at, request.as_found).await?))
    }

    async fn get_manifest_schema(
        &self,
        _request: Request<GetManifestSchemaRequest>,
    ) -> Answer<GetManifestSchemaResponse> {
        Ok(Response::new(GetManifestSchemaResponse { json_schema: manifest::schema_text() }))
    }
}
