use mail_parser::{HeaderValue as Parsed, MessageParser, MimeHeaders};

use super::*;
use crate::resource::address::check;

fn mailbox_of(name: &str, text: &str) -> Mailbox {
    Mailbox { name: name.to_owned(), address: check(text, true).expect("an address") }
}

fn sender() -> Mailbox {
    mailbox_of("Acme Datenschutz, Köln", "privacy@acmé.example")
}

fn mail() -> Mail {
    Mail {
        id: "dlv-1.2_3".to_owned(),
        date: "2026-03-24T12:00:00.9Z".parse().expect("a time"),
        to: mailbox_of("", "dpo+lists@customer.example"),
        subject: "A new sub-processor".to_owned(),
        text: "Good morning,\n\nGrüße — 你好 ✓\n.\n.hidden dot\nFrom here\n".to_owned(),
        html: format!("<p>Grüße {}</p>\n", "long ".repeat(400)),
        list_unsubscribe: None,
    }
}

fn bytes(mail: &Mail) -> Vec<u8> {
    build(mail, &sender(), None).expect("a message").formatted()
}

/// One header as it was sent, unfolded.
fn header_of(bytes: &[u8], name: &str) -> Option<String> {
    let message = MessageParser::new().parse(bytes).expect("a message");
    message.header_raw(name.to_owned()).map(|value| value.replace("\r\n", "").trim().to_owned())
}

