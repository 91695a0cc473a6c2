//! What one revision may hold.

use std::fmt::Write;

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{all_after, assert_verifies, number, raw, revision, watch};
use crate::support::{Server, both, fresh, refused, vendor};

fn many(vendors: usize) -> String {
    let mut manifest = "organization: {id: acme, display_name: Acme}\nvendors:\n".to_owned();
    for i in 0..vendors {
        let _ = writeln!(manifest, "  - {{id: v{i}, display_name: V{i}}}");
    }
    manifest
}

async fn apply(server: &mut Server, manifest: String) -> Result<v1::ApplyManifestResponse, Status> {
    let request = v1::ApplyManifestRequest { manifest, ..Default::default() };
    server.registry.apply_manifest(request).await.map(tonic::Response::into_inner)
}

fn numbers(status: &Status, keys: [&str; 2]) -> [i64; 2] {
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo");
    keys.map(|key| {
        info.metadata.get(key).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{key}: {status:?}"))
    })
}

both! {
    async fn a_thousand_changes_and_not_one_more(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let status = refused(apply(&mut server, many(1_000)).await, Code::ResourceExhausted, "REVISION_TOO_LARGE", &[]);
        assert_eq!(numbers(&status, ["changes", "max_changes"]), [1_001, 1_000]);
        let db = raw(&place).await;
        for table in ["vendor", "organization", "resource", "change", "revision", "vendor_value", "request"] {
            assert_eq!(number(&db, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(server.revision().await, 0);
        let applied = apply(&mut server, many(999)).await.expect("applied");
        assert_eq!((applied.revision, applied.plan.len()), (1, 1_000));
        let whole = revision(&mut watch(&server, all_after(Some(0))).await).await;
        assert_eq!((whole.number, whole.changes.len()), (1, 1_000));
        assert_verifies(&mut server).await;
    }

    async fn two_mebibytes_and_not_more(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        vendor(&mut server, "big").await;
        let big = |fill: &str, count: usize| v1::Vendor {
            name: "vendors/big".into(),
            annotations: (0..count).map(|n| (format!("a{n}"), fill.repeat(16_384 / fill.len()))).collect(),
            ..Default::default()
        };
        let put = |vendor: v1::Vendor| v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
        // One resource has less than half of that, so that it can always be changed: before and after fit together.
        server.vendors.update_vendor(put(big("x", 60))).await.expect("updated");
        let answer = server.vendors.update_vendor(put(big("y", 64))).await;
        let status = refused(answer, Code::ResourceExhausted, "REVISION_TOO_LARGE", &[]);
        let [bytes, most] = numbers(&status, ["bytes", "max_resource_bytes"]);
        assert!(most == 1_000_000 && bytes > most, "{bytes}");
        assert!(status.message().contains(&bytes.to_string()), "{status:?}");
        let db = raw(&place).await;
        assert_eq!(number(&db, "SELECT count(*) FROM vendor").await, 2);
        assert_eq!(server.revision().await, 2);
        // A manifest of several that are small enough each.
        let mut manifest = "organization: {id: acme, display_name: Acme}\nvendors:\n".to_owned();
        for i in 0..3 {
            let _ = writeln!(manifest, "  - id: v{i}\n    display_name: V{i}\n    annotations:");
            for n in 0..48 {
                let _ = writeln!(manifest, "      a{n}: {}", "z".repeat(16_000));
            }
        }
        let status = refused(apply(&mut server, manifest).await, Code::ResourceExhausted, "REVISION_TOO_LARGE", &[]);
        let [bytes, most] = numbers(&status, ["bytes", "max_bytes"]);
        assert!(most == 2 * 1024 * 1024 && bytes > most, "{bytes}");
        assert_eq!(server.revision().await, 2);
        // What is near the limit is still streamed whole.
        server.vendors.update_vendor(put(big("w", 60))).await.expect("updated");
        let mut stream = watch(&server, all_after(Some(2))).await;
        let whole = revision(&mut stream).await;
        let any = |any: &Option<prost_types::Any>| any.as_ref().map_or(0, |any| any.value.len());
        assert!(any(&whole.changes[0].before) + any(&whole.changes[0].after) > 1_900_000);
        assert_verifies(&mut server).await;
    }
}
