//! Files that are no list, that are broken, or that are made to break a reader: each gets an answer that says what it
//! is, and nothing is written of it.

use std::fmt::Write;

use proptest::{prelude::*, test_runner::RngSeed};
use subprocessor_registry::import::{Field, Format, Options};

use super::expected::{import, import_with, manifest_of, rows_of};

/// What a refusal says.
#[track_caller]
fn refused(name: &str, bytes: &[u8], said: &str) {
    match import(name, bytes) {
        Ok(imported) => panic!("{name} was taken: {}", imported.manifest),
        Err(refusal) => assert!(refusal.message.contains(said), "{name}: {refusal}"),
    }
}

/// Names and purposes of what was read.
#[track_caller]
fn read(name: &str, text: &str) -> Vec<(String, String)> {
    let imported = import(name, text.as_bytes()).unwrap_or_else(|refusal| panic!("{name}: {refusal}\n{text}"));
    rows_of(&imported).into_iter().map(|row| (row.display_name, row.purposes.join("; "))).collect()
}

const HEAD: &str = "# Subprocessors\n\n| Subprocessor | Purpose | Location |\n|---|---|---|\n";

#[test]
fn what_is_no_text_is_named() {
    for (bytes, said) in [
        (&b"%PDF-1.4 ..."[..], "a PDF"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old office suite"),
        (b"\x89PNG\r\n", "a picture"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
    ] {
        refused("list.md", bytes, said);
        refused("list", bytes, said);
    }
    let noise: Vec<u8> = (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    refused("list.csv", &noise, "binary");
}

#[test]
fn a_page_without_a_list_is_said_to_have_none() {
    for (name, text) in [
        ("a.md", "# Subprocessors\n\nWe have **none**.\n"),
        ("b.html", "<h1>Subprocessors</h1><p>See <a href=/x>there</a>"),
        ("c.csv", "a,b\n1,2\n"),
        ("d.yaml", "a: 1\nb: [1, 2]\n"),
        ("e.json", "{}"),
        ("f.md", HEAD),
        ("g.csv", "Subprocessor,Purpose\n"),
        ("h.html", "<table><tr><th>Subprocessor</th><th>Purpose</th></tr></table>"),
        ("i.md", "```\n| Subprocessor | Purpose |\n|---|---|\n| Acme | x |\n```\n"),
        ("j.html", "<!-- <table><tr><th>Subprocessor<th>Purpose<tr><td>Acme<td>x</table> --><p>x"),
        ("k.html", "<template><table><tr><th>Subprocessor<th>Purpose<tr><td>Acme<td>x</table></template>"),
    ] {
        refused(name, text.as_bytes(), "no list of subprocessors was found");
    }
}

#[test]
fn broken_markup_is_read_as_browsers_read_it() {
    let rows = read(
        "a.html",
        "<h2>Subprocessors<table><tr><th>Subprocessor<th>Purpose<tr><td><b>Acme Inc.<td>mail</b><tr><td>Zeta Ltd<td>chat",
    );
    assert_eq!(rows, [("Acme Inc.".into(), "mail".into()), ("Zeta Ltd".into(), "chat".into())]);
    let rows = read(
        "b.html",
        "<h1>Subprocessors</h1><ul><li><a href=https://a.example>Acme<li><a href=https://z.example>Zeta</ul",
    );
    assert_eq!(rows.len(), 2);
    let rows = read(
        "c.html",
        "</div></p><table><caption>Subprocessors<tr><td>Acme Inc.<td>mail</tr></tbody></thead>Zeta</table>",
    );
    assert_eq!(rows, [("Acme Inc.".into(), "mail".into())]);
}

#[test]
fn tables_inside_tables_are_read_once() {
    let inner = "<table><tr><th>Subprocessor<th>Purpose<tr><td>Acme Inc.<td>mail</table>";
    // A page laid out by tables.
    let text = format!("<table><tr><td><table><tr><td>x<td><h1>Subprocessors</h1>{inner}</table></table>");
    assert_eq!(read("a.html", &text), [("Acme Inc.".into(), "mail".into())]);
    // A table in a cell of the list belongs to the cell.
    let text = format!(
        "<h1>Subprocessors</h1><table><tr><th>Subprocessor<th>Purpose<tr><td>Zeta Ltd<td>chat {inner}<tr><td>Eta AG<td>x</table>"
    );
    let rows = read("b.html", &text);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0], ("Zeta Ltd".into(), "chat Subprocessor Purpose Acme Inc. mail".into()));
}

#[test]
fn rows_of_any_width_are_kept_whole() {
    let text = format!(
        "{HEAD}| Acme Inc. | mail |\n| Zeta Ltd | chat | Germany | and | more |\n| | and calls | France | \n| Eta AG |\n"
    );
    let imported = import("a.md", text.as_bytes()).expect("read");
    let rows = rows_of(&imported);
    let names: Vec<&str> = rows.iter().map(|row| row.display_name.as_str()).collect();
    assert_eq!(names, ["Acme Inc.", "Zeta Ltd", "Zeta Ltd", "Eta AG"]);
    assert_eq!(rows[1].annotations["column 4"], "and");
    assert_eq!(rows[1].annotations["column 5"], "more");
    assert!(
        imported.report.notes.iter().any(|note| note.line == 7 && note.text.contains("no name")),
        "{:?}",
        imported.report.notes
    );
    assert_eq!((imported.report.rows_in, imported.report.rows_out), (4, 4));
}

#[test]
fn headings_that_are_twice_the_same_lose_nothing() {
    let text = "Subprocessor,Notes,Notes,Purpose,Purpose\nAcme Inc.,one,two,mail,chat\n";
    let rows = rows_of(&import("a.csv", text.as_bytes()).expect("read"));
    assert_eq!(rows[0].purposes, ["mail"]);
    let notes: Vec<(&str, &str)> = rows[0].annotations.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(notes, [("Notes", "one"), ("Notes 2", "two"), ("Purpose", "chat")]);
}

#[test]
fn formulas_stay_text_and_are_pointed_out() {
    let text = "Subprocessor,Purpose,Notes\nAcme Inc.,\"=HYPERLINK(\"\"http://x\"\")\",@SUM(A1)\nZeta Ltd,+1+2,-5\n";
    let imported = import("a.csv", text.as_bytes()).expect("read");
    let rows = rows_of(&imported);
    assert_eq!(rows[0].purposes, ["=HYPERLINK(\"http://x\")"]);
    assert_eq!(rows[1].annotations["Notes"], "-5");
    let said = imported.report.notes.iter().filter(|note| note.text.contains("a spreadsheet would run")).count();
    assert_eq!(said, 4, "{:?}", imported.report.notes);
}

#[test]
fn characters_that_cannot_be_kept_are_left_out_and_named() {
    let text = format!("{HEAD}| Ac\u{202e}me\u{7} Inc. | ma\0il | Ger\u{200b}many\u{2066} |\n");
    let imported = import("a.md", text.as_bytes()).expect("read");
    let rows = rows_of(&imported);
    assert_eq!((rows[0].display_name.as_str(), rows[0].purposes[0].as_str()), ("Acme Inc.", "mail"));
    assert_eq!(rows[0].locations[0].region_code, "DE");
    let notes = format!("{:?}", imported.report.notes);
    assert!(notes.contains("U+0007, U+202E") && notes.contains("U+2066") && notes.contains("zero bytes"), "{notes}");
    // Written another way they come to the same.
    let json = r#"[{"subprocessor": "Ac\u202eme Inc.", "purpose": "a\u0000b\u001b[31m", "location": "DE"}]"#;
    let rows = rows_of(&import("a.json", json.as_bytes()).expect("read"));
    assert_eq!((rows[0].display_name.as_str(), rows[0].purposes[0].as_str()), ("Acme Inc.", "ab[31m"));
}

#[test]
fn texts_that_no_field_can_hold_are_cut_in_the_open_or_refused() {
    let long = "x".repeat(5_000);
    let text = format!(
        "{HEAD}| {long} Inc. | mail | US |\n| Acme Inc. | {} | US |\n| Zeta Ltd | ok | {} |\n",
        "y".repeat(16_385),
        "z ".repeat(8_000)
    );
    let imported = import("a.md", text.as_bytes()).expect("read");
    let rows = rows_of(&imported);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].display_name.chars().count(), 1_024);
    assert_eq!(rows[0].annotations["name"], format!("{long} Inc."));
    let refused = &imported.report.refused;
    assert_eq!((refused.len(), refused[0].line, refused[0].name.as_str()), (1, 6, "Acme Inc."));
    assert!(refused[0].reason.contains("16384"), "{}", refused[0].reason);
    let wide = format!("{HEAD}| {} | mail | US |\n| Acme Inc. | x | US |\n", "日".repeat(900));
    let rows = rows_of(&import("a.md", wide.as_bytes()).expect("read"));
    assert!(rows[0].display_name.len() <= 2_048 && rows[0].annotations["name"].chars().count() == 900);
}

