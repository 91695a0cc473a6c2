//! What whoever is calling may do: the seam that every call passes before its handler.
//!
//! There is no authentication yet. What there is already is the place for it: each method says here what kind of
//! access it needs, and a method that nobody listed is denied. A new method is one line in the table.

use std::{collections::HashMap, sync::LazyLock};

use http::HeaderMap;

use crate::{
    call::Principal,
    error::{Error, Reason, Result, clip},
};

/// Refuses calls that a page in a browser makes, unless the page comes from this machine too. On a loopback address
/// whoever reaches the server is believed; a page from anywhere reaches it as well, through the browser of somebody who
/// works here, once its host name is made to resolve to this machine. Browsers send `origin` with every such call
/// (Fetch Standard, 3.2), and nothing else does.
///
/// # Errors
/// PERMISSION_DENIED.
pub fn refuse_foreign_pages(headers: &HeaderMap) -> Result<()> {
    let is_from_here = |origin: &http::HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| url::Url::parse(origin).ok());
        origin.is_some_and(|origin| match origin.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
            None => false,
        })
    };
    match headers.get_all(http::header::ORIGIN).iter().find(|origin| !is_from_here(origin)) {
        None => Ok(()),
        Some(origin) => Err(Error::new(
            Reason::PermissionDenied,
            format!(
                "a page of {} may not call a server that listens on this machine alone; a proxy that lets it in has to \
                 remove the header origin",
                clip(&String::from_utf8_lossy(origin.as_bytes()))
            ),
        )),
    }
}

/// What a method needs from its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To change what can be changed back.
    Write,
    /// To do what cannot be undone.
    Admin,
}

use Access::{Admin, Read, Write};

/// Every method of our services, under its service. A test compares this with the contract.
const METHODS: &[(&str, &[(&str, Access)])] = &[
    (
        "OrganizationService",
        &[
            ("GetOrganization", Read),
            ("ListOrganizations", Read),
            ("CreateOrganization", Write),
            ("UpdateOrganization", Write),
            ("DeleteOrganization", Write),
            ("UndeleteOrganization", Write),
            ("GetDocument", Read),
            ("ListDocuments", Read),
            ("CreateDocument", Write),
            ("UpdateDocument", Write),
            ("DeleteDocument", Write),
            ("UndeleteDocument", Write),
            ("GetCustomer", Read),
            ("ListCustomers", Read),
            ("CreateCustomer", Write),
            ("UpdateCustomer", Write),
            ("DeleteCustomer", Write),
            ("UndeleteCustomer", Write),
        ],
    ),
    (
        "VendorService",
        &[
            ("GetVendor", Read),
            ("ListVendors", Read),
            ("CreateVendor", Write),
            ("UpdateVendor", Write),
            ("DeleteVendor", Write),
            ("UndeleteVendor", Write),
            ("TraceVendor", Read),
            ("ResolveVendors", Read),
        ],
    ),
    (
        "SubprocessorService",
        &[
            ("GetSubprocessor", Read),
            ("ListSubprocessors", Read),
            ("CreateSubprocessor", Write),
            ("UpdateSubprocessor", Write),
            ("DeleteSubprocessor", Write),
            ("UndeleteSubprocessor", Write),
            ("Activate", Write),
            ("Suspend", Write),
            ("Retire", Write),
            ("TraceSubprocessor", Read),
            ("DiffSubprocessors", Read),
        ],
    ),
    (
        "TransferMechanismService",
        &[
            ("GetInstrument", Read),
            ("ListInstruments", Read),
            ("CreateInstrument", Write),
            ("UpdateInstrument", Write),
            ("DeleteInstrument", Write),
            ("UndeleteInstrument", Write),
            ("GetCertification", Read),
            ("ListCertifications", Read),
            ("CreateCertification", Write),
            ("UpdateCertification", Write),
            ("DeleteCertification", Write),
            ("UndeleteCertification", Write),
            ("GetTransfer", Read),
            ("ListTransfers", Read),
            ("CreateTransfer", Write),
            ("UpdateTransfer", Write),
            ("DeleteTransfer", Write),
            ("UndeleteTransfer", Write),
            ("AssessTransfers", Read),
            ("AssessClaims", Read),
            ("SimulateInstrumentEnd", Read),
            ("RenderPaper", Read),
            ("ListFindings", Read),
            ("AcknowledgeFinding", Write),
            ("GetAcknowledgement", Read),
            ("ListAcknowledgements", Read),
        ],
    ),
    (
        "ChangeNotificationService",
        &[
            ("GetNotice", Read),
            ("ListNotices", Read),
            ("CreateNotice", Write),
            ("UpdateNotice", Write),
            ("DeleteNotice", Write),
            ("UndeleteNotice", Write),
            ("PreviewNotice", Read),
            ("ApproveNotice", Write),
            ("PublishNotice", Write),
            ("WithdrawNotice", Write),
            ("ListNoticeRecipients", Read),
            ("GetNoticeRecipient", Read),
            ("AcknowledgeNotice", Write),
            ("AuthorizeNotice", Write),
            ("DenyNotice", Write),
            ("AskNoticeQuestion", Write),
            ("AnswerNoticeQuestion", Write),
            ("RecordDelivery", Write),
            ("RenderNoticeEvidence", Read),
            ("GetObjection", Read),
            ("ListObjections", Read),
            ("CreateObjection", Write),
            ("UpdateObjection", Write),
            ("ResolveObjection", Write),
            ("GetSubscription", Read),
            ("ListSubscriptions", Read),
            ("CreateSubscription", Write),
            ("UpdateSubscription", Write),
            ("DeleteSubscription", Write),
            ("UndeleteSubscription", Write),
            ("VerifySubscription", Write),
            ("TestSubscription", Write),
            ("RotateSubscriptionSecret", Write),
            ("GetDelivery", Read),
            ("ListDeliveries", Read),
            ("RetryDelivery", Write),
            ("ReplayDeliveries", Write),
            ("ReportBounce", Write),
        ],
    ),
    (
        "ChangeLogService",
        &[
            ("GetRevision", Read),
            ("ListRevisions", Read),
            ("WatchChanges", Read),
            ("VerifyChangeLog", Read),
            ("ErasePersonalData", Admin),
        ],
    ),
    ("RegistryService", &[("ApplyManifest", Write), ("ExportManifest", Read), ("GetManifestSchema", Read)]),
];

