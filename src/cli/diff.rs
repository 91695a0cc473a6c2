//! `diff`: how an organization's list differs from what it was, for people, for programs, and for a changelog.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
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
    self, ChangedSubprocessor, DiffSubprocessorsRequest, DiffSubprocessorsResponse, FieldDiff,
    ListSubprocessorsRequest, ListSubprocessorsResponse, Subprocessor, subprocessor::State,
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
                let public = Public {
                    base: public(&registry, &parent, answer.base_revision).await?,
                    target: public(&registry, &parent, answer.target_revision).await?,
                };
                let (text, left_out) = markdown(&answer, &public, &format!("From {base} to {target}."));
                if left_out.fields > 0 {
                    let what = value::count(left_out.fields.try_into().unwrap_or(i64::MAX), "change");
                    let note = format!("left out as internal: {what} of {}; -o table shows them", INTERNAL.join(", "));
                    writeln!(io::stderr(), "{note}")?;
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

/// What the public page shows of both lists, by name.
#[derive(Debug, Default)]
struct Public {
    base: HashMap<String, Subprocessor>,
    target: HashMap<String, Subprocessor>,
}

/// What the public page shows of an organization's list, as the registry had it at a revision.
async fn public(registry: &Registry, parent: &str, revision: i64) -> Outcome<HashMap<String, Subprocessor>> {
    let mut shown = HashMap::new();
    if revision == 0 {
        return Ok(shown);
    }
    let mut request = ListSubprocessorsRequest {
        parent: parent.to_owned(),
        filter: "listed = true AND (state = ACTIVE OR state = SUSPENDED OR state = RETIRED)".to_owned(),
        as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) }),
        page_size: 1_000,
        ..Default::default()
    };
    loop {
        let called = registry.call("SubprocessorService/ListSubprocessors", request.clone()).await;
        let page: ListSubprocessorsResponse = match called {
            // It came later: nothing of it was public.
            Err(failure) if failure.reason().as_deref() == Some("RESOURCE_NOT_FOUND") => return Ok(shown),
            other => other?,
        };
        shown.extend(page.subprocessors.into_iter().map(|one| (one.name.clone(), one)));
        if page.next_page_token.is_empty() {
            return Ok(shown);
        }
        request.page_token = page.next_page_token;
    }
}

/// What a changelog does not tell: how many changes of internal fields, and of how many entries that nobody saw.
#[derive(Debug, Default, PartialEq, Eq)]
struct LeftOut {
    fields: usize,
    entries: usize,
}

