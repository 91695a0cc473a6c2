//! `resolve`: which vendors names mean.

use clap::Args;
use indicatif::ProgressBar;

use super::{
    Common, Print,
    client::Registry,
    failure::{Failure, Outcome, printable, violations},
    file,
    output::{Format, Out},
    progress,
    resource::AsOf,
    value,
};
use crate::{
    proto::v1::{ResolveVendorsRequest, ResolveVendorsResponse, ResolvedName, VendorMatch, as_of::Point},
    rules::vendor_name::MATCH,
};

/// Names in one call: few enough for the progress to be seen.
const CHUNK: usize = 1_000;

/// The longest file of names that is read.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Arguments of `resolve`.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// Names as lists write them, e.g. "The Rocket Science Group LLC d/b/a Mailchimp"; `-` reads them from standard
    /// input, one a line.
    #[arg(value_name = "NAME", required_unless_present = "file")]
    names: Vec<String>,
    /// Read names from a file as well, one a line; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// How many vendors to show for each name, at most 20. A table shows one unless told otherwise, JSON and YAML 5.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    max_matches: Option<u8>,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// A name, and where it stands.
struct Line {
    /// File and line; none for an argument.
    place: Option<(String, usize)>,
    name: String,
}

impl Resolve {
    /// Prints the vendors that the names mean.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let lines = self.lines()?;
        if lines.is_empty() {
            return Err(Failure::Usage("there is no name to resolve".to_owned()));
        }
        let registry = Registry::connect(&self.common).await?;
        let usual = if self.print.output == Format::Table { 1 } else { 0 };
        let mut request = ResolveVendorsRequest {
            names: Vec::new(),
            as_of: self.as_of.as_ref().map(AsOf::message),
            max_matches: self.max_matches.map_or(usual, i32::from),
        };
        let progress = progress(lines.len());
        let mut answer = ResolveVendorsResponse::default();
        for chunk in lines.chunks(CHUNK) {
            request.names = chunk.iter().map(|line| line.name.clone()).collect();
            let called = registry.call("VendorService/ResolveVendors", request.clone()).await;
            let part: ResolveVendorsResponse = called.map_err(|failure| locate(chunk, failure))?;
            // All from one revision, whatever is written meanwhile.
            let point = Some(Point::Revision(part.revision));
            request.as_of = Some(crate::proto::v1::AsOf { point });
            answer.revision = part.revision;
            answer.results.extend(part.results);
            progress.inc(u64::try_from(chunk.len()).unwrap_or(0));
        }
        progress.finish_and_clear();
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["NAME", "VENDOR", "ENTITY OR SERVICE", "SCORE", "WHY"].map(ToOwned::to_owned);
        out.table(&headings, answer.results.iter().flat_map(rows).collect())?;
        if answer.results.len() > 1 { out.line(summary(&answer.results)) } else { Ok(()) }
    }

    /// The names of the arguments, of standard input and of the file.
    fn lines(&self) -> Outcome<Vec<Line>> {
        let mut lines = Vec::new();
        let files: Vec<&String> = self.names.iter().filter(|name| *name == "-").chain(&self.file).collect();
        if files.iter().filter(|file| file.as_str() == "-").count() > 1 {
            return Err(Failure::Usage("standard input can be read once: `-` stands there twice".to_owned()));
        }
        let arguments = self.names.iter().filter(|name| *name != "-");
        lines.extend(arguments.map(|name| Line { place: None, name: name.clone() }));
        for file in files {
            let text = file::text(file, MAX_BYTES)?;
            let named =
                text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, name)| !name.trim().is_empty());
            lines.extend(
                named.map(|(i, name)| Line { place: Some((file.clone(), i + 1)), name: name.trim().to_owned() }),
            );
        }
        Ok(lines)
    }
}

/// Shown on a terminal only, and only for what takes more than one call.
fn progress(names: usize) -> ProgressBar {
    if names > CHUNK { progress::bar(names, "names") } else { ProgressBar::hidden() }
}

