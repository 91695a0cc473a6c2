use std::collections::HashMap;

use super::{
    changelog::{LeftOut, Side},
    *,
};
use crate::{
    proto::v1::{
        ChangedSubprocessor, Dpa, Entity, FieldDiff, Location, Organization, Product, RenamedSubprocessor, Retention,
        Source, Vendor, location::Activity, subprocessor::State,
    },
    rules::paper::format::escaped,
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
                    diff("annotations[\"internal_ticket\"]", "\"x\"", ""),
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
    let side = |names: &[&str]| Side { shown: of(names), ..Default::default() };
    let mut public = Public {
        base: side(&["Old\n# Heading", "c", "Internal", "Hidden now"]),
        target: side(&["Bare", "c", "Internal", "Shown"]),
    };
    public.target.shown.extend(answer().added.into_iter().take(1).map(|one| (one.name.clone(), one)));
    let c = "organizations/acme/subprocessors/c";
    if let Some(before) = public.base.shown.get_mut(c) {
        before.purposes = vec!["a".into()];
        before.annotations = [("internal_ticket".to_owned(), "PRIV-9".to_owned())].into();
    }
    if let Some(after) = public.target.shown.get_mut(c) {
        after.purposes = vec!["b".into()];
        after.locations = vec![Location { region_code: "DE".into(), ..Default::default() }];
    }
    public
}

#[test]
fn a_changelog_is_markdown_in_which_names_are_only_names() {
    let (text, left_out) = markdown(&answer(), &shown(), "From revision 3 to revision 9.");
    // Three fields that are internal; one that joined, one that left and one that changed, unseen.
    assert_eq!(left_out, LeftOut { fields: 3, entries: 2 });
    assert_eq!(
        text,
        "## Changes of the list of sub-processors\n\nFrom revision 3 to revision 9.\n\n\
         ### Added\n\n\
         - **Bare**\n- **New \\<b\\>**: mail \\| \\*text\\*; x (United States; France) — not in use for now\n\
         - **Shown**\n\n\
         ### Removed\n\n- **Hidden now**\n- **Old \\# Heading**\n\n\
         ### Renamed\n\n- **A\\_B** is now **C**\n\n\
         ### Changed\n\n- **C**\n  - Purpose: “a” → “b”\n  - Where data is processed: added “Germany”\n"
    );
    let (text, _) = markdown(&DiffSubprocessorsResponse::default(), &Public::default(), "x");
    assert!(text.ends_with("\nNo changes.\n"), "{text}");
}

/// The lines of a changelog in which one changed from the first to the second in these fields.
fn changelog(before: Subprocessor, after: Subprocessor, fields: &[&str]) -> (Vec<String>, usize) {
    let product =
        |id: &str, name: &str| Product { product_id: id.into(), display_name: name.into(), ..Default::default() };
    let vendor = |id: &str| Vendor {
        name: format!("vendors/{id}"),
        entities: vec![Entity { entity_id: "e".into(), legal_name: format!("{id} GmbH"), ..Default::default() }],
        ..Default::default()
    };
    let side = |one: Subprocessor| Side {
        organization: Organization { products: vec![product("desk", "The Desk")], ..Default::default() },
        vendors: ["old", "new"].map(|id| (format!("vendors/{id}"), vendor(id))).into(),
        shown: HashMap::from([(one.name.clone(), one)]),
        ..Default::default()
    };
    let changed = ChangedSubprocessor {
        name: after.name.clone(),
        display_name: after.display_name.clone(),
        field_diffs: fields.iter().map(|path| diff(path, "\"‹secret›\"", "\"‹secret›\"")).collect(),
        ..Default::default()
    };
    let answer = DiffSubprocessorsResponse { changed: vec![changed], ..Default::default() };
    let (text, left_out) = markdown(&answer, &Public { base: side(before), target: side(after) }, "x");
    assert!(!text.contains("secret"), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("  - "));
    (lines.map(ToOwned::to_owned).collect(), left_out.fields)
}

#[test]
fn a_changelog_says_no_more_than_the_page() {
    let secret = || "‹secret›".to_owned();
    let internal = Subprocessor {
        sources: vec![Source { quote: secret(), ..Default::default() }],
        annotations: [(secret(), secret())].into(),
        vendor_services: vec![secret()],
        alternative_vendors: vec![secret()],
        recorded_as_found: true,
        dpa: Some(Dpa { document: secret(), ..Default::default() }),
        retention: Some(Retention { data: secret(), ..Default::default() }),
        next_review_date: "2031-01-01".into(),
        incomplete_reason: secret(),
        ..one("c")
    };
    let fields = [
        "annotations[\"‹secret›\"]",
        "vendor_services[0]",
        "alternative_vendors[0]",
        "recorded_as_found",
        "dpa.document",
        "retention.data",
        "next_review_date",
        "incomplete_reason",
        "a_field_of_a_later_server",
    ];
    assert_eq!(changelog(one("c"), internal.clone(), &fields), (vec![], fields.len()));
    assert_eq!(changelog(internal, one("c"), &fields), (vec![], fields.len()));
}

#[test]
fn a_changelog_says_it_in_the_words_of_the_page() {
    let before = Subprocessor { vendor: "vendors/old".into(), affiliate: Some(true), ..one("c") };
    let mut after = Subprocessor {
        vendor: "vendors/new".into(),
        products: vec!["desk".into()],
        locations: vec![Location {
            region_code: "DE".into(),
            activity: Activity::Storage.into(),
            products: vec!["desk".into()],
            ..Default::default()
        }],
        ..one("c")
    };
    after.set_state(State::Suspended);
    let fields = ["vendor", "products[0]", "locations[0].activity", "locations[0].region_code", "state", "affiliate"];
    let (lines, left_out) = changelog(before, after, &fields);
    assert_eq!(
        lines,
        [
            "Legal entity: “old GmbH” → “new GmbH”",
            "Used for: added “The Desk”",
            "Where data is processed: added “Germany (storage; for The Desk)”",
            "Status: added “not in use for now”",
            "Affiliate: removed “yes”",
        ]
    );
    assert_eq!(left_out, 0);
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
        let line = format!("- **{}**: {}", escaped("x"), escaped(text));
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