/// The differences for a changelog, and what was left out of it. What comes onto the public page or leaves it is added
/// or removed to those who read the page, whatever it was before.
fn markdown(answer: &DiffSubprocessorsResponse, public: &Public, between: &str) -> (String, LeftOut) {
    let mut text = format!("## Changes of the list of sub-processors\n\n{}\n", escape(between));
    let section = |text: &mut String, heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n### {heading}\n\n{}\n", lines.join("\n"));
        }
    };
    let known = text.len();
    let mut left_out = LeftOut::default();
    let mut hidden = BTreeSet::new();
    let (mut added, mut removed, mut renamed, mut changed) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
    let gone = |one: &Subprocessor| format!("- **{}**", escape(&one.display_name));
    // Where one side of what was is not public, it joined or left.
    let mut crosses = |before: &str, after: &str| {
        match (public.base.get(before), public.target.get(after)) {
            (Some(_), Some(_)) => return false,
            (None, Some(one)) => drop(added.insert(after.to_owned(), described(one))),
            (Some(one), None) => drop(removed.insert(before.to_owned(), gone(one))),
            (None, None) => drop(hidden.insert(if after.is_empty() { before } else { after }.to_owned())),
        }
        true
    };
    for one in &answer.added {
        crosses("", &one.name);
    }
    for one in &answer.removed {
        crosses(&one.name, "");
    }
    for one in &answer.renamed {
        if !crosses(&one.base_resource, &one.target_resource) {
            renamed.push(format!("- **{}** is now **{}**", escape(&one.from_name), escape(&one.to_name)));
        }
    }
    for one in &answer.changed {
        let before = if one.base_name.is_empty() { &one.name } else { &one.base_name };
        if !crosses(before, &one.name) {
            changed.extend(changes(one, &mut left_out.fields));
        }
    }
    left_out.entries = hidden.len();
    section(&mut text, "Added", added.into_values().collect());
    section(&mut text, "Removed", removed.into_values().collect());
    section(&mut text, "Renamed", renamed);
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
            name: format!("organizations/acme/subprocessors/{name}"),
            display_name: name.into(),
            state: State::Active.into(),
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
                    state: State::Suspended.into(),
                    ..one("New <b>")
                },
                one("Bare"),
                one("Hidden"),
            ],
            removed: vec![one("Old\n# Heading"), one("Never shown")],
            renamed: vec![RenamedSubprocessor {
                from_name: "A_B".into(),
                to_name: "C".into(),
                base_resource: "organizations/acme/subprocessors/c".into(),
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
                    name: "organizations/acme/subprocessors/Internal".into(),
                    display_name: "Internal".into(),
                    field_diffs: vec![diff("next_review_date", "", "\"2027-01-01\"")],
                    ..Default::default()
                },
                ChangedSubprocessor {
                    name: "organizations/acme/subprocessors/Shown".into(),
                    display_name: "Shown".into(),
                    field_diffs: vec![diff("listed", "", "true")],
                    ..Default::default()
                },
                ChangedSubprocessor {
                    name: "organizations/acme/subprocessors/Hidden now".into(),
                    display_name: "Hidden now".into(),
                    field_diffs: vec![diff("listed", "true", "")],
                    ..Default::default()
                },
                ChangedSubprocessor {
                    name: "organizations/acme/subprocessors/Hidden".into(),
                    display_name: "Hidden".into(),
                    field_diffs: vec![diff("purposes[0]", "\"a\"", "\"b\"")],
                    ..Default::default()
                },
            ],
            ..Default::default()
        }
    }

    /// What the page shows: all but those whose names say that they are hidden.
    fn shown() -> Public {
        let of = |names: &[&str]| names.iter().map(|name| (one(name).name, one(name))).collect::<HashMap<_, _>>();
        let mut public = Public {
            base: of(&["Old\n# Heading", "c", "Internal", "Hidden now"]),
            target: of(&["Bare", "c", "Internal", "Shown"]),
        };
        public.target.extend(answer().added.into_iter().take(1).map(|one| (one.name.clone(), one)));
        public
    }

    #[test]
    fn a_changelog_is_markdown_in_which_names_are_only_names() {
        let (text, left_out) = markdown(&answer(), &shown(), "From revision 3 to revision 9.");
        // Two fields that are internal; one that joined, one that left and one that changed, unseen.
        assert_eq!(left_out, LeftOut { fields: 2, entries: 2 });
        assert_eq!(
            text,
            "## Changes of the list of sub-processors\n\nFrom revision 3 to revision 9.\n\n\
             ### Added\n\n\
             - **Bare**\n- **New \\<b\\>**: mail \\| \\*text\\*; x (US; Paris, France) — suspended\n- **Shown**\n\n\
             ### Removed\n\n- **Hidden now**\n- **Old \\# Heading**\n\n\
             ### Renamed\n\n- **A\\_B** is now **C**\n\n\
             ### Changed\n\n- **C**\n  - purposes: “a” → “b”\n  - locations, region code: added “DE”\n  - \
             retool\\_product: removed “x”\n"
        );
        let (text, _) = markdown(&DiffSubprocessorsResponse::default(), &Public::default(), "x");
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
        let changed = ["changed", "", "", "", "changed", "changed", "changed", "changed"];
        assert_eq!(first, [&["added", "added", "added", "removed", "removed", "renamed"][..], &changed].concat());
        assert_eq!(rows[5], ["renamed", "c", "C", "display_name", "A_B", "C"]);
        assert_eq!(rows[6], ["changed", "c", "C", "purposes[0]", "a", "b"]);
        assert_eq!(summary(&answer()), "3 added, 2 removed, 1 renamed, 5 changed");
    }
}
