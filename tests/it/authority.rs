//! An authority for certificates, made for one test.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

/// An authority whose certificate is in a file, as an operator would name it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    place: TempDir,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub enum Validity {
    Now,
    Past,
    Future,
}

/// A certificate and its key, in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // No two authorities have the same name.
        params.distinguished_name.push(rcgen::DnType::CommonName, place.path().display().to_string());
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        fs::write(place.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, place }
    }

    /// The file of its certificate.
    pub fn file(&self) -> PathBuf {
        self.place.path().join("ca.pem")
    }

    /// A directory for whatever goes with it.
    pub fn place(&self) -> PathBuf {
        self.place.path().to_owned()
    }

    /// A certificate for names or addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names, validity).signed_by(&key, &self.issuer).expect("signed");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A certificate that nobody signed but its owner.
pub fn self_signed(names: &[&str]) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(names, Validity::Now).self_signed(&key).expect("signed");
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn params(names: &[&str], validity: Validity) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    let (from, until) = match validity {
        Validity::Now => (2000, 4000),
        Validity::Past => (2000, 2001),
        Validity::Future => (3999, 4000),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

impl Pair {
    /// The settings of a server that has this certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a pair");
        Arc::new(config)
    }
}
