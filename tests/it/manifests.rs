//! Manifests: an organization with all that belongs to it as one file (DESIGN §4, API.md).

mod apply;
mod errors;
mod export;
mod order;
mod schema;

use subprocessor_registry::proto::v1;
use tonic::Status;

use crate::support::Server;

const ACME: &str = "organizations/acme";

/// A manifest with something of each kind. The document and the subprocessor refer to each other.
const WHOLE: &str = "\
organization:
  id: acme
  display_name: Acme
  products:
    - {product_id: cloud, display_name: Cloud}
    - {product_id: desk, display_name: Desk}
documents:
  - id: policy
    title: Privacy policy
    kind: PRIVACY_POLICY
    claims:
      - kind: SUBPROCESSOR_USE
        quote: We use Amazon.
        line: 7
        subject: organizations/acme/subprocessors/hosting
  - id: dpa
    title: Agreement with Amazon
    kind: DPA
vendors:
  - id: aws
    display_name: AWS
    parent_vendor: vendors/amazon
    entities:
      - {entity_id: inc, legal_name: 'Amazon Web Services, Inc.', region_code: US}
  - id: amazon
    display_name: Amazon
subprocessors:
  - id: mail
    vendor: vendors/aws
    display_name: Amazon SES
    engaged_by: organizations/acme/subprocessors/hosting
  - id: hosting
    vendor: vendors/aws
    vendor_entity: inc
    display_name: AWS
    products: [cloud]
    purposes: [hosting]
    locations:
      - {region_code: US, activity: STORAGE}
    dpa: {status: SIGNED, document: organizations/acme/documents/dpa}
customers:
  - id: big
    display_name: Big
    products: [desk]
    agreement: {notice_days: 30, document: organizations/acme/documents/dpa}
";

/// `WHOLE` with one text in the place of another, which stands in it once.
#[track_caller]
fn whole_with(from: &str, to: &str) -> String {
    assert_eq!(WHOLE.matches(from).count(), 1, "{from}");
    WHOLE.replace(from, to)
}

async fn apply_with(
    server: &mut Server,
    manifest: &str,
    change: impl FnOnce(&mut v1::ApplyManifestRequest),
) -> Result<v1::ApplyManifestResponse, Status> {
    let mut request = v1::ApplyManifestRequest { manifest: manifest.into(), ..Default::default() };
    change(&mut request);
    server.registry.apply_manifest(request).await.map(tonic::Response::into_inner)
}

async fn prune(server: &mut Server, manifest: &str) -> Result<v1::ApplyManifestResponse, Status> {
    apply_with(server, manifest, |request| request.prune = true).await
}

/// A plan as `ACTION name`, in its order.
fn actions(answer: &v1::ApplyManifestResponse) -> Vec<String> {
    let word = |change: &v1::PlannedChange| change.action().as_str_name().trim_start_matches("ACTION_");
    answer.plan.iter().map(|change| format!("{} {}", word(change), change.resource_name)).collect()
}

/// The differences of one resource of a plan: path, before, after.
#[track_caller]
fn diffs<'a>(answer: &'a v1::ApplyManifestResponse, name: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let change = answer.plan.iter().find(|change| change.resource_name == name).unwrap_or_else(|| panic!("{name}"));
    change.field_diffs.iter().map(|diff| (diff.path.as_str(), diff.before.as_str(), diff.after.as_str())).collect()
}

/// The ids of an organization's subprocessors.
async fn ids(server: &mut Server) -> Vec<String> {
    let list = crate::support::subprocessors_of(server, ACME).await;
    list.iter().filter_map(|s| s.name.rsplit('/').next()).map(str::to_owned).collect()
}
