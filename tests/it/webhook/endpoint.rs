//! An endpoint that does what its script says, whatever it is asked.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
    time::interval,
};
use tokio_rustls::TlsAcceptor;

/// What an endpoint does once it has read a request.
#[derive(Clone)]
pub enum Script {
    /// Writes this and closes.
    Answer(Vec<u8>),
    /// Writes this, then nothing more, but stays.
    Hang(Vec<u8>),
    /// Writes this, then one byte every few milliseconds, without end.
    Drip(Vec<u8>),
    /// Writes this, then as many bytes as it can.
    Flood(Vec<u8>),
    /// Closes before it reads.
    Close,
    /// Accepts the connection and does not read.
    Ignore,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes): (_, &[u8]) = match self {
            Self::Answer(bytes) => ("Answer", bytes),
            Self::Hang(bytes) => ("Hang", bytes),
            Self::Drip(bytes) => ("Drip", bytes),
            Self::Flood(bytes) => ("Flood", bytes),
            Self::Close => ("Close", &[]),
            Self::Ignore => ("Ignore", &[]),
        };
        write!(f, "{name} {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]))
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// It listens until it is dropped.
pub struct Endpoint {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    /// Listens on an address, with TLS if there is a certificate.
    pub async fn listen(address: &str, script: Script, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (kept, counted) = (Arc::clone(&received), Arc::clone(&connections));
        let tls = tls.map(TlsAcceptor::from);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().expect("a lock") += 1;
                let (script, kept, tls) = (script.clone(), Arc::clone(&kept), tls.clone());
                tokio::spawn(async move {
                    match (&script, tls) {
                        (Script::Close, _) => {}
                        (_, None) => play(stream, script, kept).await,
                        (_, Some(tls)) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                play(stream, script, kept).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, received, connections, task }
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("a lock").clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("a lock")
    }
}

/// An answer with a status and header lines, and no body.
pub fn answer(status: &str, headers: &[&str]) -> Script {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    Script::Answer(format!("HTTP/1.1 {status}\r\n{lines}content-length: 0\r\n\r\n").into_bytes())
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, kept: Arc<Mutex<Vec<Received>>>) {
    if matches!(script, Script::Ignore) {
        return std::future::pending().await;
    }
    if let Some(request) = read(&mut stream).await {
        kept.lock().expect("a lock").push(request);
    }
    match script {
        Script::Close | Script::Ignore => {}
        Script::Answer(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Script::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            std::future::pending().await
        }
        Script::Drip(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let mut drops = interval(Duration::from_millis(5));
            while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                drops.tick().await;
            }
        }
        Script::Flood(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).expect("text");
    let mut lines = text.split("\r\n");
    let line = lines.next().expect("a line").to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"));
    }
    let length: usize = headers["content-length"].to_str().expect("text").parse().expect("a length");
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { line, headers, body })
}
