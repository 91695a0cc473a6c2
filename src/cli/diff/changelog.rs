//! `diff -o markdown`: the changes of the public list as a changelog tells them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use super::plain;
use crate::{
    cli::{client::Registry, failure::Outcome, value},
    proto::v1::{
        self, ChangedSubprocessor, DiffSubprocessorsResponse, FieldDiff, ListSubprocessorsRequest,
        ListSubprocessorsResponse, Location, Subprocessor, subprocessor::State,
    },
    rules::publication::words,
};

/// Fields that are the organization's own affair: a changelog does not tell them.
pub(super) const INTERNAL: [&str; 5] = ["dpa", "incomplete_reason", "listed", "next_review_date", "recorded_as_found"];

/// What the public page shows of both lists, by name.
#[derive(Debug, Default)]
pub(super) struct Public {
    pub(super) base: HashMap<String, Subprocessor>,
    pub(super) target: HashMap<String, Subprocessor>,
}

/// What the public page shows of an organization's list, as the registry had it at a revision.
pub(super) async fn public(registry: &Registry, parent: &str, revision: i64) -> Outcome<HashMap<String, Subprocessor>> {
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
pub(super) struct LeftOut {
    pub(super) fields: usize,
    pub(super) entries: usize,
}

/// The differences for a changelog, and what was left out of it. What comes onto the public page or leaves it is added
/// or removed to those who read the page, whatever it was before.
pub(super) fn markdown(answer: &DiffSubprocessorsResponse, public: &Public, between: &str) -> (String, LeftOut) {
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
            let sides = public.base.get(before.as_str()).zip(public.target.get(&one.name));
            changed.extend(changes(one, sides, &mut left_out.fields));
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

/// What changed of one, a line for each field; nothing if all of it is internal. `sides`: what the public page shows of
/// it before and after.
fn changes(
    one: &ChangedSubprocessor,
    sides: Option<(&Subprocessor, &Subprocessor)>,
    left_out: &mut usize,
) -> Option<String> {
    let mut lines = format!("- **{}**", escape(&one.display_name));
    let known = lines.len();
    let moved = sides.map(|(before, after)| (places(before), places(after))).filter(|(before, after)| before != after);
    if let Some((before, after)) = &moved {
        let said = |places: &str| {
            if places.is_empty() { "not stated".to_owned() } else { format!("“{}”", escape(places)) }
        };
        let _ = write!(lines, "\n  - where data is processed: {} → {}", said(before), said(after));
    }
    for diff in &one.field_diffs {
        let field = diff.path.split(['.', '[']).next().unwrap_or_default();
        // Said above, as people read it: places by their numbers in a list say little.
        if field == "locations" && moved.is_some() {
            continue;
        }
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

/// The places of one, as the page shows them.
fn places(one: &Subprocessor) -> String {
    let of = |place: &Location| match (words::place(place), words::activity(place.activity())) {
        (name, "") => name,
        (name, activity) => format!("{name} ({activity})"),
    };
    one.locations.iter().map(of).collect::<Vec<_>>().join("; ")
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
pub(super) fn escape(text: &str) -> String {
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
