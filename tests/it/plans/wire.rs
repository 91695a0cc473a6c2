//! What goes over the wire to PostgreSQL: a proxy that notes every statement and counts how often one is run.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

/// A proxy in front of a PostgreSQL database.
pub struct Wire {
    /// The database, through the proxy.
    pub url: String,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    statements: Mutex<BTreeSet<String>>,
    executed: AtomicUsize,
}

impl Wire {
    /// Starts a proxy in front of `url`.
    pub async fn new(url: &str) -> Self {
        let parsed = url::Url::parse(url).expect("a URL");
        let to = format!("{}:{}", parsed.host_str().expect("a host"), parsed.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let seen = Arc::new(Seen::default());
        let url = format!("{}?sslmode=disable", url.replace(&to, &address));
        let noting = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&to).await.expect("PostgreSQL answers");
                // Messages are small and answered one by one: held back, each would take 40 ms.
                client.set_nodelay(true).expect("set");
                server.set_nodelay(true).expect("set");
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, Arc::clone(&noting)));
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
            }
        });
        Self { url, seen, accepting }
    }

    /// How many statements were run so far.
    pub fn executed(&self) -> usize {
        self.seen.executed.load(Ordering::SeqCst)
    }

    /// The texts of all statements so far.
    pub fn statements(&self) -> BTreeSet<String> {
        self.seen.statements.lock().expect("not poisoned").clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Passes the client's messages on, one by one. The first has no type.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Seen>) {
    let mut started = false;
    loop {
        let mut message = Vec::new();
        if started {
            let Ok(kind) = from.read_u8().await else { return };
            message.push(kind);
        }
        let Ok(length) = from.read_u32().await else { return };
        message.extend(length.to_be_bytes());
        let begin = message.len();
        message.resize(begin + length as usize - 4, 0);
        if from.read_exact(&mut message[begin..]).await.is_err() {
            return;
        }
        match message[0] {
            // Parse: the name of the statement, its text, both ended by a zero.
            b'P' if started => {
                let mut parts = message[begin..].split(|byte| *byte == 0);
                let text = parts.nth(1).unwrap_or_default();
                let text = String::from_utf8_lossy(text).into_owned();
                seen.statements.lock().expect("not poisoned").insert(text);
            }
            b'E' if started => {
                seen.executed.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        started = true;
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}
