//! Values as YAML text that every reader of YAML 1.1 and 1.2 reads the same way, in block style, one value to a line,
//! so that a change of one value is a change of one line.

use std::fmt::Write;

use serde_json::{Map, Number, Value as Json};

/// How far a level is indented.
const STEP: usize = 2;

/// The longest key, as written, that stands before its colon on one line: YAML ends simple keys at 1,024 characters.
const LONGEST_KEY: usize = 512;

/// `value` as YAML text, keys in the order given. Reading the text gives the same value.
pub fn to_yaml(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(map) if !map.is_empty() => entries(&mut out, map, 0, false),
        Json::Array(list) if !list.is_empty() => items(&mut out, list, 0, false),
        single => {
            out.push_str(&scalar(single, 0));
            out.push('\n');
        }
    }
    out
}

/// A mapping's entries at `indent`; the first stands on the line that is already begun if `inline`.
fn entries(out: &mut String, map: &Map<String, Json>, indent: usize, mut inline: bool) {
    for (key, value) in map {
        pad(out, indent, &mut inline);
        let key = if is_plain(key) { key.clone() } else { quoted(key) };
        if key.len() > LONGEST_KEY {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            pad(out, indent, &mut false);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match value {
            Json::Object(map) if !map.is_empty() => {
                out.push('\n');
                entries(out, map, indent + STEP, false);
            }
            Json::Array(list) if !list.is_empty() => {
                out.push('\n');
                items(out, list, indent + STEP, false);
            }
            single => single_line(out, single, indent),
        }
    }
}

/// A list's items at `indent`; the first stands on the line that is already begun if `inline`.
fn items(out: &mut String, list: &[Json], indent: usize, mut inline: bool) {
    for value in list {
        pad(out, indent, &mut inline);
        out.push('-');
        match value {
            Json::Object(map) if !map.is_empty() => {
                out.push(' ');
                entries(out, map, indent + STEP, true);
            }
            Json::Array(list) if !list.is_empty() => {
                out.push(' ');
                items(out, list, indent + STEP, true);
            }
            single => single_line(out, single, indent),
        }
    }
}

fn single_line(out: &mut String, value: &Json, indent: usize) {
    out.push(' ');
    out.push_str(&scalar(value, indent));
    out.push('\n');
}

fn pad(out: &mut String, indent: usize, inline: &mut bool) {
    if !std::mem::take(inline) {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// A value without elements, as it stands behind a key or dash at `indent`.
fn scalar(value: &Json, indent: usize) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(b) => b.to_string(),
        Json::Number(n) => number(n),
        Json::String(text) if is_plain(text) => text.clone(),
        Json::String(text) if is_literal(text) => literal(text, indent + STEP),
        Json::String(text) => quoted(text),
        Json::Array(_) => "[]".to_owned(),
        Json::Object(_) => "{}".to_owned(),
    }
}

/// A number. YAML 1.1 knows a float with an exponent only by its point and its exponent's sign.
fn number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Words that some reader takes for a truth value, for nothing, or for a number.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none"];

/// Whether `text` may stand without quotes. Rather too seldom than too often.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    // Numbers, dates and times in all their notations begin with a digit, a sign or a point, and these letters are
    // all that can follow: `0x1F`, `0b1`, `0o7`, `1e3`, `2001-12-14t21:59:43.10Z`.
    let beyond_numbers = |c: char| c.is_ascii_alphabetic() && !"abcdefoxtz".contains(c.to_ascii_lowercase());
    let begins = first.is_alphabetic() || (first.is_ascii_digit() && text.chars().any(beyond_numbers));
    begins
        && !text.ends_with(|c: char| c.is_whitespace() || c == ':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(|c| is_hidden(c) || c == '\n' || c == '\t')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Characters that a reader would take for a line break or refuse, or that a person would not see.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}' => true,
        c => c.is_control(),
    }
}

/// Whether `text` can be shown line by line and be read again exactly: no blanks at the ends of lines, which editors
/// strip; no line that begins with a blank, which would have to tell indentation from text; one line break at most at
/// the end.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    text.contains('\n')
        && !body.starts_with('\n')
        && !body.ends_with('\n')
        && !body.is_empty()
        && !text.chars().any(is_hidden)
        && body.split('\n').all(|line| !line.starts_with(char::is_whitespace) && !line.ends_with(char::is_whitespace))
}

fn literal(text: &str, indent: usize) -> String {
    let (header, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let mut out = header.to_owned();
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(&mut out, indent, &mut false);
            out.push_str(line);
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hidden(c) => {
                // Writing to a String does not fail.
                let code = u32::from(c);
                let _ = if code < 0x100 { write!(out, "\\x{code:02X}") } else { write!(out, "\\u{code:04X}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_block_style() {
        let value = json!({
            "organization": {"id": "a", "contacts": [{"kind": "DPO", "lines": ["x", ["y", "z"]]}, {}]},
            "empty": [],
            "date": "2019-08-27",
            "note": "two\nlines",
            "text": "two\nlines\n",
            "n": 30,
            "big": 1e300,
            "flag": true,
            "nothing": null,
        });
        assert_eq!(
            to_yaml(&value),
            r#"organization:
  id: a
  contacts:
    - kind: DPO
      lines:
        - x
        - - "y"
          - z
    - {}
empty: []
date: "2019-08-27"
note: |-
  two
  lines
text: |
  two
  lines
"n": 30
big: 1.0e+300
flag: true
nothing: null
"#
        );
    }

    #[test]
    fn what_could_be_read_as_something_else_is_quoted() {
        for text in [
            "",
            " a",
            "a ",
            "no",
            "NO",
            "Yes",
            "off",
            "y",
            "~",
            "null",
            "Null",
            "true",
            "1",
            "1.10",
            "0123",
            "1e3",
            "0x1F",
            "0o17",
            "1_000",
            "12:30",
            "2019-08-27",
            "2001-12-14t21:59:43.10-05:00",
            ".inf",
            ".NaN",
            "-1",
            "+1",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a",
            "\"a",
            "[a",
            "{a",
            "|",
            ">",
            "?",
            "=",
            "<<",
            "---",
            "...",
            "a\tb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{feff}",
            "a\u{7f}",
            "a\r\nb",
            "\n",
            "a \nb",
            "a\n b",
            "a\n\n",
            "\na",
            "a\u{a0}",
            "a\u{ad}b",
            "a\u{202e}b",
            "0b1",
            "1E+5",
            "12e03",
            "685.230_15e+03",
        ] {
            let out = to_yaml(&json!(text));
            assert!(out.starts_with('"') && out.ends_with("\"\n"), "{text:?} is written {out}");
        }
    }

    #[test]
    fn what_cannot_be_misread_is_not() {
        for text in [
            "a",
            "Twilio Inc. (SendGrid)",
            "https://a.example/b?c=d#e",
            "vendors/aws",
            "410 Terry Avenue North",
            "é",
            "日本",
            "a, b [c] {d}",
            "it's",
            "x:y",
            "nothing",
            "P30D",
            "10 rue X",
            "a\u{a0}b",
            "emoji 😀",
        ] {
            assert_eq!(to_yaml(&json!(text)), format!("{text}\n"));
        }
    }

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(to_yaml(&json!("a\0\u{85}\u{2028}\u{feff}\"\\")), "\"a\\x00\\x85\\u2028\\uFEFF\\\"\\\\\"\n");
    }
}
