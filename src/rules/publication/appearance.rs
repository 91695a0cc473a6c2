//! How a public page may look: colours that can be read, images that can do nothing.

use crate::{proto::v1::PublicPage, resource::text};

/// The smallest contrast of text with what is behind it (WCAG 2.2, 1.4.3).
const CONTRAST: f64 = 4.5;

/// The largest logo, in bytes.
const MOST_LOGO: usize = 64 * 1024;

/// The accent of pages that name none.
pub const ACCENT: Colour = Colour([0x1b, 0x49, 0x65]);

/// What dark pages are drawn on; their stylesheet says the same.
const DARK: Colour = Colour([0x1f, 0x24, 0x2a]);

/// An opaque colour of the sRGB space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    /// Reads `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let mut colour = [0; 3];
        hex::decode_to_slice(digits, &mut colour).ok()?;
        Some(Self(colour))
    }

    /// Six lowercase hexadecimal digits.
    pub fn digits(self) -> String {
        hex::encode(self.0)
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast ratio of two colours, 1 to 21 (WCAG 2.2).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The same hue, as much lighter as text on a dark page needs.
    #[must_use]
    pub fn on_dark(self) -> Self {
        let mixed = |share: u16| {
            Self(self.0.map(|channel| {
                let channel = u16::from(channel);
                u8::try_from(channel + (255 - channel) * share / 16).unwrap_or(u8::MAX)
            }))
        };
        (0..16).map(mixed).find(|one| one.contrast(DARK) >= CONTRAST + 1.0).unwrap_or(Self::WHITE)
    }
}

/// Every rule that a page breaks: field and rule.
pub fn violations(page: &PublicPage) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if !page.contact_email.is_empty()
        && let Err(rule) = text::email(&page.contact_email)
    {
        wrong.push(("contact_email", rule));
    }
    if !page.accent_color.is_empty() {
        match Colour::parse(&page.accent_color) {
            None => wrong.push(("accent_color", "must be a colour such as #1b4965".to_owned())),
            Some(colour) if colour.contrast(Colour::WHITE) < CONTRAST => {
                let contrast = colour.contrast(Colour::WHITE);
                wrong.push((
                    "accent_color",
                    format!("has a contrast of {contrast:.1}:1 with white; at least {CONTRAST}:1 can be read"),
                ));
            }
            Some(_) => {}
        }
    }
    if page.logo.len() > MOST_LOGO {
        wrong.push(("logo", format!("has {} bytes, more than {MOST_LOGO}", page.logo.len())));
    } else if !page.logo.is_empty() && logo_type(&page.logo).is_none() {
        wrong.push(("logo", "must be a PNG image, or a well-formed SVG document without a document type".to_owned()));
    }
    wrong
}

/// The media type of a logo; none for what is neither PNG nor SVG.
pub fn logo_type(bytes: &[u8]) -> Option<&'static str> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    if bytes.starts_with(PNG) {
        return Some("image/png");
    }
    let document = roxmltree::Document::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")).then_some("image/svg+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(page: PublicPage) -> Vec<&'static str> {
        violations(&page).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let colour = |text| Colour::parse(text).expect("a colour");
        assert!((colour("#000000").contrast(Colour::WHITE) - 21.0).abs() < 0.01);
        assert!((colour("#777777").contrast(Colour::WHITE) - 4.48).abs() < 0.01);
        assert!((colour("#767676").contrast(Colour::WHITE) - 4.54).abs() < 0.01);
        for accent in ["#1b4965", "#000000", "#0000ff", "#8a0f0f", "#767676"] {
            assert!(colour(accent).on_dark().contrast(DARK) >= CONTRAST, "{accent}");
        }
        assert!(ACCENT.contrast(Colour::WHITE) >= CONTRAST);
    }

    #[test]
    fn a_colour_has_a_form_and_a_contrast() {
        let of = |text: &str| broken(PublicPage { accent_color: text.into(), ..PublicPage::default() });
        for good in ["", "#1b4965", "#767676", "#AA0000"] {
            assert_eq!(of(good), [""; 0], "{good}");
        }
        for bad in ["1b4965", "#fff", "#1b49650", "red", "#gggggg", "#777777", "#ffffff", "#1b4965;}"] {
            assert_eq!(of(bad), ["accent_color"], "{bad}");
        }
    }

    #[test]
    fn a_logo_is_an_image_and_small() {
        let of = |logo: &[u8]| broken(PublicPage { logo: logo.to_vec(), ..PublicPage::default() });
        let svg = br#"<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>"#;
        for good in [&b""[..], svg, b"\x89PNG\r\n\x1a\nrest"] {
            assert_eq!(of(good), [""; 0]);
        }
        let doctype = br#"<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>"#;
        let large = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; MOST_LOGO]].concat();
        for bad in [&b"GIF89a"[..], b"<svg/>", b"<html/>", b"\xff\xfe", doctype, &large] {
            assert_eq!(of(bad), ["logo"]);
        }
        // Nothing that can be sent makes the parser run away.
        assert_eq!(of("<a>".repeat(21_000).as_bytes()), ["logo"]);
        let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
        assert_eq!(of(deep.as_bytes()), ["logo"]);
    }

    #[test]
    fn an_address_is_one() {
        let of = |text: &str| broken(PublicPage { contact_email: text.into(), ..PublicPage::default() });
        assert_eq!((of("privacy@acme.example"), of("acme.example")), (vec![], vec!["contact_email"]));
    }
}
