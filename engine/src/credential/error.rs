//! What can be wrong with a credential.

use crate::dicom::DicomError;

/// An error of signing or reading credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// Certificate or key cannot be used.
    #[error("the certificate and its key cannot sign: {cause}")]
    Signer {
        /// Why not.
        cause: String,
    },
    /// What is trusted is no list of certificates.
    #[error("the trusted certificates cannot be read: {cause}")]
    Anchors {
        /// Why not.
        cause: String,
    },
    /// The image says nothing of its making that could be signed.
    #[error(transparent)]
    Image(#[from] DicomError),
    /// The credential cannot be put into the image.
    #[error("the credential cannot be written: {cause}")]
    Write {
        /// Why not.
        cause: String,
    },
}
