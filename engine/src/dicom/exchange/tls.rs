//! TLS for associations (PS3.15 annex B): certificates and keys in PEM, versions 1.2 and 1.3.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::ExchangeError;

/// Certificates in PEM: a file's, or those at hand.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The file.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// How this side of an association that it asks for is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// Certificates of whoever may vouch for the peer, in PEM.
    pub authorities: Pem,
    /// This side's certificate chain and its key, both in PEM, where the peer asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the peer's certificate; that of its address where it is absent.
    pub server_name: Option<String>,
}

/// How associations that others ask for are secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTls {
    /// This side's certificate chain, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Certificates of whoever may vouch for peers, in PEM; with it, a peer needs a certificate.
    pub client_authorities: Option<PathBuf>,
}

impl PeerTls {
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, ExchangeError> {
        let roots = roots("tls.authorities", self.authorities.certificates())?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("tls", &error))?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    chain("tls.certificate", certificates(certificate))?,
                    private(key)?,
                )
                .map_err(|error| unusable("tls.key", &error))?,
        };
        Ok(Arc::new(config))
    }
}

impl ProviderTls {
    pub(super) fn config(&self) -> Result<Arc<ServerConfig>, ExchangeError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("tls", &error))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let read = certificates(path);
                let roots = Arc::new(roots("tls.client_authorities", read)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| unusable("tls.client_authorities", &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = chain("tls.certificate", certificates(&self.certificate))?;
        let config = builder
            .with_single_cert(chain, private(&self.key)?)
            .map_err(|error| unusable("tls.key", &error))?;
        Ok(Arc::new(config))
    }
}

/// Named here, so that nothing hangs on which of several libraries another part of the program chose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whether those are certificates that may vouch for a peer.
///
/// # Errors
/// [`ExchangeError::Option`] names `field`.
pub fn check_authorities(field: &'static str, authorities: &Pem) -> Result<(), ExchangeError> {
    roots(field, authorities.certificates()).map(drop)
}

type Certificates = Result<Vec<CertificateDer<'static>>, pem::Error>;

impl Pem {
    fn certificates(&self) -> Certificates {
        match self {
            Self::File(path) => certificates(path),
            Self::Text(text) => CertificateDer::pem_slice_iter(text.as_bytes()).collect(),
        }
    }
}

fn certificates(path: &Path) -> Certificates {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect)
}

fn roots(field: &'static str, read: Certificates) -> Result<RootCertStore, ExchangeError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(field, read)? {
        roots.add(certificate).map_err(|error| unusable(field, &error))?;
    }
    Ok(roots)
}

fn chain(
    field: &'static str,
    read: Certificates,
) -> Result<Vec<CertificateDer<'static>>, ExchangeError> {
    let chain = read.map_err(|error| unusable(field, &error))?;
    if chain.is_empty() {
        let cause = "there is no certificate in the file".to_owned();
        return Err(ExchangeError::Option { field, cause });
    }
    Ok(chain)
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>, ExchangeError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unusable("tls.key", &error))
}

fn unusable(field: &'static str, error: &(dyn std::error::Error + 'static)) -> ExchangeError {
    ExchangeError::Option { field, cause: super::words(error) }
}