#[test]
fn more_columns_than_annotations_are_all_kept() {
    let mut header = "Subprocessor,Purpose".to_owned();
    let mut values = "Acme Inc.,mail".to_owned();
    for n in 0..110 {
        let _ = write!(header, ",Field {n} {}", "long ".repeat(20));
        let _ = write!(values, ",value {n}");
    }
    let imported = import("a.csv", format!("{header}\n{values}\n").as_bytes()).expect("read");
    let row = &rows_of(&imported)[0];
    assert_eq!(row.annotations.len(), 64);
    let all = row.annotations.values().cloned().collect::<Vec<_>>().join("\n");
    assert!((0..110).all(|n| all.contains(&format!("value {n}"))), "{all}");
}

#[test]
fn what_would_be_too_much_is_refused_with_the_numbers() {
    let table = |rows: usize| {
        let mut text = HEAD.to_owned();
        for n in 0..rows {
            let _ = writeln!(text, "| Company {n} Inc. | hosting | Germany |");
        }
        text
    };
    assert_eq!(rows_of(&import("a.md", table(1_200).as_bytes()).expect("read")).len(), 1_200);
    let imported = import("a.md", table(600).as_bytes()).expect("read");
    assert!(imported.report.notes.iter().any(|note| note.text.contains("1000 changes")), "{:?}", imported.report.notes);
    refused("a.md", table(5_001).as_bytes(), "5001 rows; a manifest holds at most 5000");
    // Rows, new vendors and the document are entries, all of one manifest.
    assert_eq!(rows_of(&import("a.md", table(2_499).as_bytes()).expect("read")).len(), 2_499);
    refused(
        "a.md",
        table(2_500).as_bytes(),
        "2500 rows and 2500 new vendors; with its document these are 5001 entries",
    );
    refused("a.md", table(12_345).as_bytes(), "12345 rows");
    refused("a.csv", format!("Subprocessor,Purpose\n{}", "Acme Inc.,x\n".repeat(20_000)).as_bytes(), "20000 rows");
    refused("a.md", &vec![b'x'; 33 * 1024 * 1024], "at most 33554432 are read");
}

