//! `diff`: how an organization's list differs from what it was, for people, for programs, and for a changelog.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use clap::{Args, ValueEnum};

use super::{
    Common,
    client::Registry,
    contract,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{
    ChangedSubprocessor, DiffSubprocessorsRequest, DiffSubprocessorsResponse, FieldDiff, Subprocessor,
    subprocessor::State,
};

/// Fields that are the organization's own affair: a changelog does not tell them.
const INTERNAL: [&str; 5] = ["dpa", "incomplete_reason", "listed", "next_review_date", "recorded_as_found"];

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
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
    base_day: String,
    /// The list of this day.
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
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
    /// Markdown, for a changelog. What is internal is left out, and standard error says so.
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
                let (text, left_out) = markdown(&answer, &format!("From {base} to {target}."));
                if left_out > 0 {
                    let what = value::count(left_out.try_into().unwrap_or(i64::MAX), "change");
                    let note = format!("left out as internal: {what} of {}; -o table shows them", INTERNAL.join(", "));
                    writeln!(io::stderr(), "{note}")?;
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

/// The differences for a changelog, and how many were left out of it.
fn markdown(answer: &DiffSubprocessorsResponse, between: &str) -> (String, usize) {
    let mut text = format!("## Changes of the list of sub-processors\n\n{}\n", escape(between));
    let section = |text: &mut String, heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n### {heading}\n\n{}\n", lines.join("\n"));
        }
    };
    let known = text.len();
    section(&mut text, "Added", answer.added.iter().map(described).collect());
    let removed = |one: &Subprocessor| format!("- **{}**", escape(&one.display_name));
    section(&mut text, "Removed", answer.removed.iter().map(removed).collect());
    let renamed = answer.renamed.iter();
    let renamed = renamed.map(|one| format!("- **{}** is now **{}**", escape(&one.from_name), escape(&one.to_name)));
    section(&mut text, "Renamed", renamed.collect());
    let mut left_out = 0;
    let changed = answer.changed.iter().filter_map(|one| changes(one, &mut left_out)).collect();
    section(&mut text, "Changed", changed);
    if text.len() == known {
        text.push_str("\nNo changes.\n");
    }
    (text, left_out)
}

/// One that was added: its name, and what it does where.
fn described(one: &Subprocessor) -> String {
    let mut line = format!("- **{}**", escape(&one.display_name));
    if !one.purposes.is_empty() {
        let _ = write!(line, ": {}", escape(&one.purposes.join("; ")));
    }
    let mut places: Vec<&str> = Vec::new();
    for location in &one.locations {
        let words = [&location.verbatim, &location.area, &location.region_code];
        let words = words.into_iter().find(|words| !words.is_empty());
        places.extend(words.map(String::as_str).filter(|words| !places.contains(words)));
    }
    if !places.is_empty() {
        let _ = write!(line, " ({})", escape(&places.join("; ")));
    }
    if !matches!(one.state(), State::Active | State::Unspecified) {
        let _ = write!(line, " — {}", value::short("Subprocessor.State", one.state).to_lowercase());
    }
    line
}

/// What changed of one, a line for each field; nothing if all of it is internal.
fn changes(one: &ChangedSubprocessor, left_out: &mut usize) -> Option<String> {
    let mut lines = format!("- **{}**", escape(&one.display_name));
    let known = lines.len();
    for diff in &one.field_diffs {
        let field = diff.path.split(['.', '[']).next().unwrap_or_default();
        if INTERNAL.contains(&field) {
            *left_out += 1;
            continue;
        }
        let (before, after) = (escape(&plain(&diff.before)), escape(&plain(&diff.after)));
        let _ = write!(lines, "\n  - {}: ", escape(&label(diff)));
        let _ = match (diff.before.is_empty(), diff.after.is_empty()) {
            (true, _) => write!(lines, "added “{after}”"),
            (_, true) => write!(lines, "removed “{before}”"),
            _ => write!(lines, "“{before}” → “{after}”"),
        };
    }
    (lines.len() > known).then_some(lines)
}

/// A field as people call it: `locations[0].region_code` is "locations, region code"; a column that has no field of its
/// own is called what the list calls it.
fn label(diff: &FieldDiff) -> String {
    let key = diff.path.strip_prefix("annotations[").and_then(|rest| rest.strip_suffix(']'));
    if let Some(key) = key {
        return plain(key);
    }
    let steps = diff.path.split('.').map(|step| step.split('[').next().unwrap_or_default().replace('_', " "));
    steps.collect::<Vec<_>>().join(", ")
}

