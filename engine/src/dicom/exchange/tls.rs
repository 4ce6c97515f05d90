//! TLS for associations (PS3.15 annex B): certificates and keys in PEM, versions 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::ExchangeError;

/// How this side of an association that it asks for is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// Certificates of whoever may vouch for the peer, in PEM.
    pub authorities: PathBuf,
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
        let roots = roots("tls.authorities", &self.authorities)?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("tls", &error))?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(chain("tls.certificate", certificate)?, private(key)?)
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
                let roots = Arc::new(roots("tls.client_authorities", path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| unusable("tls.client_authorities", &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder
            .with_single_cert(chain("tls.certificate", &self.certificate)?, private(&self.key)?)
            .map_err(|error| unusable("tls.key", &error))?;
        Ok(Arc::new(config))
    }
}

/// Named here, so that nothing hangs on which of several libraries another part of the program chose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(field: &'static str, path: &Path) -> Result<RootCertStore, ExchangeError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(field, path)? {
        roots.add(certificate).map_err(|error| unusable(field, &error))?;
    }
    Ok(roots)
}

fn chain(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ExchangeError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain: Vec<_> = read.map_err(|error| unusable(field, &error))?;
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