/// What is refused where names of a file are among it, one a line: these as `FILE:LINE: rule`. Other failures as they
/// are.
fn locate(lines: &[Line], failure: Failure) -> Failure {
    let Failure::Refused(status) = &failure else { return failure };
    let place = |field: &str| {
        let index: usize = field.strip_prefix("names[")?.strip_suffix(']')?.parse().ok()?;
        lines.get(index)?.place.as_ref()
    };
    let violations = violations(status);
    if !violations.iter().any(|(field, _)| place(field).is_some()) {
        return failure;
    }
    let told = violations.iter().map(|(field, rule)| match place(field) {
        Some((file, line)) => printable(&format!("{file}:{line}: {rule}")),
        None => printable(&format!("{field}: {rule}")),
    });
    Failure::Located(told.collect())
}

/// A row for each vendor that a name may mean.
fn rows(result: &ResolvedName) -> Vec<Vec<String>> {
    let name = |part: &str| if part.is_empty() { result.name.clone() } else { part.to_owned() };
    if result.matches.is_empty() {
        return vec![vec![name(""), "-".to_owned(), String::new(), String::new(), String::new()]];
    }
    let row = |found: &VendorMatch| {
        // What is no match is a question.
        let doubt = if found.score < MATCH { "?" } else { "" };
        let id = if found.entity_id.is_empty() { &found.service_id } else { &found.entity_id };
        let why = format!("{} ({})", found.reason, found.matched);
        vec![name(&found.part), format!("{}{doubt}", found.vendor), id.clone(), format!("{:.2}", found.score), why]
    };
    result.matches.iter().map(row).collect()
}

fn summary(results: &[ResolvedName]) -> String {
    let sure = |result: &&ResolvedName| result.matches.iter().any(|found| found.score >= MATCH);
    let resolved = results.iter().filter(sure).count();
    let unknown = results.iter().filter(|result| result.matches.is_empty()).count();
    let unsure = results.len() - resolved - unknown;
    format!("{} names: {resolved} resolved, {unsure} unsure, {unknown} unknown", results.len())
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::error::{Error, Reason};

    #[test]
    fn names_of_a_file_are_refused_with_their_line() {
        let line = |place: Option<(&str, usize)>| Line {
            place: place.map(|(file, line)| (file.to_owned(), line)),
            name: String::new(),
        };
        let lines = [line(Some(("f", 3))), line(Some(("f", 9))), line(None)];
        let refused = |fields: &[&str]| {
            let fields = fields.iter().map(|field| ((*field).to_owned(), "is empty".to_owned())).collect();
            Failure::from(Status::from(Error::fields(Reason::FieldInvalid, fields)))
        };
        let failure = locate(&lines, refused(&["names[0]", "names[1]"]));
        assert!(
            matches!(&failure, Failure::Located(lines) if *lines == ["f:3: is empty", "f:9: is empty"]),
            "{failure:?}"
        );
        // With what is wrong elsewhere, all of it is told.
        let failure = locate(&lines, refused(&["names[0]", "names[2]", "max_matches"]));
        assert!(
            matches!(&failure, Failure::Located(lines) if *lines == ["f:3: is empty", "names[2]: is empty", "max_matches: is empty"]),
            "{failure:?}"
        );
        for fields in [["names[2]"], ["names[7]"], ["max_matches"]] {
            assert!(matches!(locate(&lines, refused(&fields)), Failure::Refused(_)), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_match_is_shown_as_a_question() {
        let found = |vendor: &str, score: f64, part: &str| VendorMatch {
            vendor: vendor.to_owned(),
            score,
            part: part.to_owned(),
            reason: "Why.".to_owned(),
            matched: "A".to_owned(),
            ..Default::default()
        };
        let result = |matches| ResolvedName { name: "A and B".to_owned(), matches };
        let results = [
            result(vec![found("v/a", 0.8, "A"), found("v/b", 0.79, "B")]),
            result(vec![]),
            result(vec![found("v/b", 0.7, "")]),
        ];
        let shown: Vec<String> = results.iter().flat_map(rows).map(|row| row.join("|")).collect();
        assert_eq!(
            shown,
            ["A|v/a||0.80|Why. (A)", "B|v/b?||0.79|Why. (A)", "A and B|-|||", "A and B|v/b?||0.70|Why. (A)"]
        );
        assert_eq!(summary(&results), "3 names: 1 resolved, 1 unsure, 1 unknown");
    }
}
