//! A mail server that tells what it was sent.

use std::{path::PathBuf, process::Stdio, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail_parser::{Message, MessageParser};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// `tests/tools/smtp_sink.py`, until it is dropped.
pub struct Sink {
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

/// What the sink tells of a mail.
#[derive(Debug, Deserialize)]
pub struct Kept {
    pub greeting: String,
    pub sender: String,
    pub recipients: Vec<String>,
    pub utf8: bool,
    pub user: String,
    pub tls: bool,
    pub connection: u64,
    pub message: String,
}

impl Sink {
    pub async fn start(arguments: &[&str]) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(root.join(".tools/venv/bin/python"))
            .arg(root.join("tests/tools/smtp_sink.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python in .tools/venv: run tests/tools/install.sh");
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        let port = lines.next_line().await.expect("a line").expect("a port").parse().expect("a number");
        Self { port, lines, child }
    }

    /// The next mail that it was sent.
    pub async fn kept(&mut self) -> Kept {
        let line = timeout(Duration::from_secs(30), self.lines.next_line()).await.expect("a mail in time");
        let line = line.expect("a line").expect("a mail");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Sink {
    /// What it answers to everybody from now on, if it was started with `--moods`.
    pub async fn mood(&mut self, mood: &str) {
        let input = self.child.stdin.as_mut().expect("an input");
        input.write_all(format!("{mood}\n").as_bytes()).await.expect("said");
        input.flush().await.expect("said");
        let line = timeout(Duration::from_secs(30), self.lines.next_line()).await.expect("an answer in time");
        let line = line.expect("a line").expect("an answer");
        assert_eq!(line, format!("{{\"mood\": \"{mood}\"}}"));
    }
}

impl Kept {
    /// Whom it went to.
    pub fn to(&self) -> &str {
        self.recipients.first().expect("a recipient")
    }

    fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.message).expect("base64")
    }

    fn read<T>(&self, what: impl FnOnce(&Message<'_>) -> T) -> T {
        what(&MessageParser::new().parse(&self.bytes()).expect("a message"))
    }

    pub fn subject(&self) -> String {
        self.read(|message| message.subject().expect("a subject").to_owned())
    }

    /// Its Message-ID.
    pub fn id(&self) -> String {
        self.read(|message| message.message_id().expect("an id").to_owned())
    }

    pub fn text(&self) -> String {
        self.read(|message| message.body_text(0).expect("a text").replace("\r\n", "\n"))
    }

    pub fn html(&self) -> String {
        self.read(|message| message.body_html(0).expect("a page").into_owned())
    }

    /// A header as it stands there; empty for none.
    pub fn header(&self, name: &str) -> String {
        self.read(|message| message.header_raw(name).unwrap_or_default().trim().to_owned())
    }
}
