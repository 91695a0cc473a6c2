//! E-mail against a real SMTP server, and against what only listens where one should be.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail_parser::MessageParser;
use subprocessor_registry::notify::email::{Mail, Mailbox, Mailer, Options, Sent, Tls, address};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::{
    authority::{Authority, Pair, Validity, self_signed},
    sink::Sink,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

fn mailbox(text: &str) -> Mailbox {
    Mailbox { name: String::new(), address: address::check(text, true).expect("an address") }
}

fn mail(to: &str) -> Mail {
    Mail {
        id: "dlv-1".to_owned(),
        date: "2026-03-24T12:00:00Z".parse().expect("a time"),
        to: mailbox(to),
        subject: "Ein neuer Auftragsverarbeiter – ☁".to_owned(),
        text: "Grüße\n.\n..\nFrom here\n".to_owned(),
        html: "<p>Grüße</p>\n".to_owned(),
        list_unsubscribe: Some("https://registry.example/unsubscribe?token=abc".to_owned()),
    }
}

fn options(port: u16) -> Options {
    Options {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        extra_ca_file: None,
        login: None,
        ehlo_name: "registry.example".to_owned(),
        from: mailbox("privacy@acme.example"),
        reply_to: None,
        timeout: LONG,
        concurrency: 2,
    }
}

fn mailer(options: Options) -> Mailer {
    Mailer::new(options).expect("a mailer")
}

/// Puts a certificate and its key in files.
fn files(authority: &Authority, pair: &Pair) -> [String; 2] {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| authority.place().join(name));
    std::fs::write(&certificate, &pair.certificate).expect("written");
    std::fs::write(&key, &pair.key).expect("written");
    [certificate, key].map(|path| path.display().to_string())
}

#[track_caller]
fn assert_accepted(sent: &Sent) {
    let Sent::Accepted { response } = sent else { panic!("{sent:?}") };
    assert!(response.starts_with("250 ") && response.contains("kept as sink-1"), "{response}");
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let mut sink = Sink::start(&[]).await;
    let mailer = mailer(options(sink.port));
    assert_accepted(&mailer.send(&mail("dpo+lists@bücher.example")).await);
    let kept = sink.kept().await;
    assert_eq!((kept.greeting.as_str(), kept.tls, kept.utf8), ("registry.example", false, false));
    assert_eq!(kept.sender, "privacy@acme.example");
    assert_eq!(kept.recipients, ["dpo+lists@xn--bcher-kva.example"]);
    let bytes = STANDARD.decode(kept.message).expect("base64");
    let message = MessageParser::new().parse(&bytes).expect("a message");
    assert_eq!(message.subject(), Some("Ein neuer Auftragsverarbeiter – ☁"));
    assert_eq!(message.message_id(), Some("dlv-1@acme.example"));
    assert_eq!(message.body_text(0).as_deref(), Some("Grüße\r\n.\r\n..\r\nFrom here\r\n"));
    assert_eq!(message.body_html(0).as_deref(), Some("<p>Grüße</p>\r\n"));
    assert!(message.header_raw("List-Unsubscribe").is_some_and(|raw| raw.contains("token=abc>")));
}

#[tokio::test]
async fn connections_are_kept_for_the_next_mail_and_no_more_are_open_than_may_be() {
    let mut sink = Sink::start(&[]).await;
    let mailer = mailer(options(sink.port));
    let mut connections = Vec::new();
    for _ in 0..3 {
        assert_accepted(&mailer.send(&mail("dpo@customer.example")).await);
        connections.push(sink.kept().await.connection);
    }
    connections.dedup();
    assert_eq!(connections.len(), 1, "three mails, one connection");

    let mut sends = JoinSet::new();
    for _ in 0..20 {
        let mailer = mailer.clone();
        sends.spawn(async move { mailer.send(&mail("dpo@customer.example")).await });
    }
    while let Some(sent) = sends.join_next().await {
        assert_accepted(&sent.expect("joined"));
        connections.push(sink.kept().await.connection);
    }
    connections.sort_unstable();
    connections.dedup();
    assert!(connections.len() <= 2, "{connections:?}");
}

