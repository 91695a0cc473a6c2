//! How a command fails: what it prints, and its exit code.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use tonic::Status;
use tonic_types::StatusExt;

use crate::error::code_name;

/// What commands return.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or the settings cannot be used.
    Usage(String),
    /// It was tried and did not work, or was not confirmed.
    Failed(String),
    /// Files have errors, each a line that begins with file and line, as editors read them.
    Located(Vec<String>),
    /// The server refused.
    Refused(Box<Status>),
    /// What answers there is no gRPC server, or hangs up.
    Foreign,
    /// It was not verified.
    Unverified(String),
    /// Nobody reads what is printed any more. No failure of ours.
    Closed,
}

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Failed(_) | Self::Located(_) | Self::Refused(_) | Self::Foreign => 1,
            Self::Usage(_) => 2,
            Self::Unverified(_) => 3,
        }
    }

    /// Says on standard error what was wrong, and returns the exit code.
    pub(super) fn report(&self) -> u8 {
        // There is nobody left to tell if this fails.
        let _ = io::stderr().lock().write_all(self.text().as_bytes());
        self.code()
    }

    /// What was wrong, in lines.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Closed => String::new(),
            Self::Usage(text) | Self::Failed(text) | Self::Unverified(text) => {
                text.lines().fold(String::new(), |mut all, line| {
                    let _ = writeln!(all, "error: {line}");
                    all
                })
            }
            Self::Located(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
            Self::Refused(status) => describe(status),
            Self::Foreign => {
                let how = "--endpoint must name a subprocessor-registry server";
                format!("error: what answers there does not speak gRPC, or hangs up: {how}\n")
            }
        }
    }

    /// Whether trying again can help: the only code that says so.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Refused(status) if code_name(status.code()) == "UNAVAILABLE")
    }

    /// The published reason, if the server gave one.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(status) => status.get_error_details().error_info().map(|info| info.reason.clone()),
            _ => None,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match speaks_grpc(&status) {
            true => Self::Refused(Box::new(status)),
            false => Self::Foreign,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(format!("cannot write: {error}")),
        }
    }
}

/// Whether a status can come of a gRPC server: not if its answer is no HTTP/2, or HTTP/2 of something else.
fn speaks_grpc(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        // As HTTP/2 says of bytes that it cannot read; of a connection that broke it says so.
        if error.to_string().starts_with("connection error detected") {
            return false;
        }
        cause = error.source();
    }
    // We cancel nothing: what is cancelled with a cause is the connection, closed before the answer, or, before the call
    // was sent, of an unknown cause.
    let hung_up = match code_name(status.code()) {
        "CANCELLED" => true,
        "UNKNOWN" => status.message() == "transport error",
        _ => false,
    };
    let hung_up = hung_up && std::error::Error::source(status).is_some();
    !hung_up && !status.message().starts_with("grpc-status header missing")
}

/// An error of the server: code, reason and message, then whatever it lists, one a line.
fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let mut text = format!("error: {}", code_name(status.code()));
    if let Some(info) = details.error_info() {
        let _ = write!(text, " ({})", printable(&info.reason));
    }
    let gates = details.error_info().is_some_and(|info| info.reason == "GATE_REFUSED");
    let fields = violations(status).into_iter().map(|(what, rule)| (String::new(), what, rule));
    let failures = details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    let failures = failures.into_iter().map(|violation| {
        let gate = if gates { format!("gate {}: ", violation.r#type) } else { String::new() };
        (gate, violation.subject, violation.description)
    });
    let wrong: Vec<_> = fields.chain(failures).collect();
    let mut message = status.message().to_owned();
    if let [(_, _, rule)] = wrong.as_slice() {
        message = completed(&message, rule).unwrap_or(message);
    }
    let _ = writeln!(text, ": {}", printable(&message));
    for (before, what, rule) in &wrong {
        let line = join(what, rule);
        // One thing is said once.
        let is_said = message == line || message == *rule || (wrong.len() == 1 && message.ends_with(rule));
        if gates || !is_said {
            let _ = writeln!(text, "  {}", printable(&format!("{before}{line}")));
        }
    }
    if gates {
        let hint = "`activate` passes them with --override-reason TEXT --override-approver ID, kept for good";
        let _ = writeln!(text, "  {hint}");
    }
    if details.error_info().is_some_and(|info| info.metadata.contains_key("max_changes")) {
        let _ = writeln!(text, "  apply a part of it first: what is there already makes no change");
    }
    if let Some(info) = details.error_info() {
        let mut metadata: Vec<_> = info.metadata.iter().collect();
        metadata.sort();
        for (key, value) in metadata {
            let _ = writeln!(text, "  {} = {}", printable(key), printable(value));
        }
    }
    text
}

/// A message that is cut, with the rest of the rule that it ends with: rules are cut later.
fn completed(message: &str, rule: &str) -> Option<String> {
    /// So much of it tells which rule it is.
    const TELLING: usize = 20;
    let cut = message.strip_suffix('…')?;
    let mut starts = cut.char_indices().map(|(at, _)| at).take_while(|at| at + TELLING <= cut.len());
    let at = starts.find(|at| rule.starts_with(&cut[*at..]))?;
    Some(format!("{}{rule}", &cut[..at]))
}

/// The fields that break rules, with the rule.
pub(super) fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}

