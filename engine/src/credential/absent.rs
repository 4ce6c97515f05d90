//! A program without content credentials: everything says so.

use super::{Credential, CredentialError};

/// What would sign PNGs.
#[derive(Debug, Clone)]
pub struct Signer(std::convert::Infallible);

impl Signer {
    /// # Errors
    /// Always [`CredentialError::NotBuilt`].
    pub fn new(_certificates: &str, _key: &str) -> Result<Self, CredentialError> {
        Err(CredentialError::NotBuilt)
    }

    /// # Errors
    /// Never called: there is no signer.
    pub fn sign_png(&self, _png: &[u8]) -> Result<Vec<u8>, CredentialError> {
        Err(CredentialError::NotBuilt)
    }
}

/// What would be made anew.
#[derive(Debug)]
pub struct Chain {
    /// Certificates.
    pub certificates: String,
    /// The key.
    pub key: String,
    /// The root.
    pub root: String,
}

impl Chain {
    /// # Errors
    /// Always [`CredentialError::NotBuilt`].
    pub fn new(_organisation: &str) -> Result<Self, CredentialError> {
        Err(CredentialError::NotBuilt)
    }
}

/// # Errors
/// Always [`CredentialError::NotBuilt`].
pub fn read(_bytes: &[u8], _anchors: Option<&str>) -> Result<Option<Credential>, CredentialError> {
    Err(CredentialError::NotBuilt)
}