#[tokio::test]
async fn what_the_server_says_decides_whether_it_is_tried_again() {
    let mut sink = Sink::start(&[]).await;
    let mailer = mailer(options(sink.port));
    for (to, permanent, code, says) in [
        ("code-550-rcpt@customer.example", true, 550, "said the sink of code-550-rcpt@customer.example"),
        ("code-450-rcpt@customer.example", false, 450, "said the sink of code-450-rcpt@customer.example"),
        ("code-421-rcpt@customer.example", false, 421, "said the sink"),
        ("code-554-data@customer.example", true, 554, "said the sink of the message"),
        ("code-451-data@customer.example", false, 451, "said the sink of the message"),
    ] {
        let sent = mailer.send(&mail(to)).await;
        let (found, text) = match &sent {
            Sent::Permanent { code, text, .. } if permanent => (code, text),
            Sent::Transient { code, text } if !permanent => (code, text),
            other => panic!("{to}: {other:?}"),
        };
        assert_eq!(*found, Some(code), "{to}");
        assert!(text.contains(says), "{to}: {text}");
    }
    // One that is refused does not spoil the next.
    assert_accepted(&mailer.send(&mail("dpo@customer.example")).await);
    assert_eq!(sink.kept().await.recipients, ["dpo@customer.example"]);
    let broken = Mail { subject: "x\r\nBcc: y@evil.example".to_owned(), ..mail("dpo@customer.example") };
    assert!(matches!(mailer.send(&broken).await, Sent::Permanent { code: None, .. }));
}

#[tokio::test]
async fn what_the_server_says_of_us_is_not_said_of_the_address() {
    let mut sink = Sink::start(&["--moods"]).await;
    let mailer = mailer(options(sink.port));
    for (mood, of_us, of_address) in [
        ("530 5.7.0 mail", true, false),
        ("550 5.1.8 mail", true, false),
        ("554 5.7.1 mail", true, false),
        ("550 5.1.1 mail", true, false),
        ("530 5.7.0", true, false),
        ("550 5.7.1", true, false),
        ("550 5.7.25", true, false),
        ("553 5.1.7", true, false),
        ("550 5.1.8", true, false),
        ("550 5.1.1", false, true),
        ("554 5.7.1 data", true, false),
        ("554 5.6.0 data", false, false),
        ("550 5.1.1 data", false, false),
    ] {
        sink.mood(mood).await;
        let sent = mailer.send(&mail("dpo@customer.example")).await;
        let wanted: u16 = mood[..3].parse().expect("a code");
        match &sent {
            Sent::Transient { code, .. } if of_us => assert_eq!(*code, Some(wanted), "{mood}"),
            Sent::Permanent { code, of_address: found, .. } if !of_us => {
                assert_eq!((*code, *found), (Some(wanted), of_address), "{mood}");
            }
            other => panic!("{mood}: {other:?}"),
        }
    }
    sink.mood("").await;
    assert_accepted(&mailer.send(&mail("dpo@customer.example")).await);
}

