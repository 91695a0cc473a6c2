//! `diff`: how an organization's list differs from what it was, for people, for programs, and for a changelog.

mod changelog;

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};

use changelog::{Public, markdown};

use super::{
    Common,
    client::Registry,
    contract,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{DiffSubprocessorsRequest, DiffSubprocessorsResponse, Subprocessor};

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("from").args(["base", "base_day"]).required(true).multiple(true)))]
pub(super) struct Diff {
    /// The organization: its name or its id.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// Compare with the list as the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or
    /// 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    base: Option<AsOf>,
    /// The list as the registry had it then. Absent: now.
    #[arg(long, value_name = "R|TIME")]
    target: Option<AsOf>,
    /// Compare with the list of this day, by the subprocessors' own dates.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    base_day: String,
    /// The list of this day.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    target_day: String,
    /// Only what concerns this customer: its name or its id.
    #[arg(long, value_name = "CUSTOMER", default_value = "", hide_default_value = true)]
    customer: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    #[command(flatten)]
    common: Common,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Columns, for people.
    Table,
    /// Markdown, for a changelog. What is internal or not on the public page is left out, and standard error says so.
    Markdown,
    /// JSON, with the fields as the API names them.
    Json,
    /// The same as YAML.
    Yaml,
}

impl Diff {
    /// Compares, and prints what differs.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let parent = contract::organization(&self.organization);
        let request = DiffSubprocessorsRequest {
            base: self.base.map(|as_of| as_of.message()),
            target: self.target.map(|as_of| as_of.message()),
            base_effective_at: self.base_day.clone(),
            target_effective_at: self.target_day.clone(),
            parent: parent.clone(),
            customer: contract::customer(&parent, &self.customer),
        };
        let registry = Registry::connect(&self.common).await?;
        let answer: DiffSubprocessorsResponse = registry.call("SubprocessorService/DiffSubprocessors", request).await?;
        let side = |day: &str, revision: i64| match day {
            "" => format!("revision {revision}"),
            day => format!("{day} as known at revision {revision}"),
        };
        let base = side(&self.base_day, answer.base_revision);
        let target = side(&self.target_day, answer.target_revision);
        match self.output {
            Form::Json => out.message(Format::Json, &value::dynamic(&answer)),
            Form::Yaml => out.message(Format::Yaml, &value::dynamic(&answer)),
            Form::Table if is_empty(&answer) => out.line(format!("{parent}: nothing differs from {base} to {target}")),
            Form::Table => {
                let headings = ["CHANGE", "ID", "NAME", "FIELD", "BEFORE", "AFTER"].map(ToOwned::to_owned);
                out.table(&headings, rows(&answer))?;
                out.line(format!("{parent}: {}, from {base} to {target}", summary(&answer)))
            }
            Form::Markdown => {
                let public = Public::read(&registry, &parent, &answer).await?;
                let (text, left_out) = markdown(&answer, &public, &format!("From {base} to {target}."));
                if left_out.fields > 0 {
                    let what = value::count(left_out.fields.try_into().unwrap_or(i64::MAX), "change");
                    writeln!(io::stderr(), "left out as internal: {what}; -o table shows them")?;
                }
                if left_out.entries > 0 {
                    let what = if left_out.entries == 1 { "entry" } else { "entries" };
                    let count = left_out.entries;
                    writeln!(io::stderr(), "left out as not public: {count} {what}; -o table shows them")?;
                }
                out.text(&text)
            }
        }
    }
}

/// Whether nothing differs.
pub(super) fn is_empty(answer: &DiffSubprocessorsResponse) -> bool {
    answer.added.is_empty() && answer.removed.is_empty() && answer.changed.is_empty() && answer.renamed.is_empty()
}

/// How many of each: `2 added, 1 renamed`.
fn summary(answer: &DiffSubprocessorsResponse) -> String {
    let counts = [
        (answer.added.len(), "added"),
        (answer.removed.len(), "removed"),
        (answer.renamed.len(), "renamed"),
        (answer.changed.len(), "changed"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The differences as rows: what happened, to which, and for what changed each field before and after.
pub(super) fn rows(answer: &DiffSubprocessorsResponse) -> Vec<Vec<String>> {
    let whole = |what: &str, one: &Subprocessor| vec![what.to_owned(), id(&one.name), one.display_name.clone()];
    let added = answer.added.iter().map(|one| whole("added", one));
    let removed = answer.removed.iter().map(|one| whole("removed", one));
    let renamed = answer.renamed.iter().map(|one| {
        let (from, to) = (value::shorten(&one.from_name), value::shorten(&one.to_name));
        vec!["renamed".to_owned(), id(&one.target_resource), one.to_name.clone(), "display_name".to_owned(), from, to]
    });
    let changed = answer.changed.iter().flat_map(|one| {
        one.field_diffs.iter().enumerate().map(|(i, diff)| {
            let head = match i {
                0 => ["changed".to_owned(), id(&one.name), one.display_name.clone()],
                _ => Default::default(),
            };
            let values = [diff.path.clone(), value::shorten(&plain(&diff.before)), value::shorten(&plain(&diff.after))];
            head.into_iter().chain(values).collect()
        })
    });
    added.chain(removed).chain(renamed).chain(changed).collect()
}

/// A value that comes as JSON, as people write it.
fn plain(json: &str) -> String {
    serde_json::from_str(json).map_or_else(|_| json.to_owned(), |value| plain_value(&value))
}

/// A value as people write it.
pub(super) fn plain_value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => values.iter().map(plain_value).collect::<Vec<_>>().join(", "),
        serde_json::Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
