use std::collections::HashMap;

use super::{
    changelog::{LeftOut, escape},
    *,
};
use crate::proto::v1::{
    ChangedSubprocessor, FieldDiff, Location, RenamedSubprocessor, location::Activity, subprocessor::State,
};

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
fn a_changelog_says_where_data_was_processed_and_where_it_is() {
    let at = |places: &[(&str, Activity)]| {
        let place = |(code, activity): &(&str, Activity)| Location {
            region_code: (*code).into(),
            activity: (*activity).into(),
            ..Default::default()
        };
        let one = Subprocessor { locations: places.iter().map(place).collect(), ..one("c") };
        HashMap::from([(one.name.clone(), one)])
    };
    let public = Public {
        base: at(&[("IE", Activity::Storage), ("US", Activity::Unspecified)]),
        target: at(&[("IE", Activity::Storage), ("DE", Activity::Storage), ("US", Activity::Unspecified)]),
    };
    let changed = ChangedSubprocessor {
        name: one("c").name,
        display_name: "C".into(),
        field_diffs: vec![
            diff("locations[1].region_code", "\"US\"", "\"DE\""),
            diff("locations[1].activity", "", "\"STORAGE\""),
            diff("locations[2].region_code", "", "\"US\""),
        ],
        ..Default::default()
    };
    let answer = DiffSubprocessorsResponse { changed: vec![changed], ..Default::default() };
    let (text, _) = markdown(&answer, &public, "x");
    let said = "“Ireland (storage); United States” → “Ireland (storage); Germany (storage); United States”";
    assert!(text.ends_with(&format!("- **C**\n  - where data is processed: {said}\n")), "{text}");
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
