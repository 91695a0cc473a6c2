//! Footnotes: the marks behind names and the texts that they lead to.

use std::collections::HashMap;

use super::{
    page::{Block, Cell, Page},
    text,
};

/// Signs that mark footnotes.
const SIGNS: [char; 7] = ['*', '†', '‡', '§', '¶', '※', '^'];

/// A footnote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footnote {
    /// Its mark, as [`normal`] has it.
    pub(super) mark: String,
    pub(super) text: String,
    pub(super) line: u32,
}

/// The footnotes of a page, by their marks, those of one mark in the order of their lines.
#[derive(Debug, Default)]
pub(super) struct Footnotes(HashMap<String, Vec<Footnote>>);

impl Footnotes {
    /// Finds them: paragraphs that begin with a mark, and what the page itself marks as footnotes.
    pub(super) fn of(page: &Page) -> Self {
        let mut notes = Vec::new();
        for block in &page.blocks {
            match block {
                Block::Footnote { mark, text, line } => {
                    notes.push(Footnote { mark: normal(mark), text: text.clone(), line: *line });
                }
                Block::Text(cell) => paragraph(cell, &mut notes),
                Block::Heading { .. } | Block::Table(_) | Block::List(_) => {}
            }
        }
        let mut all = Self::default();
        all.add(notes);
        all
    }

    fn add(&mut self, notes: Vec<Footnote>) {
        for note in notes {
            self.0.entry(note.mark.clone()).or_default().push(note);
        }
        self.0.values_mut().for_each(|notes| notes.sort_by_key(|note| note.line));
    }

    /// Adds items of lists that were meant as footnotes: their `*` became a bullet.
    pub(super) fn add_starred(&mut self, items: Vec<(String, u32)>) {
        let note = |(text, line): (String, u32)| {
            let rest = text.trim_start_matches(['*', ' ']);
            let stars = text[..text.len() - rest.len()].matches('*').count();
            Footnote { mark: "*".repeat(1 + stars), text: rest.to_owned(), line }
        };
        self.add(items.into_iter().map(note).collect());
    }

    /// The footnote of a mark: the first below the line where the mark stands, else the first of all.
    pub(super) fn find(&self, mark: &str, line: u32) -> Option<&Footnote> {
        let of_mark = self.0.get(&normal(mark))?;
        of_mark.get(of_mark.partition_point(|note| note.line < line)).or_else(|| of_mark.first())
    }
}

fn paragraph(cell: &Cell, notes: &mut Vec<Footnote>) {
    let raised = cell.runs.iter().find(|run| !run.text.trim().is_empty()).filter(|run| run.raised);
    if let Some(run) = raised {
        let whole = cell.text();
        let label = text::collapse(&run.text);
        if let Some(rest) = whole.strip_prefix(label.as_str()).filter(|rest| !rest.trim().is_empty()) {
            notes.push(Footnote { mark: normal(&label), text: rest.trim().to_owned(), line: cell.line });
            return;
        }
    }
    for line in cell.lines() {
        let (mark, rest) = leading_mark(&line);
        let rest = rest.trim_start_matches([' ', ':', '=']).trim();
        if !mark.is_empty() && !rest.is_empty() {
            notes.push(Footnote { mark: normal(mark), text: rest.to_owned(), line: cell.line });
        }
    }
}

/// The mark with which a text begins.
fn leading_mark(line: &str) -> (&str, &str) {
    let is_sign = |c: char| SIGNS.contains(&c) || is_superscript(c);
    let signs = line.len() - line.trim_start_matches(is_sign).len();
    if signs > 0 {
        return line.split_at(signs);
    }
    if let Some(inside) = line.strip_prefix('[')
        && let Some(end) = inside.find(']')
        && is_label(&inside[..end])
    {
        return line.split_at(end + 2);
    }
    ("", line)
}

fn is_label(text: &str) -> bool {
    let label = text.trim_start_matches('^');
    (1..=3).contains(&label.chars().count()) && label.chars().all(|c| c.is_alphanumeric() || SIGNS.contains(&c))
}

fn is_superscript(c: char) -> bool {
    matches!(c, '¹' | '²' | '³' | '⁰' | '⁴'..='⁹')
}

/// A mark as marks are compared: without brackets, raised digits as digits.
fn normal(mark: &str) -> String {
    let inner = mark.trim_matches(|c: char| matches!(c, '[' | ']' | '(' | ')' | '^') || c.is_whitespace());
    if inner.is_empty() { mark.trim().to_owned() } else { text::fold(inner) }
}

