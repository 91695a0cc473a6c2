//! Connections to the SMTP server: encrypted as configured, logged in, and bounded in what they take in.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters},
    extension::ClientId,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::mailer::{Options, Tls};
use crate::notify::tls;

/// How much a server may say before it is asked something else. What is said is read again with every line of it.
const MOST: usize = 8 * 1024;

/// How connections are made.
pub(super) struct Dialer {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
}

enum Security {
    Implicit(TlsConnector, ServerName<'static>),
    Starttls(TlsParameters),
    None,
}

/// Why there is no connection.
pub(super) enum Failure {
    /// The server said so, or the conversation failed.
    Smtp(lettre::transport::smtp::Error),
    /// There was nobody to talk to.
    Io(io::Error),
    /// It lacks what the mail needs.
    Unable(&'static str),
}

impl From<lettre::transport::smtp::Error> for Failure {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Dialer {
    /// # Errors
    /// The setting that cannot be used, and why.
    pub(super) fn new(options: &Options) -> Result<Self, (&'static str, String)> {
        let ca = |text: String| ("email.extra_ca_file", text);
        let file = options.extra_ca_file.as_deref();
        // Tried in every case, so that a bad file does not wait for the day when TLS is switched on.
        let config = tls::client(file).map_err(ca)?;
        let security = match options.tls {
            Tls::None => Security::None,
            Tls::Implicit => {
                let name = ServerName::try_from(options.host.clone())
                    .map_err(|_| ("email.smtp_host", "cannot be the name of a certificate".to_owned()))?;
                Security::Implicit(TlsConnector::from(Arc::new(config)), name)
            }
            Tls::Starttls => {
                let mut builder =
                    TlsParameters::builder(options.host.clone()).certificate_store(CertificateStore::WebpkiRoots);
                if let Some(file) = file {
                    let pem = std::fs::read(file).map_err(|error| ca(format!("{}: {error}", file.display())))?;
                    builder = builder
                        .add_root_certificate(Certificate::from_pem(&pem).map_err(|error| ca(error.to_string()))?);
                }
                Security::Starttls(builder.build_rustls().map_err(|error| ca(error.to_string()))?)
            }
        };
        Ok(Self {
            host: options.host.clone(),
            port: options.port,
            security,
            credentials: options.login.clone().map(|(user, password)| Credentials::new(user, password)),
            hello: ClientId::Domain(options.ehlo_name.clone()),
        })
    }

    /// A connection on which a mail can be sent.
    pub(super) async fn dial(&self) -> Result<AsyncSmtpConnection, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr()?;
        let mut connection = match &self.security {
            Security::Implicit(connector, name) => {
                let stream = connector.connect(name.clone(), stream).await?;
                AsyncSmtpConnection::connect_with_transport(Box::new(Bounded::new(stream, peer)), &self.hello).await?
            }
            Security::Starttls(parameters) => {
                let stream = Box::new(Bounded::new(stream, peer));
                let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
                connection.starttls(parameters.clone(), &self.hello).await?;
                connection
            }
            Security::None => {
                let stream = Box::new(Bounded::new(stream, peer));
                AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?
            }
        };
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// A stream that gives out one line at a time, and ends where a server says too much.
///
/// By lines, because what a stranger on the way adds to the answer to STARTTLS must not be taken for an answer that came
/// encrypted: it stays in here, and spoils the handshake.
struct Bounded<S> {
    stream: S,
    peer: SocketAddr,
    /// What was read and not yet given out.
    held: Vec<u8>,
    /// How much was read since something was written.
    said: usize,
}

impl<S> Bounded<S> {
    fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream, peer, held: Vec::new(), said: 0 }
    }

    /// Gives out what is held, up to the end of a line.
    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let line = self.held.iter().position(|&b| b == b'\n').map_or(self.held.len(), |end| end + 1);
        out.put_slice(&self.held.drain(..line.min(out.remaining())).collect::<Vec<_>>());
    }
}

impl<S> fmt::Debug for Bounded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for Bounded<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held.is_empty() {
            let mut space = [0; 4096];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            this.said += read.filled().len();
            if this.said > MOST {
                return Poll::Ready(Err(io::Error::other("the server says too much")));
            }
            this.held.extend_from_slice(read.filled());
        }
        this.give(out);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.said = 0;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