#[test]
fn markup_that_would_not_end_is_refused() {
    let deep = |tag: &str| tag.repeat(100_000);
    for (name, text, said) in [
        ("a.html", deep("<div>"), "nest deeper"),
        ("b.html", deep("<table><tr><td>"), "nest deeper"),
        ("c.html", deep("<b><p>"), ""),
        ("d.md", deep(">"), ""),
        ("e.md", deep("- "), ""),
        ("f.html", format!("<p {}>", deep("a=1 ")), "attributes"),
        ("g.yaml", deep("["), "line 1"),
        ("h.json", deep("{\"a\":"), "line 1"),
        ("i.html", deep("<ul><li>"), "nest deeper"),
        ("j.html", deep("<font size=1><p>"), ""),
        ("k.md", deep("["), ""),
        ("l.md", deep("**a*"), ""),
        ("m.md", deep("<x>"), ""),
    ] {
        refused(name, text.as_bytes(), said);
    }
}

#[test]
fn a_few_bytes_do_not_become_many() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let _ = writeln!(bomb, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    refused("a.yaml", bomb.as_bytes(), "aliases (*) make this more than 500000 values");
    refused("b.yaml", b"a: &a [*a]\n", "inside what it names");
    let spans = format!(
        "<h1>Subprocessors</h1><table><tr><th>Subprocessor<th>Purpose{}{}</table>",
        format!("<tr><td rowspan=65000 colspan=60000>{}", "Acme ".repeat(8_000)).repeat(20),
        "<tr>".repeat(9_000)
    );
    refused("c.html", spans.as_bytes(), "cells that span columns and rows");
    let unclosed = format!("Subprocessor,Purpose\nAcme,\"mail\n{}", "Zeta,x\n".repeat(10_000));
    refused("d.csv", unclosed.as_bytes(), "line 2: a quotation mark");
    // One that another value's happens to close.
    let unclosed = format!("Subprocessor,Purpose\nAcme,\"mail\n{}Eta,\"x\"\n", "Zeta,x\n".repeat(300));
    refused("e.csv", unclosed.as_bytes(), "line 2: a quotation mark");
    let long = format!("Subprocessor,Purpose\nAcme,\"{}\"\nZeta,chat\n", "mail \"\"x\"\",\n".repeat(300));
    assert_eq!(read("f.csv", &long).len(), 2);
}

