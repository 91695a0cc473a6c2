//! What generators of pages put between the Markdown: templates, imports, comments of MDX, boxes and tabs. All of it
//! becomes empty lines, or the text that it wraps, so that the lines of the rest stay what they are.

use std::borrow::Cow;

/// Elements that never have an end tag.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The text without what is no Markdown.
pub(super) fn without(text: &str) -> String {
    let text = without_comments(text);
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    let mut in_module = false;
    let mut in_box = false;
    let mut after_text = false;
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body.strip_suffix('\r').unwrap_or(body), "\n"),
            None => (line, ""),
        };
        let trimmed = body.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            in_code = !in_code;
        }
        in_module = !in_code && !trimmed.is_empty() && (in_module || is_module(body));
        if !in_code && !trimmed.is_empty() && !body.starts_with([' ', '\t']) {
            in_box = false;
        }
        if in_code {
            out.push_str(body);
        } else if let Some(title) =
            trimmed.strip_prefix(":::").map(admonition).filter(|title| !title.is_empty() && !after_text)
        {
            out.push_str(&format!("**{title}**"));
        } else if in_module || is_template(trimmed) {
            // Nothing of it is text.
        } else if let Some(title) = box_title(body) {
            in_box = true;
            if !title.is_empty() {
                out.push_str(&format!("**{title}**"));
            }
        } else {
            let body = if in_box { dedent(body) } else { body };
            out.push_str(&body.replace("{\" \"}", " ").replace("{' '}", " "));
        }
        out.push_str(end);
        after_text = !trimmed.is_empty();
    }
    out
}

/// The title of a box that opens: `:::info Last updated`, `:::tip[Mind]`.
fn admonition(rest: &str) -> String {
    let rest = rest.trim_start_matches(':').trim_start();
    let title = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-').trim();
    title.trim_start_matches('[').trim_end_matches(']').replace(['*', '{', '}'], "")
}

/// Comments of MDX, which can hide rows, become blanks with the same lines.
pub(super) fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains("{/*") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{/*") {
        let (before, comment) = rest.split_at(start);
        out.push_str(before);
        let end = comment.find("*/}").map_or(comment.len(), |end| end + 3);
        out.extend(comment[..end].chars().filter(|c| *c == '\n'));
        rest = &comment[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether a line begins what MDX takes for JavaScript, up to the next empty line.
fn is_module(line: &str) -> bool {
    let quoted = line.contains(['\'', '"']);
    (line.starts_with("import ") && quoted)
        || ["export const ", "export default ", "export function ", "export let "].iter().any(|s| line.starts_with(s))
}

/// Whether a whole line is for the generator, and nothing of it for the reader.
fn is_template(line: &str) -> bool {
    let wrapped = |open: &str, close: &str| line.starts_with(open) && line.ends_with(close);
    wrapped("{%", "%}")
        || wrapped("{{", "}}")
        || wrapped("{:", "}")
        || wrapped("<%", "%>")
        || line.starts_with(":::")
        || line.starts_with("///")
        || line.starts_with("--8<--")
        || line.starts_with("[[toc]]")
}

/// The title of a box or tab whose text is indented below it.
fn box_title(line: &str) -> Option<String> {
    let rest = ["!!! ", "??? ", "???+ ", "=== "].iter().find_map(|mark| line.strip_prefix(mark))?;
    let title = rest.split('"').nth(1).unwrap_or_default();
    (line.starts_with('!') || line.starts_with('?') || !title.is_empty()).then(|| title.replace('*', ""))
}

fn dedent(line: &str) -> &str {
    line.strip_prefix("    ").or_else(|| line.strip_prefix('\t')).unwrap_or(line)
}

/// Ends the elements that a component or an author closed at once: HTML would take all that follows for their content.
pub(super) fn close_components(html: &str) -> Cow<'_, str> {
    if !html.contains("/>") {
        return Cow::Borrowed(html);
    }
    let mut out = String::with_capacity(html.len() + 16);
    let mut rest = html;
    while let Some(end) = rest.find("/>") {
        let (before, after) = rest.split_at(end);
        let tag = before.rfind('<').map(|start| &before[start + 1..]).unwrap_or_default();
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        out.push_str(before);
        if name.is_empty() || VOID.contains(&name.to_ascii_lowercase().as_str()) {
            out.push_str("/>");
        } else {
            out.push_str(&format!("></{name}>"));
        }
        rest = &after[2..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_the_generator_becomes_empty_lines() {
        let text =
            "import A from 'a'\n\n# T\n{: .x}\n{% include a %}\na\n{/* b\n| c |\n*/}d\n::: tip\ne{\" \"}f\n:::\n";
        assert_eq!(without(text), "\n\n# T\n\n\na\n\n\nd\n\ne f\n\n");
        assert_eq!(without("=== \"EU\"\n    | a |\n\n    b\nc\n"), "**EU**\n| a |\n\nb\nc\n");
        assert_eq!(without("```\n{% x %}\n```\n"), "```\n{% x %}\n```\n");
    }

    #[test]
    fn components_end_where_they_begin() {
        assert_eq!(close_components("<Icon a=\"b\"/>x<br/>y<Z />"), "<Icon a=\"b\"></Icon>x<br/>y<Z ></Z>");
        assert_eq!(close_components("a / > b"), "a / > b");
    }
}
