//! The one error of the registry. Its public half (reason, fields, numbers) goes to the caller; its cause only to the
//! log. This is the only file that names a gRPC code.

use std::{borrow::Cow, collections::HashMap, fmt};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use crate::proto::v1::ErrorReason as Reason;

/// The `domain` of every `google.rpc.ErrorInfo` that the registry sends.
pub const DOMAIN: &str = "subprocessor-registry";

const INTERNAL: &str = "internal error; the server's log has the cause";

/// Trailers travel as HTTP/2 headers, which common clients limit to 8 KiB: details are cut before that.
const TRAILERS: usize = 8 * 1024 - 256;

/// How much of a rule is sent, in characters: it names what would be accepted, such as every field of a filter.
const LONGEST_RULE: usize = 600;

/// The largest answer whose size the data decides: what clients accept, less room for what is around it.
const MAX_ANSWER: usize = 4 * 1024 * 1024 - 64 * 1024;

impl Reason {
    /// The word for it, as callers and the log have it.
    fn word(self) -> &'static str {
        self.as_str_name().trim_start_matches("ERROR_REASON_")
    }
}

/// Refuses an answer that clients would not accept.
///
/// # Errors
/// ANSWER_TOO_LARGE.
pub fn answer_fits(what: &str, bytes: usize) -> Result<()> {
    if bytes <= MAX_ANSWER {
        return Ok(());
    }
    let message = format!("{what} has {bytes} bytes, more than the {MAX_ANSWER} that an answer can hold");
    Err(Error::new(Reason::AnswerTooLarge, message).with("bytes", bytes).with("max_bytes", MAX_ANSWER))
}

/// How a call ends whose caller has given it up.
pub const GIVEN_UP: Code = Code::Cancelled;

/// Whether a stream of changes can go on after it ended so: the server stops, is away or out of reach, or the reader was
/// too slow or had given itself a deadline.
pub fn can_resume(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => true,
        // Not an answer, but the transport's word for a connection that broke.
        Code::Unknown | Code::Cancelled | Code::Internal => std::error::Error::source(status).is_some(),
        Code::ResourceExhausted => {
            let details = status.get_error_details();
            details.error_info().is_some_and(|info| info.reason == "READER_TOO_SLOW")
        }
        _ => false,
    }
}

/// A code as the specification writes it: `DEADLINE_EXCEEDED`.
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// What every fallible function of the registry returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    message: Cow<'static, str>,
    details: Vec<Detail>,
    metadata: Vec<(&'static str, String)>,
    retry_is_safe: bool,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Detail {
    /// A field breaks a rule (`google.rpc.BadRequest`).
    Field { field: String, rule: String },
    /// A precondition is not met (`google.rpc.PreconditionFailure`).
    Precondition { kind: &'static str, subject: String, text: String },
    /// A resource is concerned (`google.rpc.ResourceInfo`).
    Resource { kind: &'static str, name: String },
}

impl Error {
    /// An error with a reason and a message for the caller.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            reason,
            message: message.into(),
            details: Vec::new(),
            metadata: Vec::new(),
            retry_is_safe: false,
            cause: None,
        }))
    }

    /// One field breaks a rule.
    pub fn field(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::fields(Reason::FieldInvalid, vec![(field.into(), rule.into())])
    }

    /// Fields break rules: all of them at once.
    pub fn fields(reason: Reason, fields: Vec<(String, String)>) -> Self {
        let message = match fields.as_slice() {
            [] => "invalid argument".to_owned(),
            [(field, rule)] if field.is_empty() => rule.clone(),
            [(field, rule)] => format!("{field}: {rule}"),
            [(field, rule), rest @ ..] => format!("{field}: {rule} (and {} more)", rest.len()),
        };
        let mut error = Self::new(reason, message);
        error.0.details = fields.into_iter().map(|(field, rule)| Detail::Field { field, rule }).collect();
        error
    }

    /// There is no such resource.
    pub fn not_found(kind: &'static str, name: &str) -> Self {
        Self::new(Reason::ResourceNotFound, format!("{} does not exist", clip(name))).resource(kind, name)
    }

    /// A defect, or a failure that the caller can do nothing about. The cause goes to the log only.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Reason::Internal, INTERNAL).caused_by(cause)
    }

    /// Adds a precondition that is not met.
    #[must_use]
    pub fn precondition(mut self, kind: &'static str, subject: &str, text: impl Into<String>) -> Self {
        self.0.details.push(Detail::Precondition { kind, subject: clip(subject).into_owned(), text: text.into() });
        self
    }

    /// Adds the resource concerned.
    #[must_use]
    pub fn resource(mut self, kind: &'static str, name: &str) -> Self {
        self.0.details.push(Detail::Resource { kind, name: clip(name).into_owned() });
        self
    }

    /// Adds a value to the metadata of the `ErrorInfo`. Values that the message mentions belong here too (AIP-193).
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.metadata.push((key, value.to_string()));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Says that sending the same request again cannot do it twice.
    #[must_use]
    pub fn retry_is_safe(mut self, safe: bool) -> Self {
        self.0.retry_is_safe = safe;
        self
    }

    /// Whether the message only refers to the log.
    pub fn is_unexplained(&self) -> bool {
        self.0.message == INTERNAL
    }

    /// The published reason.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The fields that break rules, with the rule.
    pub fn field_violations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.details.iter().filter_map(|detail| match detail {
            Detail::Field { field, rule } => Some((field.as_str(), rule.as_str())),
            Detail::Precondition { .. } | Detail::Resource { .. } => None,
        })
    }

    /// The preconditions that are not met, with what is missing.
    pub fn preconditions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.details.iter().filter_map(|detail| match detail {
            Detail::Precondition { kind, text, .. } => Some((*kind, text.as_str())),
            Detail::Field { .. } | Detail::Resource { .. } => None,
        })
    }

    /// Writes the cause to the log, where the error ends: once, because it does not leave.
    pub fn log(&self, what: &'static str) {
        if let Some(cause) = &self.0.cause {
            tracing::error!(reason = self.0.reason.word(), cause = %chain(cause.as_ref()), "{what}");
        }
    }

    /// The canonical code: the reason decides it, and says what a client can do.
    pub fn code(&self) -> Code {
        match self.0.reason {
            Reason::FieldInvalid
            | Reason::FilterInvalid
            | Reason::OrderByInvalid
            | Reason::PageTokenInvalid
            | Reason::UpdateMaskInvalid
            | Reason::ManifestInvalid
            | Reason::ChainCycle => Code::InvalidArgument,
            Reason::ResourceNotFound | Reason::ResourceErased => Code::NotFound,
            Reason::ResourceExists | Reason::DuplicateEngagement | Reason::RequestIdReused => Code::AlreadyExists,
            Reason::EtagStale => Code::Aborted,
            Reason::ResourceDeleted
            | Reason::ResourceNotDeleted
            | Reason::ResourceInUse
            | Reason::ReferenceNotFound
            | Reason::StateTransitionRefused
            | Reason::GateRefused
            | Reason::NoticeRefused
            | Reason::ChannelNotConfigured => Code::FailedPrecondition,
            Reason::LogNotYetWritten => Code::OutOfRange,
            Reason::LogHashMismatch | Reason::LogCorrupt => Code::DataLoss,
            Reason::RevisionTooLarge | Reason::ReaderTooSlow | Reason::MessageTooLarge | Reason::AnswerTooLarge => {
                Code::ResourceExhausted
            }
            Reason::PermissionDenied => Code::PermissionDenied,
            Reason::PrincipalInvalid => Code::Unauthenticated,
            Reason::DeadlineExceeded => Code::DeadlineExceeded,
            Reason::ServerStopping | Reason::DatabaseUnavailable => Code::Unavailable,
            Reason::CommitOutcomeUnknown if self.0.retry_is_safe => Code::Unavailable,
            Reason::CommitOutcomeUnknown => Code::Unknown,
            Reason::NotSupported => Code::Unimplemented,
            Reason::Internal | Reason::Unspecified => Code::Internal,
        }
    }
}

