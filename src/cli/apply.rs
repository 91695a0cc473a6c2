//! `apply`, `export` and `schema`: manifests.

use std::io::{self, Write};

use clap::Args;
use tonic::Status;

use super::{
    Common, Print,
    client::{Registry, request_id},
    contract,
    failure::{Failure, Outcome, printable, violations},
    file,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{
    ApplyManifestRequest, ApplyManifestResponse, ExportManifestRequest, ExportManifestResponse,
    GetManifestSchemaRequest, GetManifestSchemaResponse, PlannedChange, export_manifest_request,
    planned_change::Action,
};

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Manifests, YAML or JSON; `-` is standard input. Each is planned, confirmed and applied before the next.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Do not ask. Needed where there is no terminal to ask on.
    #[arg(long, short)]
    yes: bool,
    /// Show the plan and change nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Delete the organization's documents, certifications, subprocessors, transfers and customers that the manifest does not list.
    #[arg(long)]
    prune: bool,
    /// Show every field of what is created, too.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Apply {
    /// Plans, asks and applies, file by file.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        for file in &self.files {
            self.file(&registry, file, out).await?;
        }
        Ok(())
    }

    async fn file(&self, registry: &Registry, file: &str, out: &mut Out) -> Outcome {
        let request = ApplyManifestRequest {
            manifest: file::document(file)?,
            prune: self.prune,
            validate_only: true,
            request_id: String::new(),
        };
        let call = |request| registry.call::<_, ApplyManifestResponse>("RegistryService/ApplyManifest", request);
        let plan = call(request.clone()).await.map_err(|failure| locate(file, failure))?;
        let table = self.print.output == Format::Table;
        if table {
            self.show(file, &plan, out)?;
        }
        if plan.plan.is_empty() || self.dry_run {
            return if table { Ok(()) } else { out.next(self.print.output, &value::dynamic(&plan)) };
        }
        if !self.yes {
            out.flush()?;
            // Standard output is for programs: who is asked sees what is asked beside the question.
            if !table {
                let mut beside = Out::to(io::stderr());
                self.show(file, &plan, &mut beside)?;
                beside.flush()?;
            }
            let question = Question { ask: "apply", instead: "--yes to apply the plan", not_done: "not applied" };
            question.put(file, out.interactive)?;
        }
        let request = ApplyManifestRequest { validate_only: false, request_id: request_id(), ..request };
        let applied = call(request).await.map_err(|failure| locate(file, failure))?;
        if table {
            return out.line(format!("{file}: applied, revision {}", applied.revision));
        }
        out.next(self.print.output, &value::dynamic(&applied))
    }

    fn show(&self, file: &str, answer: &ApplyManifestResponse, out: &mut Out) -> Outcome {
        if answer.plan.is_empty() {
            return out.line(format!("{file}: nothing to change (revision {})", answer.revision));
        }
        let headings = ["ACTION", "RESOURCE", "FIELD", "BEFORE", "AFTER"].map(ToOwned::to_owned);
        out.table(&headings, answer.plan.iter().flat_map(|change| rows(change, self.full)).collect())?;
        let count = |action: Action| answer.plan.iter().filter(|change| change.action() == action).count();
        out.line(format!(
            "{file}: {} to create, {} to update, {} to delete",
            count(Action::Create),
            count(Action::Update),
            count(Action::Delete)
        ))
    }
}

/// The rows of one change: its action and resource stand in the first.
fn rows(change: &PlannedChange, full: bool) -> Vec<Vec<String>> {
    let mut first =
        vec![value::short("PlannedChange.Action", change.action).to_lowercase(), change.resource_name.clone()];
    let diffs = &change.field_diffs;
    if diffs.is_empty() || (change.action() == Action::Create && !full) {
        if !diffs.is_empty() {
            first.push(format!("({})", value::count(diffs.len().try_into().unwrap_or(i64::MAX), "field")));
        }
        return vec![first];
    }
    let mut rows = Vec::new();
    for diff in diffs {
        let mut row = if rows.is_empty() { std::mem::take(&mut first) } else { vec![String::new(), String::new()] };
        row.extend([diff.path.clone(), value::shorten(&diff.before), value::shorten(&diff.after)]);
        rows.push(row);
    }
    rows
}

/// A question on the terminal.
pub(super) struct Question {
    /// What is asked.
    pub(super) ask: &'static str,
    /// What does without a terminal: "--yes to ...".
    pub(super) instead: &'static str,
    /// What became of it if that is not confirmed.
    pub(super) not_done: &'static str,
}

impl Question {
    /// Asks it about a file or a resource. What is not confirmed is not done.
    pub(super) fn put(&self, subject: &str, interactive: bool) -> Outcome {
        let Self { ask, instead, not_done } = self;
        if !interactive {
            return Err(Failure::Usage(format!("{subject}: there is no terminal to confirm on: use {instead}")));
        }
        let mut error = io::stderr().lock();
        write!(error, "{subject}: {ask}? [y/N] ").and_then(|()| error.flush())?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::Failed(format!("{subject}: {not_done}"))),
        }
    }
}

/// Errors of a manifest, one a line as `FILE:LINE: path: rule`; other failures as they are.
fn locate(file: &str, failure: Failure) -> Failure {
    match &failure {
        Failure::Refused(status) if failure.reason().as_deref() == Some("MANIFEST_INVALID") => {
            let lines = located(file, status);
            if lines.is_empty() { failure } else { Failure::Located(lines) }
        }
        _ => failure,
    }
}

