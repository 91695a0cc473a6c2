//! Errors that the transport makes itself, before a handler is reached, given our reasons and details.
//!
//! tonic answers a request that is too large with OUT_OF_RANGE, where everybody else says RESOURCE_EXHAUSTED, and one
//! that cannot be decoded with INTERNAL, which would count as a defect of ours. Every error of the registry's own
//! carries details, so one without them is the transport's.

use http::{HeaderMap, header::HeaderName};
use tonic::{Code, Status};

use crate::error::{Error, Reason};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// How the messages of the two limits begin (tonic's `codec/decode.rs`): the message's length, and its length once
/// decompressed.
const TOO_LARGE: [&str; 2] = ["Error, decoded message length too large", "Error decompressing: size limit"];

/// Replaces the status in the headers of a response, if it is the transport's.
pub(super) fn complete(headers: &mut HeaderMap) {
    if !headers.contains_key(STATUS) || headers.contains_key(DETAILS) {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else { return };
    let Some(error) = translate(&status) else { return };
    replace(headers, error);
}

/// Puts an error's status into headers or trailers, in place of whatever status they have.
pub(super) fn replace(headers: &mut HeaderMap, error: Error) {
    let status = Status::from(error);
    headers.remove(DETAILS);
    headers.remove("grpc-message");
    if let Err(status) = status.add_header(headers) {
        // Only a message that cannot be a header gets here, and messages are percent-encoded.
        tracing::error!(%status, "a status cannot be sent");
    }
}

fn translate(status: &Status) -> Option<Error> {
    let (code, message) = (status.code(), status.message());
    if TOO_LARGE.iter().any(|start| message.starts_with(start)) {
        let numbers = message.split_once(": ").map_or(message, |(_, numbers)| numbers);
        return Some(Error::new(Reason::MessageTooLarge, format!("the request is too large: {numbers}")));
    }
    if code == code_of(Reason::NotSupported) {
        let message = if message.is_empty() { "there is no such method" } else { message };
        return Some(Error::new(Reason::NotSupported, message.to_owned()));
    }
    if code == code_of(Reason::Internal) {
        // On the way in, all that tonic calls INTERNAL is a request that it cannot make sense of.
        return Some(Error::field("", format!("the request cannot be decoded: {message}")));
    }
    None
}

fn code_of(reason: Reason) -> Code {
    Error::new(reason, "").code()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn completed(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-accept-encoding", http::HeaderValue::from_static("gzip"));
        status.add_header(&mut headers).expect("headers");
        complete(&mut headers);
        assert!(headers.contains_key("grpc-accept-encoding"));
        Status::from_header_map(&headers).expect("a status")
    }

    fn reason(status: &Status) -> String {
        status.get_error_details().error_info().map_or_else(String::new, |info| info.reason.clone())
    }

    #[test]
    fn the_transports_errors_get_our_reasons() {
        for (status, code, reason_expected) in [
            (
                Status::out_of_range("Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes"),
                Code::ResourceExhausted,
                "MESSAGE_TOO_LARGE",
            ),
            (
                Status::resource_exhausted("Error decompressing: size limit, of 8 bytes, exceeded while …"),
                Code::ResourceExhausted,
                "MESSAGE_TOO_LARGE",
            ),
            (Status::unimplemented("Content is compressed with `br`"), Code::Unimplemented, "NOT_SUPPORTED"),
            (Status::unimplemented(""), Code::Unimplemented, "NOT_SUPPORTED"),
            (Status::internal("Missing request message."), Code::InvalidArgument, "FIELD_INVALID"),
        ] {
            let completed = completed(&status);
            assert_eq!((completed.code(), reason(&completed).as_str()), (code, reason_expected), "{status:?}");
            // Of what is too large the numbers are told, not how a library opens its sentence.
            let told = if code == Code::ResourceExhausted { "8 bytes" } else { status.message() };
            assert!(completed.message().contains(told) && !completed.message().contains("Error"), "{completed:?}");
        }
    }

    #[test]
    fn our_own_errors_and_others_stay_as_they_are() {
        let ours = Status::from(Error::new(Reason::Internal, "internal error"));
        assert_eq!(completed(&ours).code(), Code::Internal);
        assert_eq!(completed(&Status::not_found("service not registered")).code(), Code::NotFound);
        let mut headers = HeaderMap::new();
        complete(&mut headers);
        assert!(headers.is_empty());
    }
}
