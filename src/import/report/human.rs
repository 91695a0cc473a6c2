//! The report as text, aligned, for a terminal.

use std::fmt::Write;

use super::{Outcome, PartKind, Report};
use crate::import::text::clip;

/// Lines of one kind that are printed; the JSON report has all of them.
const MAX_LINES: usize = 40;

impl Report {
    /// The report as text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.source(&mut out);
        self.parts(&mut out);
        self.rows(&mut out);
        self.vendors(&mut out);
        self.remarks(&mut out);
        out
    }

    fn source(&self, out: &mut String) {
        line(out, "file", &format!("{}: {}, {}, {} bytes", self.file, self.format, self.encoding, self.bytes));
        if let Some(title) = &self.title {
            line(out, "title", title);
        }
        match (&self.stated_date, &self.stated_date_text) {
            (Some(date), Some(words)) => line(out, "dated", &format!("{date} (\"{}\")", clip(words, 80))),
            (None, Some(words)) => line(out, "dated", &format!("\"{}\"", clip(words, 80))),
            _ => {}
        }
    }

    fn parts(&self, out: &mut String) {
        for part in &self.parts {
            let what = noun(part.kind, part.rows);
            let section = part.section.as_ref().map(|s| format!(", \"{}\"", clip(s, 60))).unwrap_or_default();
            line(out, "used", &format!("line {}: {what}{section}: {}", part.line, part.reason));
            if let Some(place) = &part.place {
                let _ = writeln!(out, "             all of it in \"{}\", as the text above says", clip(place, 60));
            }
            let headings: Vec<String> =
                part.columns.iter().enumerate().map(|(index, column)| clip(&column.label(index), 40)).collect();
            let width = headings.iter().map(|heading| heading.chars().count()).max().unwrap_or(0);
            for (heading, column) in headings.iter().zip(&part.columns) {
                if column.heading.is_empty() && column.field == crate::import::Field::Ignore && column.confidence < 1.0
                {
                    continue;
                }
                let padding = " ".repeat(width - heading.chars().count());
                let _ = writeln!(
                    out,
                    "             {heading}{padding}  -> {:<16} {:>3.0} %  {}",
                    column.field.word(),
                    column.confidence * 100.0,
                    column.reason
                );
            }
        }
        let skipped = self.skipped.iter().map(|skipped| {
            let section = skipped.section.as_ref().map(|s| format!(", \"{}\"", clip(s, 60))).unwrap_or_default();
            format!("line {}: {}{section}: {}", skipped.line, noun(skipped.kind, skipped.rows), skipped.reason)
        });
        lines(out, "left out", skipped.collect());
    }

    fn rows(&self, out: &mut String) {
        let mut text = format!("{} in, {} out", self.rows_in, self.rows_out);
        for (count, what) in [(self.merged.len(), "merged"), (self.refused.len(), "refused")] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        if self.ignored_cells > 0 {
            let _ = write!(text, "; {} cells left out as told", self.ignored_cells);
        }
        line(out, "rows", &text);
        let merged = self.merged.iter();
        lines(
            out,
            "merged",
            merged.map(|m| format!("{}\"{}\" is as in line {}", at(m.line), clip(&m.name, 60), m.into_line)).collect(),
        );
        let refused = self.refused.iter();
        lines(
            out,
            "refused",
            refused.map(|r| format!("{}\"{}\": {}", at(r.line), clip(&r.name, 60), r.reason)).collect(),
        );
    }

    fn vendors(&self, out: &mut String) {
        let counts: Vec<String> = [
            (Outcome::Resolved, "resolved"),
            (Outcome::Ambiguous, "ambiguous"),
            (Outcome::Proposed, "proposed"),
            (Outcome::Category, "categories without a vendor"),
            (Outcome::Unstated, "not stated"),
        ]
        .iter()
        .filter(|(outcome, _)| self.count(*outcome) > 0 || *outcome == Outcome::Resolved)
        .map(|(outcome, what)| format!("{} {what}", self.count(*outcome)))
        .collect();
        line(out, "vendors", &format!("{} ({})", counts.join(", "), self.vendors_from));
        let shown =
            self.vendors.iter().filter(|vendor| vendor.outcome != Outcome::Resolved || vendor.score < Some(0.9));
        let text = shown.map(|vendor| {
            let mut text = format!("{}\"{}\"", at(vendor.line), clip(&vendor.name, 60));
            if let Some(name) = &vendor.vendor {
                let _ = write!(text, " -> {name}");
            }
            if let Some(score) = vendor.score {
                let _ = write!(text, " {score:.2}");
            }
            let _ = write!(text, ": {}", vendor.reason);
            if !vendor.candidates.is_empty() {
                let names: Vec<String> =
                    vendor.candidates.iter().map(|(name, score)| format!("{name} {score:.2}")).collect();
                let _ = write!(text, "; near: {}", names.join(", "));
            }
            text
        });
        lines(out, "", text.collect());
    }

    fn remarks(&self, out: &mut String) {
        let unread = self.not_understood.iter().map(|cell| {
            let words = match cell.words.is_empty() {
                true => String::new(),
                false => format!(", namely \"{}\"", clip(&cell.words.join("\", \""), 80)),
            };
            format!("line {}, {}: \"{}\"{words}", cell.line, cell.column, clip(&cell.text, 80))
        });
        lines(out, "not read", unread.collect());
        let notes = self.notes.iter().map(|note| format!("{}{}", at(note.line), note.text));
        lines(out, "note", notes.collect());
    }
}

/// Where something stands, if it stands in a line.
fn at(line: u32) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

fn noun(kind: PartKind, rows: usize) -> String {
    let (what, one) = match kind {
        PartKind::Table => ("table", "row"),
        PartKind::List => ("list", "item"),
    };
    format!("{what} of {rows} {one}{}", if rows == 1 { "" } else { "s" })
}

fn line(out: &mut String, label: &str, text: &str) {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let _ = writeln!(out, "{label:<11}{text}");
}

/// Several lines under one label.
fn lines(out: &mut String, label: &str, texts: Vec<String>) {
    let count = texts.len();
    for (index, text) in texts.into_iter().take(MAX_LINES).enumerate() {
        line(out, if index == 0 { label } else { "" }, &text);
    }
    if count > MAX_LINES {
        line(out, "", &format!("… and {} more: --report has all of them", count - MAX_LINES));
    }
}
