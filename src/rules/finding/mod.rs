//! What is wrong, or falls due (DESIGN §4, §5): each rule says what holds of a subject on one day, and names the days on
//! which that may change. From when it holds, and what comes within a horizon, follows for all rules alike.
//!
//! - [`organization`]: values of an organization that cannot both be true.
//! - [`document`]: what documents claim, against the law and against what is on record.
//! - [`statement`]: statements that contradict each other, or the list.
//! - [`certification`]: participation that is over, or is to be renewed.
//! - [`engagement`]: agreements, reviews, gaps and gates of a subprocessor, and where it processes.
//! - [`notice`]: notices that are held, objections that are open, what is to be passed on.
//! - [`transfer`]: transfers that nothing covers, or not firmly.

pub mod certification;
pub mod document;
pub mod engagement;
pub mod notice;
pub mod organization;
pub mod statement;
pub mod transfer;

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::law::Dates;
use crate::proto::v1::{
    Evidence, Finding, Source, Verdict,
    finding::{Kind, Severity},
};

/// Earlier than every day that a fact can name.
const BEGINNING: &str = "1900-01-01";

/// Facts cited by one finding at most.
pub const MOST_EVIDENCE: usize = 20;

/// What is found of a subject on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What is found.
    pub kind: Kind,
    /// How grave it is.
    pub severity: Severity,
    /// What the law says, if it follows from it.
    pub verdict: Verdict,
    /// The resource it is about.
    pub subject: String,
    /// What tells it from others of its kind about its subject, and from what it was before it changed.
    pub essence: String,
    /// What is wrong.
    pub text: String,
    /// What that rests on.
    pub citation: String,
    /// The facts.
    pub evidence: Vec<Evidence>,
}

impl Draft {
    /// A finding that does not follow from the law of transfers.
    pub fn new(kind: Kind, severity: Severity, subject: &str, essence: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            verdict: Verdict::Unspecified,
            subject: subject.to_owned(),
            essence: essence.into(),
            text: String::new(),
            citation: String::new(),
            evidence: Vec::new(),
        }
    }

    fn says(mut self, text: impl Into<String>, citation: impl Into<String>) -> Self {
        (self.text, self.citation) = (text.into(), citation.into());
        self
    }

    fn cites(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self.evidence.truncate(MOST_EVIDENCE);
        self
    }

    /// The last part of its name: what the finding is, and nothing of when it was asked for.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.kind.as_str_name(), &self.subject, &self.essence] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        format!("{}-{}", word(self.kind), hex::encode(&hash.finalize()[..12]))
    }
}

/// The word with which the names of findings of a kind begin.
fn word(kind: Kind) -> String {
    kind.as_str_name().trim_start_matches("KIND_").to_lowercase().replace('_', "-")
}

/// The kind of the findings whose id this may be: so that one of them can be looked for among its kind only.
pub fn kind_of(id: &str) -> Option<Kind> {
    let (word_of_it, hash) = id.rsplit_once('-')?;
    let is_hash = hash.len() == 24 && hash.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    let kinds = (1..).map_while(|number| Kind::try_from(number).ok());
    kinds.filter(|_| is_hash).find(|kind| word(*kind) == word_of_it)
}

/// Something about which findings are made.
pub trait Subject {
    /// What is found of it on a day.
    fn on(&self, day: &str) -> Vec<Draft>;

    /// Adds the days on which that may change: between two of them it does not.
    fn dates(&self, dates: &mut Dates);
}

/// The days that are asked about: one, and those up to a horizon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The day.
    pub date: String,
    /// The last day of the horizon.
    pub last: String,
}

/// What is found of a subject on the day, and what comes until the horizon, each once. Its name is under `organization`.
pub fn examine(subject: &dyn Subject, organization: &str, window: &Window) -> Vec<Finding> {
    let mut dates = Dates::new();
    subject.dates(&mut dates);
    let mut seen = BTreeSet::new();
    let mut now: Vec<(String, Draft)> = subject.on(&window.date).into_iter().map(|one| (one.id(), one)).collect();
    now.retain(|(id, _)| seen.insert(id.clone()));
    let since = since(subject, seen.clone(), &dates, &window.date);
    let mut found: Vec<Finding> = now
        .into_iter()
        .map(|(id, draft)| finding(organization, draft, &since.get(&id).cloned().unwrap_or_default(), &id))
        .collect();
    for day in dates.iter().filter(|day| window.date < **day && **day <= window.last) {
        for draft in subject.on(day) {
            let id = draft.id();
            if seen.insert(id.clone()) {
                found.push(finding(organization, draft, day, &id));
            }
        }
    }
    found
}

/// The first day of the days without a break, up to `day`, on which each of these findings holds; empty if there is none.
fn since(subject: &dyn Subject, ids: BTreeSet<String>, dates: &Dates, day: &str) -> HashMap<String, String> {
    let mut first: HashMap<String, String> = ids.into_iter().map(|id| (id, day.to_owned())).collect();
    let mut open: BTreeSet<String> = first.keys().cloned().collect();
    let earlier = dates.iter().rev().filter(|date| date.as_str() <= day).map(String::as_str);
    for date in earlier.chain([BEGINNING]) {
        if open.is_empty() {
            break;
        }
        let held: BTreeSet<String> = subject.on(date).iter().map(Draft::id).collect();
        open.retain(|id| held.contains(id));
        let known = if date == BEGINNING { "" } else { date };
        for id in &open {
            first.insert(id.clone(), known.to_owned());
        }
    }
    first
}

