//! `watch`, `verify` and `erase`: the change log.

use std::{io, str::FromStr, time::Duration};

use clap::Args;

use super::{
    Common, Print,
    apply::Question,
    client::{Registry, request_id},
    contract,
    failure::{Failure, Outcome},
    output::{Format, Out},
    value,
};
use crate::{
    client::reached as reached_by,
    error::can_resume,
    proto::v1::{
        ErasePersonalDataRequest, ErasePersonalDataResponse, Revision, VerifyChangeLogRequest, VerifyChangeLogResponse,
        WatchChangesRequest, WatchChangesResponse, watch_changes_response::Event,
    },
};

/// Pauses before a stream that broke off is opened again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(super) struct Watch {
    /// An organization by its name or id: it and everything under it. `-`: everything.
    #[arg(value_name = "ORGANIZATION", default_value = "-")]
    parent: String,
    /// Begin after this revision. Absent: from now on. 0: from the beginning.
    #[arg(long, value_name = "N")]
    after_revision: Option<i64>,
    /// The hash that revision had, 64 hexadecimal digits: fail if it is another.
    #[arg(long, value_name = "HEX", requires = "after_revision", value_parser = parse_hash)]
    after_hash: Option<Hash>,
    /// Only resources of this type, e.g. `subprocessors`. Can be repeated.
    #[arg(long = "type", value_name = "T")]
    types: Vec<String>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// Where a stream is to go on.
#[derive(Debug, Default, Clone, PartialEq)]
struct Position {
    revision: Option<i64>,
    hash: Vec<u8>,
}

