//! The elements of an SVG. Every text passes [`escaped`], so no name of anybody can become an element.

use std::fmt::Write as _;

/// An SVG that is being written.
#[derive(Debug, Default)]
pub(super) struct Svg(String);

impl Svg {
    /// A line of markup, written here and by nobody else.
    pub(super) fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
        self.0.push('\n');
    }

    /// A rectangle with a tooltip, if there is something to say. `style` is attributes.
    pub(super) fn rect(&mut self, place: [f64; 4], style: &str, tooltip: &str) {
        let [x, y, width, height] = place;
        let open = format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" {style}"#);
        if tooltip.is_empty() {
            self.raw(&format!("{open}/>"));
        } else {
            self.raw(&format!("{open}><title>{}</title></rect>", escaped(tooltip)));
        }
    }

    /// A line.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], style: &str) {
        let ([x1, y1], [x2, y2]) = (from, to);
        self.raw(&format!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" {style}/>"#));
    }

    /// A text that is cut to a width, with the whole of it as tooltip.
    pub(super) fn text(&mut self, place: [f64; 2], width: f64, size: f64, style: &str, text: &str) {
        let [x, y] = place;
        let shown = fitted(text, width, size);
        let whole = if shown == text { String::new() } else { format!("<title>{}</title>", escaped(text)) };
        let mut markup = String::new();
        let _ = write!(
            markup,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" {style}>{}{whole}</text>"#,
            escaped(&shown)
        );
        self.raw(&markup);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// The width of a text, about: fonts differ, and it is better to cut too early.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let wide = |letter: char| match letter {
        'i' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.34,
        'm' | 'w' | 'M' | 'W' | '→' => 0.95,
        letter if letter.is_ascii_uppercase() => 0.72,
        letter if letter.is_ascii() => 0.58,
        _ => 1.0,
    };
    text.chars().map(wide).sum::<f64>() * size
}

fn fitted(text: &str, most: f64, size: f64) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if width(&kept, size) + size > most {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

/// A text as XML has it: no markup, and none of the characters that XML does not have.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            letter if letter < ' ' || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_markup() {
        assert_eq!(escaped("<script>\"&'\u{1}\n"), "&lt;script&gt;&quot;&amp;&#39;\u{fffd} ");
        let mut svg = Svg::default();
        svg.text([0.0, 0.0], 20.0, 10.0, "", "</text><script>");
        assert!(!svg.finish().contains("<script"));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fitted("short", 100.0, 10.0), "short");
        let cut = fitted(&"x".repeat(100), 100.0, 10.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0) <= 105.0, "{cut}");
    }
}