fn join(what: &str, text: &str) -> String {
    if what.is_empty() { text.to_owned() } else { format!("{what}: {text}") }
}

/// A text of the server's without what could drive a terminal, on one line.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Reason};

    #[test]
    fn every_failure_has_its_exit_code() {
        for (failure, code) in [
            (Failure::Closed, 0),
            (Failure::Failed(String::new()), 1),
            (Failure::Located(Vec::new()), 1),
            (Failure::from(Status::internal("")), 1),
            (Failure::Usage(String::new()), 2),
            (Failure::Unverified(String::new()), 3),
            (Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), 0),
            (Failure::from(io::Error::from(io::ErrorKind::StorageFull)), 1),
        ] {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }

    #[test]
    fn errors_are_printed_with_all_that_they_say_and_nothing_that_drives_a_terminal() {
        let fields = vec![("a".to_owned(), "must be\u{1b}[31m".to_owned()), ("b.c".to_owned(), "too long".to_owned())];
        let text = describe(&Error::fields(Reason::FieldInvalid, fields).with("limit", 3).into());
        assert_eq!(
            text,
            "error: INVALID_ARGUMENT (FIELD_INVALID): a: must be [31m (and 1 more)\n  a: must be [31m\n  b.c: too \
             long\n  limit = 3\n"
        );
        let error = Error::new(Reason::GateRefused, "refused").precondition("DPA", "vendors/x", "no DPA in force");
        let text = describe(&error.into());
        assert_eq!(
            text,
            "error: FAILED_PRECONDITION (GATE_REFUSED): refused\n  gate DPA: vendors/x: no DPA in force\n  `activate` \
             passes them with --override-reason TEXT --override-approver ID, kept for good\n"
        );
        let text = describe(&Error::new(Reason::RevisionTooLarge, "too large").with("max_changes", 3).into());
        assert!(text.contains("\n  apply a part of it first: what is there already makes no change\n"), "{text}");
        // One thing is said once.
        let text = describe(&Error::field("a", "must be").into());
        assert_eq!(text, "error: INVALID_ARGUMENT (FIELD_INVALID): a: must be\n");
        // Also where the message is cut; the rule has more of it.
        let rule = format!("offered are: {}", "field, ".repeat(40));
        let text = describe(&Error::fields(Reason::FilterInvalid, vec![("filter".into(), rule.clone())]).into());
        assert_eq!(text, format!("error: INVALID_ARGUMENT (FILTER_INVALID): filter: {rule}\n"));
        let text = format!("x does not fit: {rule}");
        let error = Error::new(Reason::NoticeRefused, text.clone()).precondition("NOTICE", "x", rule);
        assert_eq!(describe(&error.into()), format!("error: FAILED_PRECONDITION (NOTICE_REFUSED): {text}\n"));
        let error = Error::new(Reason::StateTransitionRefused, "x is").precondition("STATE", "x", "x is");
        assert_eq!(describe(&error.into()), "error: FAILED_PRECONDITION (STATE_TRANSITION_REFUSED): x is\n");
        assert_eq!(describe(&Status::unknown("x")), "error: UNKNOWN: x\n");
    }

    #[test]
    fn only_unavailable_is_worth_another_try() {
        assert!(Failure::from(Status::unavailable("")).is_temporary());
        assert!(!Failure::from(Status::internal("")).is_temporary());
        assert!(!Failure::Failed(String::new()).is_temporary());
    }
}
