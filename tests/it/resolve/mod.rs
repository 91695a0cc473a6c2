//! ResolveVendors: which vendors the names of published lists mean.

use subprocessor_registry::proto::v1;
use tonic::Status;

use crate::support::Server;

mod bounds;
mod data;
mod pure;
mod registry;

/// A score from which on a match is one.
const MATCH: f64 = 0.8;

async fn ask(server: &mut Server, request: v1::ResolveVendorsRequest) -> Result<v1::ResolveVendorsResponse, Status> {
    let client = server.vendors.clone();
    client.max_decoding_message_size(8 << 20).resolve_vendors(request).await.map(tonic::Response::into_inner)
}

async fn resolve(server: &mut Server, names: &[&str]) -> Vec<v1::ResolvedName> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let answer = ask(server, v1::ResolveVendorsRequest { names: names.clone(), ..Default::default() });
    let results = answer.await.expect("resolved").results;
    assert_eq!(results.iter().map(|result| &result.name).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    results
}

/// The vendor that a name means, without `vendors/`; empty if it means none.
fn meant(result: &v1::ResolvedName) -> &str {
    let best = result.matches.first().filter(|best| best.score >= MATCH);
    best.and_then(|best| best.vendor.strip_prefix("vendors/")).unwrap_or_default()
}

/// The vendors that names mean.
async fn all_meant(server: &mut Server, names: &[&str]) -> Vec<String> {
    resolve(server, names).await.iter().map(|result| meant(result).to_owned()).collect()
}
