//! The network side of DICOM (PS3.7, PS3.8): objects to an archive and from one, with or without TLS.
//!
//! [`echo`] and [`send`] are the service class user of Verification and Storage, [`Provider`] is their
//! provider. Both block: whoever serves other work beside runs them on threads of their own. Nothing
//! here decides what may leave or come in, but for one rule that no caller can pass by: a synthetic
//! object goes to nobody who is not said to take synthetic objects. [`admit`] is that rule; whoever
//! sends by other means (STOW-RS) asks it too.

mod association;
mod command;
mod part10;
mod provider;
mod serve;
mod tls;
mod user;

pub use part10::Identity;
pub use provider::{Caller, Incoming, Provider, ProviderOptions, Receive};
pub use tls::{PeerTls, Pem, ProviderTls, check_authorities};
pub use user::{Outcome, Peer, admit, echo, send};

use super::DicomError;
use super::pixels::innermost;

/// Verification SOP Class (PS3.4 annex A).
const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Largest P-DATA-TF that is taken where nobody says otherwise.
pub const USUAL_PDU: u32 = 128 << 10;
/// Sizes of a P-DATA-TF that may be set: below, every object would be crumbs; above, a peer may ask for
/// memory before it has shown anything.
pub const PDU_BYTES: std::ops::RangeInclusive<u32> = 16 << 10..=1 << 20;

/// What became of a request, as a status of PS3.7 annex C and PS3.4 B.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const SUCCESS: Self = Self(0x0000);
    /// Kept, with data elements changed: identifiers were taken out.
    pub const COERCED: Self = Self(0xB000);
    /// The peer may not.
    pub const NOT_AUTHORIZED: Self = Self(0x0124);
    /// There is no room, or the object is larger than allowed.
    pub const OUT_OF_RESOURCES: Self = Self(0xA700);
    /// The object is not of the class that was agreed upon.
    pub const CLASS_MISMATCH: Self = Self(0xA900);
    /// The object cannot be read, or not be kept.
    pub const CANNOT_UNDERSTAND: Self = Self(0xC000);
    /// The request is of a kind that is not served.
    const UNRECOGNIZED: Self = Self(0x0211);

    /// Whether the object was kept: with success, or with a warning.
    pub const fn is_kept(self) -> bool {
        self.0 == 0 || self.0 >> 12 == 0xB
    }

    /// What it means, in the words of the standard: statuses of C-STORE (PS3.7 annex C, PS3.4 B.2.3),
    /// and the reasons of a failure or a warning of STOW-RS (PS3.18 annex I.2), which are among them.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            0x0000 => "success",
            0x0110 => "processing failure",
            0x0111 => "duplicate SOP instance",
            0x0112 => "no such SOP instance",
            0x0117 => "invalid SOP instance",
            0x0118 => "no such SOP class",
            0x0119 => "class and instance conflict",
            0x0122 => "SOP class not supported",
            0x0124 => "not authorized",
            0x0210 => "duplicate invocation",
            0x0211 => "unrecognized operation",
            0x0212 => "mistyped argument",
            0x0213 => "resource limitation",
            0xA700..=0xA7FF => "out of resources",
            0xA900..=0xA9FF | 0xB007 => "data set does not match its SOP class",
            0xB000 => "coercion of data elements",
            0xB006 => "elements discarded",
            0xB001..=0xB005 | 0xB008..=0xBFFF => "warning",
            0xC122 => "transfer syntax not supported",
            0xC000..=0xC121 | 0xC123..=0xCFFF => "cannot be understood",
            _ => "a reason of the archive's own",
        }
    }
}

impl std::fmt::Display for Status {
    /// As standards and logs write it, with its meaning: `A700 (out of resources)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04X} ({})", self.0, self.meaning())
    }
}

/// An association or a message on it failed. No value of an attribute stands in it.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// A setting cannot be used.
    #[error("{field}: {cause}")]
    Option {
        /// Which.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// No association came about: nobody answers, or the peer does not want it.
    #[error("no association with {peer}: {cause}")]
    Association {
        /// The peer's address.
        peer: String,
        /// Why.
        cause: String,
    },
    /// The association broke, or the peer said what it must not say.
    #[error("the association with {peer} broke: {cause}")]
    Broken {
        /// The peer's address.
        peer: String,
        /// Why.
        cause: String,
    },
    /// The peer answered a request with a failure.
    #[error("{peer} answered with status {}", Status(*status))]
    Refused {
        /// The peer's address.
        peer: String,
        /// The status.
        status: u16,
    },
    /// A synthetic object for a peer that is not said to take any.
    #[error("object {number} is synthetic, and {peer} is not said to take synthetic objects")]
    Synthetic {
        /// Which object, from 1.
        number: usize,
        /// The peer's address.
        peer: String,
    },
    /// An object that cannot be sent.
    #[error("object {number}: {source}")]
    Object {
        /// Which object, from 1.
        number: usize,
        /// What is wrong with it.
        source: DicomError,
    },
    /// Nobody wants it any more.
    #[error("cancelled")]
    Cancelled,
    /// Below DICOM something failed.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}

/// What an error of the library says, from its outermost words to its cause.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let (outer, inner) = (error.to_string(), innermost(error));
    if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") }
}

/// An Application Entity title: up to 16 characters without a backslash and control characters, of which
/// one at least is no space (PS3.5 6.2).
///
/// # Errors
/// [`ExchangeError::Option`] names `field`.
pub fn check_ae_title(field: &'static str, title: &str) -> Result<(), ExchangeError> {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\' || c == ' ';
    if (1..=16).contains(&title.len()) && title.chars().all(plain) && !title.trim().is_empty() {
        return Ok(());
    }
    let cause = "must have 1 to 16 ASCII characters without a backslash".to_owned();
    Err(ExchangeError::Option { field, cause })
}
