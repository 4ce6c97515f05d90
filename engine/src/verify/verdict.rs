//! What follows from what was found.

use serde::{Deserialize, Serialize};

use super::{CredentialFinding, Report};
use crate::credential::CredentialState;
use crate::watermark::SCHEME;

/// What a file is, as far as can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is synthetic: its pixels bear the mark, or a trusted signer says so, or it was released here.
    Synthetic,
    /// It contradicts itself: the credential is not that of this file, or its pixels do not bear the mark that its
    /// description names.
    Contradicted,
    /// It says that it is synthetic, and neither mark nor trusted signature nor registry confirms it.
    Declared,
    /// Nothing says anything: a radiograph, or an image of a program that leaves no marks.
    Unknown,
}

impl Verdict {
    /// In plain words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Synthetic => "the image is synthetic",
            Self::Contradicted => {
                "the file contradicts itself: it was changed since it was made, or its words belong to another image"
            }
            Self::Declared => {
                "the file says that it is synthetic, and neither a mark nor a trusted signature confirms it"
            }
            Self::Unknown => {
                "nothing says that the image is synthetic: a radiograph, or an image of a program that leaves no marks"
            }
        }
    }
}

impl Report {
    /// What follows; `registered` where a registry of released images knows the file.
    pub fn verdict(&self, registered: bool) -> Verdict {
        let (mut vouched, mut declared, mut broken) = (false, self.said.says_synthetic(), false);
        if let CredentialFinding::Present(credential) = &self.credential {
            match credential.state {
                CredentialState::Trusted => vouched = credential.says_synthetic(),
                CredentialState::Valid => declared |= credential.says_synthetic(),
                CredentialState::Invalid => broken = true,
            }
        }
        if registered || vouched || self.watermark.found {
            Verdict::Synthetic
        } else if broken || self.lacks_its_mark() {
            Verdict::Contradicted
        } else if declared {
            Verdict::Declared
        } else {
            Verdict::Unknown
        }
    }

    /// Whether the description names a mark of a key that was looked for, and the pixels bear none.
    fn lacks_its_mark(&self) -> bool {
        let named =
            self.said.provenance.as_ref().and_then(|said| said.provenance.watermark.as_ref());
        named.is_some_and(|mark| {
            mark.scheme == SCHEME && self.keys.contains(&mark.key) && !self.watermark.found
        })
    }
}