#[test]
fn a_message_reads_back_as_it_was_written() {
    let mut mail = mail();
    mail.subject = format!("Geänderte Auftragsverarbeiter — {}", "sehr lang ".repeat(16).trim());
    mail.to = mailbox_of("Dr. \"Bobby\" O'Neil, <DPO> 北京", "dpo+lists@bücher.example");
    let reply_to = mailbox_of("", "answers@acme.example");
    let bytes = build(&mail, &sender(), Some(&reply_to)).expect("a message").formatted();
    let message = MessageParser::new().parse(&bytes).expect("a message");

    assert_eq!(message.subject(), Some(mail.subject.as_str()));
    let to = message.to().and_then(|to| to.first()).expect("a recipient");
    assert_eq!((to.name(), to.address()), (Some(mail.to.name.as_str()), Some("dpo+lists@xn--bcher-kva.example")));
    let from = message.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("Acme Datenschutz, Köln"), Some("privacy@xn--acm-dma.example")));
    let reply = message.reply_to().and_then(|reply| reply.first()).expect("a reply-to");
    assert_eq!(reply.address(), Some("answers@acme.example"));
    assert_eq!(message.message_id(), Some("dlv-1.2_3@xn--acm-dma.example"));
    assert_eq!(message.date().map(|date| date.to_rfc3339()).as_deref(), Some("2026-03-24T12:00:00Z"));
    assert_eq!(message.body_text(0).as_deref().map(unix), Some(mail.text.clone()));
    assert_eq!(message.body_html(0).as_deref().map(unix), Some(mail.html.clone()));
    let kind = message.content_type().expect("a type");
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("alternative")));
    assert_eq!(header_of(&bytes, "Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(matches!(message.header("MIME-Version"), Some(Parsed::Text(_))));
    for part in &message.parts[1..] {
        assert!(part.headers.iter().any(|header| header.value.as_text() == Some("quoted-printable")), "{part:?}");
    }

    assert!(bytes.is_ascii(), "it passes a server without 8BITMIME");
    let lines = bytes.split(|&b| b == b'\n').map(|line| line.len());
    assert!(lines.max() <= Some(998));
    assert!(
        bytes.iter().zip(bytes.iter().skip(1)).all(|(&a, &b)| (b != b'\n') || a == b'\r'),
        "every line ends in CRLF"
    );
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[test]
fn what_is_not_said_is_not_in_the_header() {
    let bytes = bytes(&mail());
    for name in ["Content-Language", "List-Unsubscribe", "List-Unsubscribe-Post", "Reply-To", "References"] {
        assert_eq!(header_of(&bytes, name), None, "{name}");
    }
}

#[test]
fn one_click_unsubscribes_by_a_link_that_stays_whole() {
    let uri = format!("https://registry.example/unsubscribe?token={}", "x".repeat(400));
    let bytes = bytes(&Mail { list_unsubscribe: Some(uri.clone()), ..mail() });
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert!(text.contains(&format!("\r\nList-Unsubscribe: <{uri}>\r\n")), "{text}");
    assert_eq!(header_of(&bytes, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
}

#[test]
fn nothing_gets_into_a_header_but_its_value() {
    type Change = fn(&mut Mail, String);
    let fields: [(&str, Change); 4] = [
        ("subject", |mail, text| mail.subject = text),
        ("name", |mail, text| mail.to.name = text),
        ("id", |mail, text| mail.id = text),
        ("link", |mail, text| mail.list_unsubscribe = Some(format!("https://registry.example/{text}"))),
    ];
    for (field, change) in fields {
        for bad in
            ["a\r\nBcc: x@evil.example", "a\nBcc: x@evil.example", "a\rb", "a\0b", "a\u{85}b", "a\u{2028}b", "a\tb"]
        {
            // In a subject that is a space.
            if field == "subject" && bad.contains('\u{2028}') {
                continue;
            }
            let mut mail = mail();
            change(&mut mail, bad.to_owned());
            let rule = build(&mail, &sender(), None).expect_err(bad);
            assert!(rule.contains(field) && !rule.contains('\n'), "{field} {bad:?}: {rule}");
        }
        let mut mail = mail();
        change(&mut mail, "x".repeat(LONGEST + 1));
        assert_eq!(build(&mail, &sender(), None).is_err(), field != "subject", "{field}");
    }
    for link in ["https://a.example/ b", "https://a.example/>,<mailto:x@evil.example", "mailto:x@a.example", "x", ""] {
        assert!(build(&Mail { list_unsubscribe: Some(link.to_owned()), ..mail() }, &sender(), None).is_err(), "{link}");
    }
    for id in ["", "a@b", "a b", "a>b", "ä"] {
        assert!(build(&Mail { id: id.to_owned(), ..mail() }, &sender(), None).is_err(), "{id}");
    }
}

#[test]
fn a_subject_is_cut_where_a_character_ends_and_stays_one_line() {
    let subject_of = |text: &str| {
        let bytes = bytes(&Mail { subject: text.to_owned(), ..mail() });
        let message = MessageParser::new().parse(&bytes).expect("a message");
        message.subject().expect("a subject").to_owned()
    };
    for letter in ["x", "ß", "好", "🦀"] {
        let whole = letter.repeat(SUBJECT);
        assert_eq!(subject_of(&whole), whole);
        for more in [SUBJECT + 1, 2_048] {
            assert_eq!(subject_of(&letter.repeat(more)), format!("{}…", letter.repeat(SUBJECT - 1)), "{more}");
        }
    }
    assert_eq!(subject_of("one\u{2028}two\u{2029}three"), "one two three");
}

#[test]
fn what_looks_like_a_header_in_a_text_stays_text() {
    for text in
        ["=?utf-8?q?x?=", "a: b", "\"", "a\\b", "<x@evil.example>", "x@evil.example, y@evil.example", "ü\"\\,;<>@"]
    {
        let mut mail = mail();
        mail.subject = text.to_owned();
        mail.to.name = text.to_owned();
        let bytes = bytes(&mail);
        let message = MessageParser::new().parse(&bytes).expect("a message");
        let to = message.to().expect("recipients");
        assert_eq!(to.iter().count(), 1, "{text}");
        assert_eq!(to.first().and_then(|to| to.address()), Some("dpo+lists@customer.example"), "{text}");
        // An encoded word that somebody wrote is decoded by whoever reads it, which does no harm.
        if !text.starts_with("=?") {
            assert_eq!(message.subject(), Some(text));
            assert_eq!(to.first().and_then(|to| to.name()), Some(text));
        }
    }
}

#[test]
fn every_address_that_is_accepted_can_be_sent_to() {
    let local = "x".repeat(64);
    for text in [
        "First.Last+tag@Example.COM",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "info@例え.テスト",
        "1@2.example",
        "jürgen@bücher.example",
        "用户@example.com",
        &format!("{local}@example.com"),
    ] {
        let checked = check(text, true).expect("an address");
        let client = address(&checked).expect("the client takes it");
        assert_eq!(client.to_string(), checked.to_string());
    }
}
