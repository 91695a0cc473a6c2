//! A name read to be compared with another name, where there is no vendor to find.

use std::collections::BTreeSet;

use super::{
    normalize::clean,
    pieces::{Role, pieces},
};

/// What a name is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// All its words without legal forms, in the order of letters: those of "Azure (Microsoft)" are those of "Microsoft
    /// Azure, Inc."
    pub words: Vec<String>,
    /// Its words without blanks: "New Relic" is "NewRelic".
    pub compact: String,
    /// The names it gives, without blanks: the name itself, what it is also or was called, what stands in brackets; not
    /// who owns it.
    pub given: BTreeSet<String>,
}

impl Names {
    /// Reads a name. What has no letters is its own only word.
    pub fn of(name: &str) -> Self {
        let pieces = pieces(&clean(name).replace('\n', ", "));
        if pieces.is_empty() {
            let whole = name.trim().to_owned();
            return Self { words: vec![whole.clone()], compact: whole.clone(), given: BTreeSet::from([whole]) };
        }
        let is_name = |role: Role| matches!(role, Role::Head | Role::Same | Role::Former | Role::Beside);
        let given =
            pieces.iter().filter(|piece| is_name(piece.role)).map(|piece| piece.reading.compact.clone()).collect();
        let compact = pieces.iter().map(|piece| piece.reading.compact.as_str()).collect();
        let mut words: Vec<String> = pieces.into_iter().flat_map(|piece| piece.reading.words).collect();
        words.sort_unstable();
        Self { words, compact, given }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_names() {
        for (name, words, given) in [
            ("Functional Software, Inc. (Sentry)", "functional sentry software", "functionalsoftware sentry"),
            ("NexMo Inc (aka Vonage)", "nexmo vonage", "nexmo vonage"),
            ("Slack Technologies, LLC, a Salesforce company", "salesforce slack technologies", "slacktechnologies"),
            ("Kit (formerly ConvertKit)", "convertkit kit", "convertkit kit"),
            ("npm Inc", "npm", "npm"),
            ("[Add SMS provider]", "add provider sms", "addsmsprovider"),
            ("Anthropic PBC*", "anthropic", "anthropic"),
            ("—", "—", "—"),
        ] {
            let names = Names::of(name);
            let found = (names.words.join(" "), names.given.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(found, (words.to_owned(), given.to_owned()), "{name}");
        }
        assert_eq!(Names::of("New Relic, Inc.").compact, Names::of("NewRelic").compact);
    }
}