/// The same by path, as a request names its method.
static TABLE: LazyLock<HashMap<String, Access>> = LazyLock::new(|| {
    let paths = |(service, methods): &(&str, &[(&str, Access)])| {
        let service = format!("/{}.{service}/", crate::proto::PACKAGE);
        methods.iter().map(move |(method, access)| (format!("{service}{method}"), *access)).collect::<Vec<_>>()
    };
    METHODS.iter().flat_map(paths).collect()
});

/// Whether `principal` may call `method`, which is the full path, e.g.
/// `/subprocessor.registry.v1.VendorService/GetVendor`.
///
/// # Errors
/// PERMISSION_DENIED if it may not, and for every method that is not listed here.
pub fn authorize(principal: &Principal, method: &str) -> Result<()> {
    match TABLE.get(method) {
        Some(access) if permits(principal, *access) => Ok(()),
        _ => Err(Error::new(
            Reason::PermissionDenied,
            format!("{} may not call {}", clip(principal.as_str()), clip(method)),
        )
        .with("principal", principal)
        .with("method", method)),
    }
}

/// Until there is authentication, whoever can reach the server may do everything: that is why it listens on a loopback
/// address unless told otherwise.
fn permits(_principal: &Principal, access: Access) -> bool {
    match access {
        Read | Write | Admin => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn contract() -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        for service in crate::proto::POOL.services() {
            paths.extend(service.methods().map(|method| format!("/{}/{}", service.full_name(), method.name())));
        }
        paths
    }

    #[test]
    fn every_method_of_the_contract_is_listed_and_nothing_else() {
        assert_eq!(TABLE.keys().cloned().collect::<BTreeSet<_>>(), contract());
        let listed: usize = METHODS.iter().map(|(_, methods)| methods.len()).sum();
        assert_eq!(listed, TABLE.len(), "a method is listed twice");
    }

    #[test]
    fn what_the_contract_says_has_no_side_effects_needs_to_read_and_the_rest_more() {
        for service in crate::proto::POOL.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let proto = method.method_descriptor_proto();
                let safe = proto.options.as_ref().is_some_and(|o| o.idempotency_level() as i32 == 1);
                let reads = safe || method.is_server_streaming();
                assert_eq!(TABLE.get(&path) == Some(&Read), reads, "{path}");
            }
        }
        assert_eq!(TABLE.get("/subprocessor.registry.v1.ChangeLogService/ErasePersonalData"), Some(&Admin));
    }

    #[test]
    fn listed_methods_are_allowed_and_all_others_denied() {
        let anonymous = Principal::anonymous();
        for path in contract() {
            assert!(authorize(&anonymous, &path).is_ok(), "{path}");
        }
        for path in [
            "",
            "/",
            "GetVendor",
            "/subprocessor.registry.v1.VendorService/",
            "/subprocessor.registry.v1.VendorService/getVendor",
            "/subprocessor.registry.v1.VendorService/GetVendor/",
            "/subprocessor.registry.v1.VendorService/GetVendor ",
            "/subprocessor.registry.v1.VendorService/GetInstrument",
            "/subprocessor.registry.v2.VendorService/GetVendor",
            "/grpc.health.v1.Health/Check",
        ] {
            let error = authorize(&anonymous, path).expect_err("denied");
            assert_eq!(error.reason(), Reason::PermissionDenied, "{path}");
        }
    }
}