/// What a status lists, a line for each.
pub(super) fn located(file: &str, status: &Status) -> Vec<String> {
    violations(status).iter().map(|(field, rule)| printable(&locate_one(file, field, rule))).collect()
}

/// The line number opens the field or the rule: `line 12: path` or `line 12: rule`.
pub(super) fn locate_one(file: &str, field: &str, rule: &str) -> String {
    let (in_field, field) = strip_line(field);
    let (in_rule, rule) = strip_line(rule);
    let mut text = file.to_owned();
    if let Some(line) = in_field.or(in_rule) {
        text.push(':');
        text.push_str(line);
    }
    for part in [field, rule].into_iter().filter(|part| !part.is_empty()) {
        text.push_str(": ");
        text.push_str(part);
    }
    text
}

/// Splits `line 12: rest` (or `line 12, column 3: rest`, or `line 12`) into the number and the rest.
fn strip_line(text: &str) -> (Option<&str>, &str) {
    let Some(rest) = text.strip_prefix("line ") else { return (None, text) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    match rest.split_once(':') {
        _ if number.is_empty() => (None, text),
        Some((between, rest)) if between.is_empty() || between.starts_with(", column ") => {
            (Some(number), rest.trim_start())
        }
        None if rest.is_empty() => (Some(number), rest),
        _ => (Some(number), rest.trim_start()),
    }
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The organization: its name or its id.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Text::Yaml)]
    output: Text,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// For another registry: enter there what is in use here as it was found, with its state.
    #[arg(long)]
    as_found: bool,
    #[command(flatten)]
    common: Common,
}

/// Forms of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Text {
    /// YAML 1.2.
    Yaml,
    /// JSON.
    Json,
}

impl Export {
    /// Prints the manifest.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let name = contract::organization(&self.organization);
        let format = match self.output {
            Text::Yaml => export_manifest_request::Format::Yaml,
            Text::Json => export_manifest_request::Format::Json,
        };
        let as_of = self.as_of.map(|as_of| as_of.message());
        let request = ExportManifestRequest { name, format: format.into(), as_of, as_found: self.as_found };
        let registry = Registry::connect(&self.common).await?;
        let answer: ExportManifestResponse = registry.call("RegistryService/ExportManifest", request).await?;
        if answer.states_left_out > 0 {
            let what = value::count(answer.states_left_out.into(), "subprocessor");
            let how = if self.as_found { "" } else { "; --as-found enters there what is in use here with its state" };
            writeln!(
                io::stderr(),
                "note: the state of {what} is not in the manifest: another registry has them PROPOSED{how}"
            )?;
        }
        out.text(&answer.manifest)
    }
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    #[command(flatten)]
    common: Common,
}

impl Schema {
    /// Prints the schema.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let request = GetManifestSchemaRequest {};
        let answer: GetManifestSchemaResponse = registry.call("RegistryService/GetManifestSchema", request).await?;
        out.text(&answer.json_schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Error, Reason},
        proto::v1::FieldDiff,
    };

    #[test]
    fn manifest_errors_say_file_line_path_and_rule() {
        for (field, rule, expected) in [
            ("vendors[0].id", "line 12: must not be empty", "a.yaml:12: vendors[0].id: must not be empty"),
            ("line 12: vendors[0].id", "must not be empty", "a.yaml:12: vendors[0].id: must not be empty"),
            ("line 3, column 4: x", "unknown key", "a.yaml:3: x: unknown key"),
            ("line 3", "unknown key", "a.yaml:3: unknown key"),
            ("vendors[0].id", "must not be empty", "a.yaml: vendors[0].id: must not be empty"),
            ("", "line 1: is not YAML", "a.yaml:1: is not YAML"),
            ("", "line breaks are not allowed", "a.yaml: line breaks are not allowed"),
        ] {
            assert_eq!(locate_one("a.yaml", field, rule), expected);
        }
        let invalid =
            Error::fields(Reason::ManifestInvalid, vec![("a".into(), "line 1: x".into()), ("b".into(), "y".into())]);
        let failure = locate("f", Failure::from(Status::from(invalid)));
        assert!(matches!(&failure, Failure::Located(lines) if *lines == ["f:1: a: x", "f: b: y"]), "{failure:?}");
        let other = locate("f", Failure::from(Status::from(Error::field("a", "x"))));
        assert!(matches!(other, Failure::Refused(_)));
    }

    #[test]
    fn a_plan_names_action_and_resource_once() {
        let diff = |path: &str| FieldDiff { path: path.into(), before: "1".into(), after: "x".repeat(100) };
        let change = |action: Action| PlannedChange {
            action: action.into(),
            resource_name: "vendors/a".into(),
            field_diffs: vec![diff("a"), diff("b")],
        };
        let after = format!("{}…", "x".repeat(value::SHOWN));
        assert_eq!(
            rows(&change(Action::Update), false),
            [vec!["update", "vendors/a", "a", "1", &after], vec!["", "", "b", "1", &after]]
        );
        assert_eq!(rows(&change(Action::Create), false), [["create", "vendors/a", "(2 fields)"]]);
        let one = PlannedChange { field_diffs: vec![diff("a")], ..change(Action::Create) };
        assert_eq!(rows(&one, false), [["create", "vendors/a", "(1 field)"]]);
        assert_eq!(rows(&change(Action::Create), true).len(), 2);
    }
}