/// A page of one table.
fn table(rows: &str) -> String {
    format!("<h1>Subprocessors</h1><table><tr><th>Subprocessor<th>Purpose<tr><td>Acme Inc.<td>mail{rows}</table>")
}

#[test]
fn what_stands_for_many_places_is_one_budget_of_a_page() {
    let wide = |text: &str| format!("<tr><td>x<td colspan=100 rowspan=1000>{text}{}", "<tr><td>x".repeat(1_000));
    let words = "word ".repeat(500);
    let link = format!("<a href=https://x.example/{}>x</a>", "x".repeat(2_000));
    let nested =
        format!("<tr><td>x<td><table><tr><td>y<td colspan=10 rowspan=100>Acme Inc.{}</table>", "<tr><td>x".repeat(100));
    let section = format!("<tr><td colspan=2>{}{}", "word ".repeat(8_000), "<tr><td>x<td>y".repeat(4_000));
    let address = format!("</table><p><a href=https://x.example/{}>{}", "x".repeat(20_000), "a<b>b</b>".repeat(10_000));
    for (rows, is_refused) in [
        // Text, links, and cells of nothing.
        (wide(&words), true),
        (wide(&link), true),
        (wide(""), true),
        (format!("<tr><td>x<td colspan=100>{words}").repeat(100), true),
        (format!("<tr><td>x<td colspan=10>{words}").repeat(10), false),
        // Tables inside tables have none of their own.
        (nested.repeat(10), false),
        (nested.repeat(40), true),
        (section, true),
        (address, true),
        ("<tr><td colspan=18446744073709551615>a<td colspan=18446744073709551615>b".to_owned(), false),
    ] {
        let answer = import("a.html", table(&rows).as_bytes());
        let said = answer.err().map(|refusal| refusal.message).unwrap_or_default();
        assert_eq!(said.starts_with("cells that span"), is_refused, "{rows:.80}: {said}");
    }
    // As large tables have it.
    let groups: String = (0..100)
        .map(|n| {
            format!("<tr><td>Company {n} Inc.<td rowspan=4>Hosting<tr><td>A{n} Inc.<tr><td>B{n} Inc.<tr><td>C{n} Inc.")
        })
        .collect();
    let rows = read("b.html", &table(&groups));
    assert_eq!((rows.len(), &rows[4]), (401, &("C0 Inc.".to_owned(), "Hosting".to_owned())));
}

#[test]
fn ten_megabytes_are_answered() {
    const SIZE: usize = 10 * 1024 * 1024;
    let prose =
        "Subprocessors are many, and this page goes on about them without an end in sight. ".repeat(12) + "\n\n";
    refused("a.md", prose.repeat(SIZE / prose.len()).as_bytes(), "no list of subprocessors was found");
    let row = "<tr><td>Acme Inc.<td>hosting of whatever there is to be hosted<td>Germany</tr>\n";
    let table = format!(
        "<h1>Subprocessors</h1><table><tr><th>Subprocessor<th>Purpose<th>Location</tr>{}</table>",
        row.repeat(SIZE / row.len())
    );
    refused("b.html", table.as_bytes(), "rows; a manifest holds at most 5000");
}

