//! Content credentials: what a signer says of a PNG, bound to its bytes (C2PA 2.2, Content Credentials).
//!
//! The credential of an image of ours says that it was created (`c2pa.created`) by a trained model
//! (`trainedAlgorithmicMedia`, IPTC's word), and holds the same description as the file's own text:
//! model, prompt, seed. Unlike that text it cannot be changed, or moved to another image, without being found
//! out; it can be taken away.
//!
//! This room alone names the library that writes and reads them. It is built without a way to the network: nothing
//! is fetched, whatever a file refers to.

mod chain;
mod error;
mod read;
mod sign;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::dicom::TRAINED_ALGORITHMIC_MEDIA;

pub use chain::Chain;
pub use error::CredentialError;
pub use read::{check_anchors, read};
pub use sign::Signer;

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