impl Watch {
    /// Prints each revision as it arrives, until it is interrupted or refused.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let hash = self.after_hash.clone().map(|hash| hash.0).unwrap_or_default();
        let mut position = Position { revision: self.after_revision, hash };
        // The first connection must work: a wrong endpoint is not worth waiting for.
        let registry = Registry::connect(&self.common).await?;
        let mut pause = FIRST_PAUSE;
        let mut opened = false;
        loop {
            let before = position.clone();
            let Err(failure) = self.follow(&registry, &mut position, &mut opened, out).await else {
                return Err(Failure::Failed("the server ended the stream".to_owned()));
            };
            if !is_resumable(&failure, opened) {
                return Err(failure);
            }
            if position != before {
                pause = FIRST_PAUSE;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Prints what one stream brings; `opened` once there is one.
    async fn follow(&self, registry: &Registry, position: &mut Position, opened: &mut bool, out: &mut Out) -> Outcome {
        let request = WatchChangesRequest {
            parent: contract::organization(&self.parent),
            after_revision: position.revision,
            after_hash: position.hash.clone(),
            resource_types: self.types.clone(),
        };
        let mut stream = registry.stream::<_, WatchChangesResponse>("ChangeLogService/WatchChanges", request).await?;
        *opened = true;
        while let Some(message) = stream.message().await? {
            if let Some(reached) = reached(&message) {
                *position = reached;
            }
            match (&message.event, self.print.output) {
                (Some(Event::Revision(revision)), Format::Table) => {
                    for line in lines(revision) {
                        out.line(line)?;
                    }
                    out.flush()?;
                }
                // People are told of changes only; programs can resume from a checkpoint too.
                (Some(Event::Checkpoint(_)) | None, Format::Table) => {}
                (_, format) => out.next(format, &value::dynamic(&message))?,
            }
        }
        Ok(())
    }
}

/// Whether going on from the last position is what the contract says to do. Who hangs up is a server that went away, if a
/// stream could be opened before.
fn is_resumable(failure: &Failure, opened: bool) -> bool {
    match failure {
        Failure::Refused(status) => can_resume(status),
        Failure::Foreign => opened,
        _ => false,
    }
}

fn reached(message: &WatchChangesResponse) -> Option<Position> {
    let (revision, hash) = reached_by(message)?;
    Some(Position { revision: Some(revision), hash: hash.to_vec() })
}

/// A revision, one line for each of its changes.
fn lines(revision: &Revision) -> Vec<String> {
    let time = value::time(revision.commit_time.as_ref());
    let line = |change: &crate::proto::v1::Change| {
        let kind = value::short("Change.Kind", change.kind);
        format!("{}  {time}  {}  {kind}  {}", revision.number, revision.principal, change.resource_name)
    };
    revision.changes.iter().map(line).collect()
}

/// A SHA-256, of 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq)]
struct Hash(Vec<u8>);

fn parse_hash(text: &str) -> Result<Hash, String> {
    hex::decode(text)
        .ok()
        .filter(|bytes| bytes.len() == 32)
        .map(Hash)
        .ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
}

/// A revision and the hash it had.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    revision: i64,
    hash: Vec<u8>,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "must be of the form REVISION:HASH, as an earlier verify printed it";
        let (revision, hash) = text.split_once(':').ok_or(form)?;
        let revision = revision.parse().ok().filter(|revision| *revision > 0).ok_or(form)?;
        Ok(Self { revision, hash: parse_hash(hash).map_err(|rule| format!("the hash {rule}"))?.0 })
    }
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A revision and the hash it had, as an earlier verify printed it: a log that was cut or rewritten since is found.
    #[arg(long, value_name = "REV:HASHHEX")]
    expected: Option<Expected>,
    /// First revision to check.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    from: i64,
    /// Last revision to check.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    to: i64,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Verify {
    /// Prints what does not match.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let (expected_revision, expected_hash) = self.expected.map(|e| (e.revision, e.hash)).unwrap_or_default();
        let request =
            VerifyChangeLogRequest { from_revision: self.from, to_revision: self.to, expected_revision, expected_hash };
        let registry = Registry::connect(&self.common).await?;
        let answer: VerifyChangeLogResponse = registry.call("ChangeLogService/VerifyChangeLog", request).await?;
        if self.print.output != Format::Table {
            out.message(self.print.output, &value::dynamic(&answer))?;
        } else if answer.verified {
            let VerifyChangeLogResponse { from_revision, to_revision, changes_checked, .. } = answer;
            let changes = value::count(changes_checked, "change");
            let range = match from_revision == to_revision {
                true => format!("revision {to_revision}"),
                false => format!("revisions {from_revision} to {to_revision}"),
            };
            out.line(format!("verified: {range}, {changes}"))?;
            out.line(format!("remember, for --expected: {to_revision}:{}", hex::encode(&answer.to_hash)))?;
        } else {
            problems(&answer, out)?;
        }
        match answer.verified {
            true => Ok(()),
            false => {
                out.flush()?;
                Err(Failure::Unverified(format!("not verified: {}", value::count(answer.problem_count, "problem"))))
            }
        }
    }
}

fn problems(answer: &VerifyChangeLogResponse, out: &mut Out) -> Outcome {
    let headings = ["REVISION", "CHANGE", "RESOURCE", "PROBLEM", "TEXT"].map(ToOwned::to_owned);
    let row = |problem: &crate::proto::v1::Problem| {
        vec![
            problem.revision.to_string(),
            problem.ordinal.map_or_else(String::new, |ordinal| ordinal.to_string()),
            problem.resource_name.clone(),
            value::short("Problem.Kind", problem.kind),
            problem.text.clone(),
        ]
    };
    out.table(&headings, answer.problems.iter().map(row).collect())
}