#[test]
fn columns_can_be_told_and_lists_be_pointed_at() {
    let text = format!("{HEAD}| Acme Inc. | mail | US |\n\n## Other things\n\n- Foo\n- Bar\n");
    let options = |map: &[(&str, Field)], at: &[u32]| Options {
        file: "a.md".into(),
        map: map.iter().map(|(column, field)| ((*column).to_owned(), *field)).collect(),
        at: at.to_vec(),
        format: None,
    };
    let told =
        import_with(&options(&[("purpose", Field::Condition), ("Location", Field::Ignore)], &[]), text.as_bytes())
            .expect("read");
    let row = &rows_of(&told)[0];
    assert_eq!((row.condition.as_str(), row.purposes.len(), row.locations.len()), ("mail", 0, 0));
    assert_eq!(told.report.ignored_cells, 1);
    let missing = import_with(&options(&[("Zweck", Field::Purpose)], &[]), text.as_bytes()).expect_err("refused");
    assert!(
        missing.message.contains("there is no column \"Zweck\"; there are: Subprocessor, Purpose, Location"),
        "{missing}"
    );
    let pointed = import_with(&options(&[], &[9]), text.as_bytes()).expect("read");
    assert_eq!(rows_of(&pointed).iter().map(|row| row.display_name.as_str()).collect::<Vec<_>>(), ["Foo", "Bar"]);
    assert!(import_with(&options(&[], &[2]), text.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, there is an answer, and what is taken is a manifest.
    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), format in 0..4_usize) {
        let format = [Format::Markdown, Format::Html, Format::Csv, Format::Yaml][format];
        if let Ok(imported) = import_with(&Options { format: Some(format), ..Options::default() }, &bytes) {
            manifest_of(&imported);
        }
    }

    /// The same of texts that look like lists.
    #[test]
    fn any_text_of_pieces_has_an_answer(pieces in proptest::collection::vec(0..PIECES.len(), 0..60), format in 0..4_usize) {
        let format = [Format::Markdown, Format::Html, Format::Csv, Format::Yaml][format];
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        if let Ok(imported) = import_with(&Options { format: Some(format), ..Options::default() }, text.as_bytes()) {
            let report = &imported.report;
            assert_eq!(report.rows_in, report.rows_out + report.merged.len() + report.refused.len(), "{text}");
            manifest_of(&imported);
        }
    }
}

/// Pieces of pages.
const PIECES: [&str; 65] = [
    "<Vendor name=\"",
    "purpose=",
    "/>",
    "<Card title=\"Acme\">",
    "</Card>",
    "export const a = ",
    "[{name: ",
    "}]",
    "rows={",
    "{{< x name=\"",
    " >}}",
    "(from 1 May 2031)",
    "## Upcoming subprocessors\n",
    "\n",
    "\n\n",
    " ",
    "| ",
    "|---|---|\n",
    "Subprocessor",
    "Purpose",
    "Location",
    "Acme Inc.",
    "AWS",
    "Stripe",
    "*",
    "**",
    "- ",
    "  - ",
    ": ",
    " – ",
    ", ",
    "; ",
    "(",
    ")",
    "[a](https://a.example)",
    "[^1]",
    "[^1]: x\n",
    "<table>",
    "<tr>",
    "<td>",
    "<th>",
    "</table>",
    "<ul>",
    "<li>",
    "</ul>",
    "<dl><dt>",
    "<dd>",
    "<td colspan=3 rowspan=2>",
    "<h2>",
    "</h2>",
    "# Subprocessors\n",
    "United States",
    "EU (Sweden)",
    "us-east-1",
    "\"",
    "'",
    "{",
    "}",
    "&a ",
    "*a ",
    "é\u{202e}",
    "---\n",
    "name: ",
    "🇩🇪",
    "=1+1",
];