#[tokio::test]
async fn tls_is_agreed_on_with_whom_it_should_be_before_anything_is_said() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let host = ["localhost", "127.0.0.1"];
    for (name, tls) in [("starttls", Tls::Starttls), ("implicit", Tls::Implicit)] {
        for (pair, good) in [
            (authority.issue(&host, Validity::Now), true),
            (authority.issue(&host, Validity::Past), false),
            (authority.issue(&["mail.example.com"], Validity::Now), false),
            (stranger.issue(&host, Validity::Now), false),
            (self_signed(&host), false),
        ] {
            let [certificate, key] = files(&authority, &pair);
            let login = ["--login", "registry", "päss word"];
            let arguments = [&["--tls", name, "--pair", &certificate, &key][..], &login].concat();
            let mut sink = Sink::start(&arguments).await;
            let options = Options {
                host: "localhost".to_owned(),
                tls,
                extra_ca_file: Some(authority.file()),
                login: Some(("registry".to_owned(), "päss word".to_owned())),
                ..options(sink.port)
            };
            let sent = mailer(options.clone()).send(&mail("dpo@customer.example")).await;
            if good {
                assert_accepted(&sent);
                let kept = sink.kept().await;
                assert_eq!((kept.tls, kept.user.as_str()), (true, "registry"), "{name}");
                let wrong = Options { login: Some(("registry".to_owned(), "guess".to_owned())), ..options };
                // It can be mended.
                let Sent::Transient { code, text } = mailer(wrong).send(&mail("dpo@customer.example")).await else {
                    panic!("{name}: a wrong password")
                };
                assert_eq!(code, Some(535), "{text}");
                assert!(!text.contains("guess"), "{text}");
            } else {
                assert!(matches!(sent, Sent::Transient { code: None, .. }), "{name}: {sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let sink = Sink::start(&[]).await;
    let mailer = mailer(Options { tls: Tls::Starttls, ..options(sink.port) });
    let Sent::Transient { code: None, text } = mailer.send(&mail("dpo@customer.example")).await else {
        panic!("sent in the clear")
    };
    assert!(text.contains("STARTTLS"), "{text}");
}

#[tokio::test]
async fn letters_before_the_at_are_sent_where_the_server_can() {
    let mut sink = Sink::start(&["--smtputf8"]).await;
    assert_accepted(&mailer(options(sink.port)).send(&mail("jürgen@customer.example")).await);
    let kept = sink.kept().await;
    assert!(kept.utf8);
    assert_eq!(kept.recipients, ["jürgen@customer.example"]);
    let sink = Sink::start(&[]).await;
    let sent = mailer(options(sink.port)).send(&mail("jürgen@customer.example")).await;
    let Sent::Transient { code: None, text } = sent else { panic!("{sent:?}") };
    assert!(text.contains("SMTPUTF8"), "{text}");
}

/// A server that says this to whoever connects, and after each line that it reads this; with `flood` it goes on for ever.
async fn speaker(greeting: Vec<u8>, answers: Vec<Vec<u8>>, flood: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (greeting, answers) = (greeting.clone(), answers.clone());
            tokio::spawn(async move {
                let _ = stream.write_all(&greeting).await;
                while flood && stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                let mut space = [0; 1024];
                for answer in answers {
                    if stream.read(&mut space).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let _ = stream.write_all(&answer).await;
                }
                while stream.read(&mut space).await.unwrap_or(0) > 0 {}
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_hangs_or_does_not_stop_is_left() {
    let line = b"220 sink.example ESMTP\r\n".to_vec();
    let endless = [b"220-".to_vec(), b"x\r\n220-".repeat(10_000)].concat();
    for (greeting, answers, flood) in [
        (Vec::new(), vec![], false),
        (b"220-sink.example\r\n".to_vec(), vec![], false),
        (line.clone(), vec![], false),
        (line.clone(), vec![b"250-sink.example\r\n".to_vec()], false),
        (line.clone(), vec![b"250 sink.example\r\n".to_vec()], false),
        (Vec::new(), vec![], true),
        (b"220 ".repeat(2 * 1024 * 1024), vec![], false),
        (endless, vec![], true),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![], false),
        (line.clone(), vec![b"\xff\xfe\r\n".to_vec()], false),
        (line, vec![b"250 a\r\n250 b\r\n250 c\r\n".to_vec()], false),
    ] {
        let what = String::from_utf8_lossy(&greeting[..greeting.len().min(30)]).into_owned();
        let port = speaker(greeting, answers, flood).await;
        let begun = Instant::now();
        let sent = mailer(Options { timeout: SHORT, ..options(port) }).send(&mail("dpo@customer.example")).await;
        assert!(begun.elapsed() < LONG, "{what}: it took {:?}", begun.elapsed());
        let Sent::Transient { code: None, text } = sent else { panic!("{what}: {sent:?}") };
        assert!(!text.is_empty() && text.len() <= 500, "{what}: {text}");
    }
}

#[tokio::test]
async fn a_recipient_that_is_never_answered_holds_up_nobody_else_for_long() {
    let mut sink = Sink::start(&[]).await;
    let mailer = mailer(Options { timeout: SHORT, concurrency: 1, ..options(sink.port) });
    let sent = mailer.send(&mail("hang@customer.example")).await;
    assert_eq!(sent, Sent::Transient { code: None, text: "no answer within 0.3 seconds".to_owned() });
    assert_accepted(&mailer.send(&mail("dpo@customer.example")).await);
    assert_eq!(sink.kept().await.recipients, ["dpo@customer.example"]);
}

#[tokio::test]
async fn what_was_slipped_in_before_tls_is_not_taken_for_an_answer() {
    // To STARTTLS come two answers at once, the second of which would stand for that to the EHLO inside TLS.
    let authority = Authority::new();
    let answers =
        vec![b"250-sink.example\r\n250 STARTTLS\r\n".to_vec(), b"220 go ahead\r\n250 AUTH PLAIN\r\n".to_vec()];
    let port = speaker(b"220 sink.example ESMTP\r\n".to_vec(), answers, false).await;
    let options = Options {
        host: "localhost".to_owned(),
        tls: Tls::Starttls,
        extra_ca_file: Some(authority.file()),
        login: Some(("registry".to_owned(), "hunter2".to_owned())),
        ..options(port)
    };
    let begun = Instant::now();
    let sent = mailer(options).send(&mail("dpo@customer.example")).await;
    assert!(matches!(sent, Sent::Transient { code: None, .. }), "{sent:?}");
    assert!(begun.elapsed() < LONG, "what was slipped in spoils the handshake at once");
}

#[tokio::test]
async fn nobody_there_is_a_reason_to_try_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let sent = mailer(options(port)).send(&mail("dpo@customer.example")).await;
    assert_eq!(sent, Sent::Transient { code: None, text: "the mail server cannot be reached".to_owned() });
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_stops_the_start() {
    for tls in [Tls::Starttls, Tls::Implicit, Tls::None] {
        let options = Options { tls, extra_ca_file: Some("/nowhere/ca.pem".into()), ..options(25) };
        let error = Mailer::new(options).err().expect("refused").to_string();
        assert!(error.contains("email.extra_ca_file") && error.contains("/nowhere/ca.pem"), "{error}");
    }
}
