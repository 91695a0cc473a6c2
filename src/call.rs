//! Who calls what: what a handler passes down with a request.

use crate::trace;

/// The principal of what the registry does itself.
pub const SYSTEM: &str = "system";

/// A call, as far as the layers below the handlers need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls: an opaque id.
    pub principal: String,
    /// The method, as the log names it: `VendorService/CreateVendor`.
    pub method: &'static str,
    /// The caller's request id (AIP-155); empty if there was none.
    pub request_id: String,
    /// SHA-256 of the request without its `request_id`: what the same request id must come with again.
    pub request_digest: [u8; 32],
    /// Check everything, write nothing (AIP-163).
    pub validate_only: bool,
    /// The trace that it belongs to ([`crate::trace`]); empty: none.
    pub trace: String,
}

impl Call {
    /// A call that the registry makes itself, such as loading the catalog.
    pub fn internal(method: &'static str) -> Self {
        Self {
            principal: SYSTEM.to_owned(),
            method,
            request_id: String::new(),
            request_digest: [0; 32],
            validate_only: false,
            trace: trace::current(),
        }
    }
}
