//! Markdown: tables, and comments that become text.

/// A table: its headings, and its rows.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(N));
    rows.into_iter().fold(line(headings.map(str::to_owned)) + &rule, |table, row| {
        table + &line(row.map(|cell| cell.replace('|', "\\|").replace('\n', " ")))
    })
}

/// Lines that were broken to fit a page, as one; a list and a paragraph of their own keep their lines.
pub(crate) fn flow(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines() {
        let starts = line.trim().is_empty() || line.trim_start().starts_with("- ");
        let separator = if text.is_empty() {
            ""
        } else if starts || text.ends_with('\n') {
            "\n"
        } else {
            " "
        };
        text.push_str(separator);
        text.push_str(line.trim());
    }
    text
}

/// The anchor that a heading gets.
pub(crate) fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// As code.
pub(crate) fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}