fn finding(organization: &str, draft: Draft, since: &str, id: &str) -> Finding {
    Finding {
        name: format!("{organization}/findings/{id}"),
        subject: draft.subject,
        kind: draft.kind.into(),
        severity: draft.severity.into(),
        verdict: draft.verdict.into(),
        since_date: since.to_owned(),
        text: draft.text,
        citation: draft.citation,
        evidence: draft.evidence,
        acknowledgement: None,
    }
}

/// What a field of a resource says, with the words of the source that speaks of the field, else of the whole.
fn fact(resource: &str, field: &str, text: impl Into<String>, sources: &[Source]) -> Evidence {
    let of = |path: &str| sources.iter().find(|source| source.field == path && !source.quote.is_empty());
    let source = of(field).or_else(|| of(field.split(['[', '.']).next().unwrap_or_default())).or_else(|| of(""));
    // Of the resource as a whole every word of it speaks.
    let source = source.or_else(|| sources.iter().find(|source| field.is_empty() && !source.quote.is_empty()));
    let (document, line, quote) = match source {
        Some(source) => (source.document.clone(), source.line, source.quote.clone()),
        None => Default::default(),
    };
    Evidence { resource: resource.to_owned(), field: field.to_owned(), document, line, quote, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds in two spans, and becomes another in the second.
    struct Spans;

    impl Subject for Spans {
        fn on(&self, day: &str) -> Vec<Draft> {
            let essence = match day {
                day if day < "2020-01-01" => "a",
                day if day < "2021-01-01" => return Vec::new(),
                day if day < "2022-01-01" => "a",
                _ => "b",
            };
            vec![Draft::new(Kind::DpaDue, Severity::Warning, "organizations/a/subprocessors/s", essence)]
        }

        fn dates(&self, dates: &mut Dates) {
            dates.extend(["2020-01-01", "2021-01-01", "2021-06-01", "2022-01-01"].map(str::to_owned));
        }
    }

    fn ask(date: &str, last: &str) -> Vec<(String, String)> {
        let window = Window { date: date.into(), last: last.into() };
        let found = examine(&Spans, "organizations/a", &window);
        found.into_iter().map(|one| (one.since_date, one.name)).collect()
    }

    #[test]
    fn a_finding_holds_since_the_first_day_of_its_spell_and_is_the_same_on_all() {
        let days = |asked: &[(String, String)]| asked.iter().map(|(since, _)| since.clone()).collect::<Vec<_>>();
        assert_eq!(days(&ask("2019-12-31", "2019-12-31")), [""]);
        assert_eq!(days(&ask("2020-01-01", "2020-12-31")), [""; 0]);
        assert_eq!(days(&ask("2020-12-31", "2021-01-01")), ["2021-01-01"]);
        assert_eq!(days(&ask("2021-07-01", "2021-12-31")), ["2021-01-01"]);
        assert_eq!(days(&ask("2021-07-01", "2022-01-01")), ["2021-01-01", "2022-01-01"]);
        assert_eq!(days(&ask("2023-01-01", "2023-01-01")), ["2022-01-01"]);
        let (early, late) = (ask("2019-01-01", "2019-01-01"), ask("2021-06-30", "2025-01-01"));
        assert_eq!(early[0].1, late[0].1);
        assert_ne!(late[0].1, late[1].1);
        // Within a horizon each comes once, on the first day.
        assert_eq!(ask("2019-12-31", "2021-12-31"), [(String::new(), early[0].1.clone())]);
    }

    #[test]
    fn an_id_says_its_kind_and_fits_a_name() {
        for number in 1..=17 {
            let kind = Kind::try_from(number).expect("a kind");
            let draft = Draft::new(kind, Severity::Info, "organizations/a", "x");
            assert!(crate::resource::name::is_id(&draft.id()), "{}", draft.id());
            assert_eq!(kind_of(&draft.id()), Some(kind));
            let other = Draft { essence: "y".into(), ..draft.clone() };
            assert_ne!(other.id(), draft.id());
            assert_ne!(Draft { subject: "organizations/b".into(), ..draft.clone() }.id(), draft.id());
            let graver = Draft { severity: Severity::Critical, text: "said otherwise".into(), ..draft.clone() };
            assert_eq!(graver.id(), draft.id());
        }
        for id in ["", "dpa-due", "dpa-due-12", "dpa-due-zzzzzzzzzzzzzzzzzzzzzzzz", "kind-0123456789abcdef01234567"] {
            assert_eq!(kind_of(id), None, "{id}");
        }
    }

    #[test]
    fn a_fact_is_quoted_from_the_source_that_speaks_of_it() {
        let source =
            |field: &str, quote: &str| Source { field: field.into(), quote: quote.into(), ..Source::default() };
        let sources = [source("", "whole"), source("addresses[1]", "second"), source("dpa", "agreement")];
        let quote = |field: &str| fact("organizations/a", field, "", &sources).quote;
        assert_eq!(quote("addresses[1]"), "second");
        assert_eq!(quote("addresses[0]"), "whole");
        assert_eq!(quote("dpa.expire_date"), "agreement");
        assert_eq!(fact("organizations/a", "dpa", "", &[]).quote, "");
        assert_eq!(fact("organizations/a", "", "", &sources[1..]).quote, "second");
        assert_eq!(fact("organizations/a", "vendor", "", &sources[1..]).quote, "");
    }
}