/// A text that Markdown takes as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if matches!(
            c,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '|'
                | '~'
                | '&'
                | '!'
                | '@'
                | '^'
                | '='
                | '$'
        ) {
            escaped.push('\\');
        }
        if !c.is_control() {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{Location, RenamedSubprocessor};

    fn one(name: &str) -> Subprocessor {
        Subprocessor {
            name: "organizations/acme/subprocessors/one".into(),
            display_name: name.into(),
            ..Default::default()
        }
    }

    fn diff(path: &str, before: &str, after: &str) -> FieldDiff {
        FieldDiff { path: path.into(), before: before.into(), after: after.into() }
    }

    fn answer() -> DiffSubprocessorsResponse {
        let place = |verbatim: &str, code: &str| Location {
            verbatim: verbatim.into(),
            region_code: code.into(),
            ..Default::default()
        };
        DiffSubprocessorsResponse {
            added: vec![
                Subprocessor {
                    purposes: vec!["mail | *text*".into(), "x".into()],
                    locations: vec![place("", "US"), place("Paris, France", "FR"), place("", "US")],
                    state: State::Proposed.into(),
                    ..one("New <b>")
                },
                one("Bare"),
            ],
            removed: vec![one("Old\n# Heading")],
            renamed: vec![RenamedSubprocessor {
                from_name: "A_B".into(),
                to_name: "C".into(),
                target_resource: "organizations/acme/subprocessors/c".into(),
                ..Default::default()
            }],
            changed: vec![
                ChangedSubprocessor {
                    name: "organizations/acme/subprocessors/c".into(),
                    display_name: "C".into(),
                    field_diffs: vec![
                        diff("purposes[0]", "\"a\"", "\"b\""),
                        diff("locations[0].region_code", "", "\"DE\""),
                        diff("annotations[\"retool_product\"]", "\"x\"", ""),
                        diff("dpa.status", "\"SIGNED\"", "\"EXPIRED\""),
                    ],
                    ..Default::default()
                },
                ChangedSubprocessor {
                    display_name: "Internal".into(),
                    field_diffs: vec![diff("listed", "", "true")],
                    ..Default::default()
                },
            ],
            ..Default::default()
        }
    }

    #[test]
    fn a_changelog_is_markdown_in_which_names_are_only_names() {
        let (text, left_out) = markdown(&answer(), "From revision 3 to revision 9.");
        assert_eq!(left_out, 2);
        assert_eq!(
            text,
            "## Changes of the list of sub-processors\n\nFrom revision 3 to revision 9.\n\n\
             ### Added\n\n\
             - **New \\<b\\>**: mail \\| \\*text\\*; x (US; Paris, France) — proposed\n- **Bare**\n\n\
             ### Removed\n\n- **Old \\# Heading**\n\n\
             ### Renamed\n\n- **A\\_B** is now **C**\n\n\
             ### Changed\n\n- **C**\n  - purposes: “a” → “b”\n  - locations, region code: added “DE”\n  - \
             retool\\_product: removed “x”\n"
        );
        let (text, _) = markdown(&DiffSubprocessorsResponse::default(), "x");
        assert!(text.ends_with("\nNo changes.\n"), "{text}");
    }

    #[test]
    fn no_text_becomes_markup() {
        use pulldown_cmark::{Event, Options, Parser};
        for text in [
            "`code` **bold** _x_ ~~gone~~ [link](https://x.example) ![image](x) <script>x</script> &amp; # h | cell",
            "\\* \\\\ | --- |",
            "$x$ ^a^ {a} @somebody == a",
            "a\n\n- b\n1. c\n> d",
        ] {
            let line = format!("- **{}**: {}", escape("x"), escape(text));
            let plain: String = Parser::new_ext(&line, Options::all() - Options::ENABLE_SMART_PUNCTUATION)
                .filter_map(|event| match event {
                    Event::Text(text) => Some(text.to_string()),
                    Event::Start(_) | Event::End(_) => None,
                    other => panic!("{other:?} of {text}"),
                })
                .collect();
            assert_eq!(plain, format!("x: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }

    #[test]
    fn a_table_names_each_once_and_each_field_before_and_after() {
        let rows = rows(&answer());
        let first: Vec<&str> = rows.iter().filter_map(|row| row.first().map(String::as_str)).collect();
        assert_eq!(first, ["added", "added", "removed", "renamed", "changed", "", "", "", "changed"]);
        assert_eq!(rows[3], ["renamed", "c", "C", "display_name", "A_B", "C"]);
        assert_eq!(rows[4], ["changed", "c", "C", "purposes[0]", "a", "b"]);
        assert_eq!(summary(&answer()), "2 added, 1 removed, 1 renamed, 2 changed");
    }
}
