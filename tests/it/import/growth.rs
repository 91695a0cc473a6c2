//! What is made to be compared with all before it: the work grows with the text, not with its square. Each of these
//! texts would hold a core for many minutes if it did.

use std::fmt::Write;

use super::expected::{import, rows_of};

/// Reads a text, whatever comes of it.
fn answered(name: &str, text: &str) -> Option<Vec<String>> {
    let imported = import(name, text.as_bytes()).ok()?;
    Some(rows_of(&imported).into_iter().map(|row| row.display_name).collect())
}

/// Texts with numbers, one after another.
fn numbered(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect()
}

#[test]
fn brackets_and_sentences_of_an_item_are_looked_at_once() {
    for piece in ["(", "()", "(Germany ", ". Location: x", "co. ", "Co. ", ", ", " – ", ": ", "a\n  "] {
        let item = format!("- **Acme Inc.** – hosting {}\n", piece.repeat(60_000 / piece.len()));
        let text = format!("# Subprocessors\n\n{}- **Zeta Ltd** – mail\n", item.repeat(20));
        answered("a.md", &text);
    }
    let plain = format!("- Acme {}\n", "co. Co. ".repeat(8_000));
    answered("b.md", &format!("# Subprocessors\n\n{}", plain.repeat(20)));
    let below = numbered(60_000, |n| format!("  - more {n}\n    - and {n}\n"));
    answered("c.md", &format!("# Subprocessors\n\n- Acme Inc.\n{below}- Zeta Ltd\n"));
}

#[test]
fn places_and_marks_of_a_cell_are_looked_at_once() {
    let rest =
        ["Germany, ", "x, ", "US (", ") ", "* ", "[1] ", "a. ", "EU/US ", "in Berlin - ", "2020-01-01 ", "us-east-1 "];
    for piece in rest {
        let cell = piece.repeat(60_000 / piece.len());
        let row = format!("| Acme Inc. {cell} | mail | {cell} |\n");
        let rows = format!("{}| Zeta Ltd | mail | Germany |\n", row.repeat(5));
        answered("a.md", &format!("# Subprocessors\n\n| Subprocessor | Purpose | Location |\n|---|---|---|\n{rows}"));
    }
    let notes = numbered(100_000, |n| format!("[^{n}]: only if you ask\n"));
    let rows = numbered(2_400, |n| format!("| Acme {n} Inc.[x{n}] | mail [y{n}] |\n"));
    let text = format!("# Subprocessors\n\n| Subprocessor | Purpose |\n|---|---|\n{rows}\n{notes}");
    assert_eq!(answered("b.md", &text).map(|rows| rows.len()), Some(2_400));
}

#[test]
fn keys_beyond_those_of_any_table_share_a_column() {
    let keys = numbered(20_000, |n| format!("**Key {n}:** value {n}\n\n"));
    let headings = format!("# Subprocessors\n\n## Acme Inc.\n\nPurpose: x\n\n{keys}## Zeta Ltd\n\nPurpose: y\n");
    assert_eq!(answered("a.md", &headings).map(|rows| rows.len()), Some(1), "no field holds so much");
    let keys = numbered(300, |n| format!("**Key {n}:** value {n}\n\n"));
    let headings = format!("# Subprocessors\n\n## Acme Inc.\n\nPurpose: x\n\n{keys}## Zeta Ltd\n\nPurpose: y\n");
    let rows = rows_of(&import("a.md", headings.as_bytes()).expect("read"));
    let all = format!("{:?}", rows[0].annotations);
    assert!((0..300).all(|n| all.contains(&format!("value {n}"))), "{all}");

    let items = numbered(2_000, |n| format!("- **Acme {n} Inc.**: mail\n  - **Key {n}:** a\n  - **Other {n}:** b\n"));
    assert_eq!(answered("b.md", &format!("# Subprocessors\n\n{items}")).map(|rows| rows.len()), Some(2_000));
    let components = numbered(1_200, |n| {
        let values = numbered(40, |k| format!(" k{n}x{k}=\"v\""));
        format!("<Vendor name=\"Acme {n} Inc.\" purpose=\"mail\"{values} />\n")
    });
    assert_eq!(answered("c.mdx", &format!("# Subprocessors\n\n{components}")).map(|rows| rows.len()), Some(1_200));
}

#[test]
fn keys_that_mappings_take_over_are_counted_once() {
    let keys = numbered(40_000, |n| format!("  k{n}: 0\n"));
    let text = format!(
        "base: &base\n{keys}vendors:\n  - {{<<: *base, name: Acme Inc., purpose: mail}}\n  - {{name: Zeta Ltd, purpose: chat}}\n"
    );
    answered("a.yaml", &text);
    let sources = numbered(20_000, |n| format!("{{k{n}: 0}}, "));
    answered(
        "b.yaml",
        &format!(
            "vendors:\n  - {{<<: [{sources}{{name: Acme Inc.}}], purpose: mail}}\n  - {{name: Zeta Ltd, purpose: chat}}\n"
        ),
    );
}