/// A text without the marks at its end, and the marks.
pub(super) fn split_marks(cell: &Cell) -> (String, Vec<String>) {
    let mut marks = Vec::new();
    let mut raised = 0;
    for run in cell.runs.iter().rev() {
        let label = text::collapse(&run.text);
        match run.raised {
            true if label.chars().count() <= 3 && !label.is_empty() => marks.push(label),
            _ if label.is_empty() => {}
            _ => break,
        }
        raised += 1;
    }
    let kept = cell.runs.len().saturating_sub(raised);
    let raw: String = cell.runs.iter().take(kept).map(|run| run.text.as_str()).collect();
    let whole = text::collapse(&raw);
    let mut rest = whole.as_str();
    if rest.is_empty() {
        return (cell.text(), Vec::new());
    }
    loop {
        let signs = rest.trim_end_matches(|c: char| SIGNS.contains(&c) || is_superscript(c)).len();
        let bracket = rest.strip_suffix(']').and_then(|inside| {
            let open = inside.rfind('[')?;
            is_label(&inside[open + 1..]).then_some(open)
        });
        let end = if signs < rest.len() { signs } else { bracket.unwrap_or(rest.len()) };
        if end == rest.len() || rest[..end].trim().is_empty() {
            return (rest.to_owned(), marks);
        }
        marks.push(rest[end..].to_owned());
        rest = rest[..end].trim_end();
    }
}

/// Whether a footnote says when something is used, rather than more about it.
pub(super) fn is_condition(note: &str) -> bool {
    let words = text::words(note);
    let telling = [
        "only",
        "if",
        "when",
        "where",
        "unless",
        "optional",
        "applies",
        "apply",
        "applicable",
        "except",
        "opt",
        "customers",
        "enabled",
        "nur",
        "falls",
        "wenn",
        "uniquement",
        "seulement",
        "si",
        "solo",
        "option",
        "upon",
    ];
    words.iter().any(|word| telling.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{super::page::Run, *};

    #[test]
    fn marks_are_taken_off_names() {
        for (name, bare, marks) in [
            ("Acme PBC*", "Acme PBC", vec!["*"]),
            ("Acme (Mail) **", "Acme (Mail)", vec!["**"]),
            ("Acme [1]", "Acme", vec!["[1]"]),
            ("Acme[^note]", "Acme[^note]", vec![]),
            ("Acme[^1] †", "Acme", vec!["†", "[^1]"]),
            ("Acme²", "Acme", vec!["²"]),
            ("*", "*", vec![]),
            ("Acme [beta version]", "Acme [beta version]", vec![]),
        ] {
            assert_eq!(
                split_marks(&Cell::plain(1, name)),
                (bare.to_owned(), marks.into_iter().map(String::from).collect())
            );
        }
        let mut cell = Cell::plain(1, "Acme ");
        cell.runs.push(Run { text: "1".into(), raised: true, ..Run::default() });
        assert_eq!(split_marks(&cell), ("Acme".to_owned(), vec!["1".to_owned()]));
    }

    #[test]
    fn footnotes_are_found_by_their_marks() {
        let page = Page {
            blocks: vec![
                Block::Text(Cell::plain(5, "* Only with search.\n** For support.")),
                Block::Text(Cell::plain(6, "[1] See above.")),
                Block::Footnote { mark: "[^2]".into(), text: "Two.".into(), line: 7 },
                Block::Text(Cell::plain(8, "¹ again")),
            ],
            ..Page::default()
        };
        let mut notes = Footnotes::of(&page);
        let text = |mark: &str, line: u32| notes.find(mark, line).map(|note| note.text.clone());
        assert_eq!(text("*", 1).as_deref(), Some("Only with search."));
        assert_eq!(text("**", 1).as_deref(), Some("For support."));
        assert_eq!(text("[1]", 1).as_deref(), Some("See above."));
        assert_eq!(text("1", 7).as_deref(), Some("again"));
        assert_eq!(text("[^2]", 1).as_deref(), Some("Two."));
        assert_eq!(text("†", 1), None);
        notes.add_starred(vec![("* Also.".into(), 9)]);
        assert_eq!(notes.find("**", 8).map(|note| note.text.as_str()), Some("Also."));
    }
}
