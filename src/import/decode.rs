//! Bytes as text, whatever their encoding; and what is no text, by its name.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{Refusal, text};

/// What files that are no text begin with.
const MAGIC: [(&[u8], &str); 14] = [
    (b"%PDF-", "a PDF; save its table as CSV or HTML, or copy the text"),
    (b"PK\x03\x04", "a ZIP archive, or a document of an office suite; save it as CSV"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an old office suite; save it as CSV"),
    (b"{\\rtf", "rich text (RTF); save it as HTML"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"SQLite format 3\0", "a database"),
];

/// The share of control characters from which on bytes are no text, as one in so many.
const CONTROLS: usize = 200;

/// A text with how it was encoded.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: String,
    /// What a reader should know of it.
    pub(super) notes: Vec<(u32, String)>,
}

/// Reads bytes as text.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::new("the file is empty"));
    }
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Refusal::new(format!("this is no page, but {what}")));
    }
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Err(Refusal::new("the file is encoded in UTF-32; save it as UTF-8"));
    }
    let (encoding, name) = encoding(bytes);
    let (text, wrong) = encoding.decode_with_bom_removal(bytes);
    let mut notes = Vec::new();
    if wrong {
        let line = text.split('\u{fffd}').next().map_or(1, |before| 1 + before.matches('\n').count());
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        notes.push((line, format!("bytes that are not {} stand as \u{fffd}, here first", encoding.name())));
    }
    let text = with_unix_lines(&text);
    let text = without_nuls(text, &mut notes)?;
    Ok(Decoded { text, encoding: name, notes })
}

/// The encoding, and how it is named to a person.
fn encoding(bytes: &[u8]) -> (&'static Encoding, String) {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return (encoding, format!("{} with a byte order mark", encoding.name()));
    }
    if let Some(encoding) = wide(bytes) {
        return (encoding, format!("{} without a byte order mark", encoding.name()));
    }
    if std::str::from_utf8(bytes).is_ok() {
        return (UTF_8, UTF_8.name().to_owned());
    }
    if let Some(encoding) = declared(bytes) {
        return (encoding, format!("{} as it declares", encoding.name()));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let guessed = detector.guess(None, Utf8Detection::Deny);
    let other = if guessed == WINDOWS_1252 { " (Latin-1)" } else { "" };
    (guessed, format!("{}{other}, by its letters", guessed.name()))
}

/// UTF-16 without a mark: every other byte of Western text is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    let pairs = sample.len() / 2;
    if pairs == 0 {
        return None;
    }
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (high, low) = (zeros(0), zeros(1));
    if low * 10 > pairs * 6 && high * 10 < pairs {
        Some(UTF_16LE)
    } else if high * 10 > pairs * 6 && low * 10 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// What an HTML page says of its encoding near its beginning.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(2048)]).to_ascii_lowercase();
    let at = head.find("charset=")? + "charset=".len();
    let label: String = head[at..]
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != UTF_8)
}

/// Line ends of any system as those of Unix, so that lines are counted as editors count them.
fn with_unix_lines(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Leaves out zeros, and refuses what has too many control characters for a text.
fn without_nuls(text: String, notes: &mut Vec<(u32, String)>) -> Result<String, Refusal> {
    let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\u{c}' | '\u{b}')).count();
    if controls > 10 && controls * CONTROLS > text.chars().count() {
        return Err(Refusal::new("the file is binary: it has more control characters than a text"));
    }
    let Some(first) = text.find('\0') else { return Ok(text) };
    let line = 1 + text[..first].matches('\n').count();
    let count = text.matches('\0').count();
    notes.push((u32::try_from(line).unwrap_or(u32::MAX), format!("{count} zero bytes were left out, here the first")));
    Ok(text.replace('\0', ""))
}

/// Characters of a text that no field can hold, by their numbers, for a report.
pub(super) fn name_refused(raw: &str) -> Option<String> {
    let mut names: Vec<String> = text::refused(raw).map(|c| format!("U+{:04X}", u32::from(c))).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, String) {
        let decoded = decode(bytes).expect("a text");
        (decoded.text, decoded.encoding)
    }

    #[test]
    fn texts_of_any_encoding_are_read() {
        let text = "Name;Zweck\r\nMüller GmbH;Größe – „x“\r\n";
        let unix = text.replace("\r\n", "\n");
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        for (bytes, name) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "UTF-8 with a byte order mark"),
            (WINDOWS_1252.encode(text).0.into_owned(), "windows-1252 (Latin-1), by its letters"),
            ([vec![0xff, 0xfe], wide(u16::to_le_bytes)].concat(), "UTF-16LE with a byte order mark"),
            ([vec![0xfe, 0xff], wide(u16::to_be_bytes)].concat(), "UTF-16BE with a byte order mark"),
            (wide(u16::to_le_bytes), "UTF-16LE without a byte order mark"),
            (wide(u16::to_be_bytes), "UTF-16BE without a byte order mark"),
        ] {
            assert_eq!(read(&bytes), (unix.clone(), name.to_owned()));
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, said) in [
            (&b"%PDF-1.7\n..."[..], "a PDF"),
            (b"PK\x03\x04....", "a ZIP archive"),
            (b"\x1f\x8b\x08....", "gzip"),
            (b" \n\t", "empty"),
            (b"", "empty"),
            (&[0_u8, 1, 2, 3, 0, 5, 6, 7, 8, 0, 0, 0, 14, 15, 16, 17, 18, 19, 20, 21, 22][..], "binary"),
        ] {
            let refusal = decode(bytes).expect_err("refused");
            assert!(refusal.message.contains(said), "{}", refusal.message);
        }
    }
}
