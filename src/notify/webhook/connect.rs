//! The connection of one attempt: to an address that was checked, and to no other.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use rustls::{CertificateError, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::{
    guard::{Policy, check_address},
    resolve::Resolve,
};

/// How many addresses of a name are tried.
const TRIED: usize = 4;

/// Why there is no connection, in words for the endpoint's owner.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It must not be made.
    Refused(String),
    /// It could not be made.
    Failed(String),
}

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to a URL's host.
pub(super) async fn connect(
    url: &Url,
    resolver: &dyn Resolve,
    tls: &TlsConnector,
    policy: &Policy,
    deadline: Instant,
) -> Result<Box<dyn Stream>, Failure> {
    let addresses = addresses(url, resolver, policy).await?;
    let port = url.port_or_known_default().unwrap_or(443);
    let stream = dial(&addresses, port, deadline).await?;
    if url.scheme() == "http" {
        return Ok(Box::new(stream));
    }
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
        Some(Host::Ipv4(address)) => Some(ServerName::IpAddress(IpAddr::from(address).into())),
        Some(Host::Ipv6(address)) => Some(ServerName::IpAddress(IpAddr::from(address).into())),
        None => None,
    };
    let name = name.ok_or_else(|| Failure::Refused("its host cannot be the name of a certificate".to_owned()))?;
    match tls.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Failure::Failed(why_not_encrypted(&error).to_owned())),
    }
}

/// Every address of the host, all of them checked: a name that also leads inside is not to be trusted with the others.
async fn addresses(url: &Url, resolver: &dyn Resolve, policy: &Policy) -> Result<Vec<IpAddr>, Failure> {
    let name = match url.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(address)) => return checked(vec![address.into()], policy),
        Some(Host::Ipv6(address)) => return checked(vec![address.into()], policy),
        None => return Err(Failure::Refused("names no host".to_owned())),
    };
    let found = resolver.resolve(name).await.map_err(|error| {
        tracing::debug!(%name, %error, "the name of a webhook's endpoint could not be resolved");
        Failure::Failed("its name could not be resolved".to_owned())
    })?;
    if found.is_empty() {
        return Err(Failure::Failed("its name has no address".to_owned()));
    }
    checked(found, policy)
}

fn checked(addresses: Vec<IpAddr>, policy: &Policy) -> Result<Vec<IpAddr>, Failure> {
    // Which address, and of what kind, is for those who run the server: the name may be one that only they can resolve.
    match addresses.iter().find_map(|&address| Some((address, check_address(address, policy).err()?))) {
        None => Ok(addresses),
        Some((address, kind)) => {
            tracing::warn!(%address, kind, "a webhook's endpoint leads to an address that is not public");
            Err(Failure::Refused("its host leads to an address that is not public".to_owned()))
        }
    }
}

/// Connects to the first address that answers. Each has its share of the time, so that a dead one does not take it all.
async fn dial(addresses: &[IpAddr], port: u16, deadline: Instant) -> Result<TcpStream, Failure> {
    let count = addresses.len().min(TRIED);
    for (tried, &address) in addresses.iter().take(count).enumerate() {
        let begun = Instant::now();
        let left = deadline.saturating_duration_since(begun);
        let share = left / u32::try_from(count - tried).unwrap_or(1);
        match timeout_at(begun + share, TcpStream::connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => tracing::debug!(%address, port, %error, "no connection to a webhook's endpoint"),
            Err(_) => tracing::debug!(%address, port, "no connection to a webhook's endpoint in time"),
        }
    }
    Err(Failure::Failed("no connection could be made".to_owned()))
}

/// What is wrong with the other side's TLS.
fn why_not_encrypted(error: &io::Error) -> &'static str {
    let cause = error.get_ref().and_then(|inner| {
        inner.downcast_ref::<rustls::Error>().or_else(|| inner.source()?.downcast_ref::<rustls::Error>())
    });
    match cause {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host"
            }
            CertificateError::UnknownIssuer => "its certificate is not from an authority that we trust",
            CertificateError::Revoked => "its certificate is revoked",
            _ => "its certificate cannot be trusted",
        },
        Some(_) => "TLS could not be agreed on",
        None => "the connection ended while TLS was agreed on",
    }
}