/// Arguments of `erase`.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The resource.
    name: String,
    /// Why, without personal data in it: it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask. Needed where there is no terminal to ask on.
    #[arg(long, short)]
    yes: bool,
    /// Say what would be erased, and erase nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Erase {
    /// Says how much would be erased, asks, and erases.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let request = |validate_only: bool| ErasePersonalDataRequest {
            name: self.name.clone(),
            reason: self.reason.clone(),
            request_id: if validate_only { String::new() } else { request_id() },
            validate_only,
        };
        let call =
            |request| registry.call::<_, ErasePersonalDataResponse>("ChangeLogService/ErasePersonalData", request);
        if !self.yes {
            let would = call(request(true)).await?;
            if self.dry_run || would.versions_erased == 0 {
                return self.show(&would, true, self.print.output, out);
            }
            // Standard output is for programs: who is asked sees what is asked beside the question.
            let mut beside = Out::to(io::stderr());
            self.show(&would, true, Format::Table, &mut beside)?;
            beside.flush()?;
            let question = Question { ask: "erase that", instead: "--yes to erase", not_done: "nothing was erased" };
            question.put(&self.name, out.interactive)?;
        }
        let done = call(request(false)).await?;
        self.show(&done, false, self.print.output, out)
    }

    fn show(&self, answer: &ErasePersonalDataResponse, would: bool, format: Format, out: &mut Out) -> Outcome {
        if format != Format::Table {
            return out.message(format, &value::dynamic(answer));
        }
        let versions = value::count(answer.versions_erased.into(), "version");
        match (answer.versions_erased, answer.current_version_kept) {
            (0, true) => {
                return out.line(format!(
                    "{}: nothing erased: the current version still holds its content; remove the data (apply or \
                     Update) or delete the resource, then erase again",
                    self.name
                ));
            }
            (0, false) => return out.line(format!("{}: nothing left to erase", self.name)),
            _ if would => out.line(format!("{}: would erase {versions}", self.name))?,
            _ => out.line(format!("{}: erased {versions}, revision {}", self.name, answer.revision))?,
        }
        if answer.current_version_kept {
            out.line("the current version was kept: it is live")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::{
        error::{Error, Reason},
        proto::v1::{Change, Checkpoint, change},
    };

    #[test]
    fn what_is_expected_is_a_revision_and_a_hash() {
        let hash = "ab".repeat(32);
        assert_eq!(format!("7:{hash}").parse(), Ok(Expected { revision: 7, hash: vec![0xab; 32] }));
        for wrong in ["", "7", "7:", "7:ab", "0:", &format!("0:{hash}"), &format!("x:{hash}"), &format!("7:{hash}00")] {
            assert!(wrong.parse::<Expected>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stream_goes_on_after_the_last_revision_or_checkpoint() {
        let revision = Revision {
            number: 4,
            principal: "ops".to_owned(),
            hash: vec![4],
            commit_time: Some(prost_types::Timestamp { seconds: 1_774_260_000, nanos: 0 }),
            changes: ["a", "b"]
                .map(|name| Change {
                    kind: change::Kind::Updated.into(),
                    resource_name: name.to_owned(),
                    ..Default::default()
                })
                .to_vec(),
            ..Default::default()
        };
        assert_eq!(
            lines(&revision),
            ["4  2026-03-23T10:00:00Z  ops  UPDATED  a", "4  2026-03-23T10:00:00Z  ops  UPDATED  b"]
        );
        let of = |event| reached(&WatchChangesResponse { event });
        assert_eq!(of(Some(Event::Revision(revision))), Some(Position { revision: Some(4), hash: vec![4] }));
        let checkpoint = Checkpoint { revision: 9, hash: vec![9], commit_time: None };
        assert_eq!(of(Some(Event::Checkpoint(checkpoint))), Some(Position { revision: Some(9), hash: vec![9] }));
        assert_eq!(of(None), None);
    }

    #[test]
    fn a_stream_is_resumed_after_what_the_contract_says_is_safe() {
        for (reason, resumable) in [
            (Reason::ServerStopping, true),
            (Reason::DatabaseUnavailable, true),
            (Reason::ReaderTooSlow, true),
            (Reason::LogHashMismatch, false),
            (Reason::LogNotYetWritten, false),
            (Reason::FieldInvalid, false),
        ] {
            let failure = Failure::from(Status::from(Error::new(reason, "x")));
            assert_eq!(is_resumable(&failure, false), resumable, "{reason:?}");
        }
        // A connection that broke, and one that nobody of ours answers.
        let broken = || Status::from_error(Box::new(std::io::Error::other("reset")));
        assert!(is_resumable(&Failure::Refused(Box::new(broken())), true));
        assert!(is_resumable(&Failure::Foreign, true));
        assert!(!is_resumable(&Failure::Foreign, false));
        assert!(!is_resumable(&Failure::Closed, true));
    }
}