#[test]
fn rows_that_are_alike_are_not_compared_with_each_other() {
    let head = "Subprocessor,Purpose,Data categories,Notes\n";
    let equal = "Stripe,payments,names,x\n".repeat(4_900);
    assert_eq!(answered("a.csv", &format!("{head}{equal}")).expect("read").len(), 1);
    let unlike = numbered(4_900, |n| format!("Stripe,payments {n},names,x\n"));
    assert_eq!(answered("b.csv", &format!("{head}{unlike}")).expect("read").len(), 4_900);
    // What each says beside the others is kept as far as one row can hold it.
    let more = numbered(4_900, |n| {
        let data = numbered(40, |k| format!("data {n}x{k};"));
        format!("Stripe,payments,{data},note {n}\n")
    });
    let imported = import("c.csv", format!("{head}{more}").as_bytes()).expect("read");
    let rows = rows_of(&imported);
    assert_eq!((rows.len(), rows[0].data_categories.len(), imported.report.merged.len()), (1, 1_000, 4_899));
    assert!(imported.report.notes.iter().any(|note| note.text.contains("too much for one")));
}

#[test]
fn ids_of_names_that_begin_alike_are_found_at_once() {
    let long = "A".repeat(66);
    let rows = numbered(1_500, |n| format!("{long}{n} Inc.,x\n"));
    assert_eq!(answered("a.csv", &format!("Subprocessor,Purpose\n{rows}")).expect("read").len(), 1_500);
    let products = numbered(4_000, |n| format!("Stripe,{}\n", numbered(40, |k| format!("p{n}x{k}; "))));
    answered("b.csv", &format!("Subprocessor,Products\n{products}"));
}

#[test]
fn attributes_of_any_tag_are_counted() {
    let attributes = numbered(200_000, |n| format!("a{n} "));
    for begin in ["<p ", "<script ", "<style ", "<!--><p ", "<!---><p ", "<svg><style><p ", "</p "] {
        let refusal = import("a.html", format!("{begin}{attributes}>").as_bytes()).expect_err(begin);
        assert!(refusal.message.contains("more than 2000 attributes"), "{begin}: {refusal}");
    }
    // A script may say what it likes.
    let table = "<table><tr><th>Subprocessor<th>Purpose<tr><td>Acme Inc.<td>mail</table>";
    let text = format!("<h1>Subprocessors</h1><script>if (a <b {attributes}</script><!-- <p {attributes} -->{table}");
    assert_eq!(answered("b.html", &text), Some(vec!["Acme Inc.".to_owned()]));
}

#[test]
fn notes_of_many_rows_are_counted_once() {
    let mut text = "Subprocessor,Purpose\n".to_owned();
    for n in 0..4_900 {
        let _ = writeln!(text, "=Acme {n} Inc.,+mail");
    }
    answered("a.csv", &text);
    let names = numbered(4_900, |n| format!("Ac\u{7}me,\u{7}mail {n}\n"));
    answered("b.csv", &format!("Subprocessor,Purpose\n{names}"));
}

#[test]
fn code_of_components_is_looked_at_once() {
    // Texts that do not end, each within the one before it.
    for quote in ["`", "'", "\""] {
        for begin in ["const a = [x ", "export const a = {b: f(x", "<Card a={x ", "const a = [<A b={x "] {
            let text = format!("# Subprocessors\n\n{begin}{}\n", format!("\\{quote}").repeat(60_000));
            answered("a.mdx", &text);
        }
        let lines = format!("const a = [x {quote}\n").repeat(10_000);
        answered("b.mdx", &format!("# Subprocessors\n\n{lines}"));
    }
    // Members whose use is nowhere.
    let members = numbered(20_000, |n| format!(", k{n}: 0"));
    let lists = numbered(2_000, |n| format!(", l{n}: [[1]]"));
    let prose = "Whatever there is to be said of them. ".repeat(30_000);
    for more in [members, lists] {
        answered("c.mdx", &format!("# Subprocessors\n\nexport const a = {{r: [[1]]{more}}}\n\n{prose}\n"));
    }
    // What is used is still found where it stands.
    let text = "# Subprocessors\n\nexport const all = {n: 1, own: [{name: 'Acme Inc.', purpose: 'mail'}], others: [{name: 'Zeta Ltd', purpose: 'chat'}]}\n\n\
                ## Others\n\n<List of={all.others} />\n\n## Own\n\n<List of={all.own} />\n";
    let rows = rows_of(&import("d.mdx", text.as_bytes()).expect("read"));
    let told: Vec<(&str, &str)> = rows.iter().map(|row| (row.section.as_str(), row.display_name.as_str())).collect();
    assert_eq!(told, [("Others", "Zeta Ltd"), ("Own", "Acme Inc.")]);
}
