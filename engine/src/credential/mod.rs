//! Content credentials: what a signer says of a PNG, bound to its bytes (C2PA 2.2, Content Credentials).
//!
//! The credential of an image of ours says that it was created (`c2pa.created`) by a trained model
//! (`trainedAlgorithmicMedia`, IPTC's word), and holds the same description as the file's own text:
//! model, prompt, seed. Unlike that text it cannot be changed, or moved to another image, without being found
//! out; it can be taken away.
//!
//! Signing and reading need the feature `credentials`. Without it, both say that they were not built.

#[cfg(not(feature = "credentials"))]
mod absent;
#[cfg(feature = "credentials")]
mod chain;
mod error;
#[cfg(feature = "credentials")]
mod read;
#[cfg(feature = "credentials")]
mod sign;

#[cfg(all(test, feature = "credentials"))]
mod tests;

use serde::{Deserialize, Serialize};

use crate::dicom::TRAINED_ALGORITHMIC_MEDIA;

#[cfg(not(feature = "credentials"))]
pub use absent::{Chain, Signer, read};
#[cfg(feature = "credentials")]
pub use chain::Chain;
pub use error::CredentialError;
#[cfg(feature = "credentials")]
pub use read::read;
#[cfg(feature = "credentials")]
pub use sign::Signer;

/// Whether this program can sign and read them.
pub const BUILT: bool = cfg!(feature = "credentials");
/// Label of the assertion that holds the description of an image, as a file's own text does.
pub const PROVENANCE_LABEL: &str = "org.skiagraph.provenance";

/// What a file's credential is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    /// Nothing was changed since it was signed, and the signer's certificate leads to one that is trusted.
    Trusted,
    /// Nothing was changed since it was signed, by somebody whom nobody here vouches for.
    Valid,
    /// The file is not the one that was signed, or the credential is damaged or expired.
    Invalid,
}

/// A credential that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What it is worth.
    pub state: CredentialState,
    /// The signer's organisation, by the certificate.
    pub signer: Option<String>,
    /// The certificate's common name.
    pub common_name: Option<String>,
    /// The certificate's serial number.
    pub serial_number: Option<String>,
    /// The signature's algorithm.
    pub algorithm: Option<String>,
    /// The program that made the claim.
    pub program: Option<String>,
    /// The digital source type of its actions, where they have one: an address of IPTC's.
    pub source_type: Option<String>,
    /// What is wrong with it, by the codes of C2PA.
    pub faults: Vec<String>,
}

impl Credential {
    /// Whether it says that a trained model made the image.
    pub fn says_synthetic(&self) -> bool {
        self.source_type.as_deref() == Some(TRAINED_ALGORITHMIC_MEDIA)
    }
}