impl Error {
    /// The status by which plain HTTP says the same.
    pub fn http_status(&self) -> u16 {
        match self.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => 400,
            Code::Unauthenticated => 401,
            Code::PermissionDenied => 403,
            Code::NotFound => 404,
            Code::Unavailable | Code::DeadlineExceeded => 503,
            _ => 500,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (field, rule) in self.field_violations().skip(1) {
            write!(f, "; {field}: {rule}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<Error> for Status {
    /// The boundary: the cause is logged here, and does not leave.
    fn from(error: Error) -> Self {
        error.log("call failed");
        let code = error.code();
        let Inner { reason, message, details, metadata, .. } = *error.0;
        let message = clip(&message).into_owned();
        let metadata: HashMap<String, String> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), clip(&value).into_owned())).collect();
        let reason = reason.word().to_owned();
        let mut budget = details_budget(&message, &metadata);
        let mut out = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        let total = details.len();
        for (sent, detail) in details.into_iter().enumerate() {
            let texts = match &detail {
                Detail::Field { field, rule } => [clip(field), cut(rule, LONGEST_RULE), "".into()],
                Detail::Precondition { kind, subject, text } => {
                    [(*kind).into(), clip(subject), cut(text, LONGEST_RULE)]
                }
                Detail::Resource { kind, name } => [(*kind).into(), clip(name), message.as_str().into()],
            };
            // Each text and each message has a tag and a length before it.
            let cost = texts.iter().map(|text| text.len() + 3).sum::<usize>() + 3;
            let Some(left) = budget.checked_sub(cost) else {
                out.add_bad_request_violation("", format!("and {} more", total - sent));
                break;
            };
            budget = left;
            match detail {
                Detail::Field { field, rule } => {
                    out.add_bad_request_violation(clip(&field), cut(&rule, LONGEST_RULE));
                }
                Detail::Precondition { kind, subject, text } => {
                    out.add_precondition_failure_violation(kind, subject, cut(&text, LONGEST_RULE));
                }
                Detail::Resource { kind, name } => {
                    out.set_resource_info(kind, name, "", message.as_str());
                }
            }
        }
        Status::with_error_details(code, message, out)
    }
}

/// How many bytes of details fit beside the message, which travels twice: per-cent encoded, and with the details in
/// base64.
fn details_budget(message: &str, metadata: &HashMap<String, String>) -> usize {
    let encoded: usize = message.bytes().map(|b| if matches!(b, b' '..=b'~') && b != b'%' { 1 } else { 3 }).sum();
    let details = TRAILERS.saturating_sub(encoded) / 4 * 3;
    let metadata: usize = metadata.iter().map(|(key, value)| key.len() + value.len() + 9).sum();
    // The names of the four types of detail, the reason and the domain.
    details.saturating_sub(message.len() + metadata + 400)
}

/// A text of the caller's for use in a message: at most 200 characters, so that no answer grows with the request.
pub fn clip(text: &str) -> Cow<'_, str> {
    cut(text, 200)
}

/// The first characters of a text, at most so many.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// The causes of an error, for the log.
pub fn causes(error: &Error) -> String {
    std::error::Error::source(error).map(chain).unwrap_or_default()
}

/// An error with all its causes, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
