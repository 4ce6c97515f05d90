//! Replacements that are the same for the same value, and that nobody makes or undoes without the key.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes that a key has at least: as many as an identifier is hashed to.
const LEAST_KEY: usize = 16;
/// Days by which a patient's dates are moved at most, some ten years, and at least.
const MOST_DAYS: u64 = 3_650;
const LEAST_DAYS: u64 = 30;

/// Replacements under one key: HMAC-SHA-256 (RFC 2104), a label in front of each kind.
#[derive(Clone)]
pub struct Pseudonyms {
    mac: Hmac<Sha256>,
}

/// A key that is too short to protect anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key: {0} bytes; {LEAST_KEY} are needed at least")]
pub struct KeyError(usize);

impl Pseudonyms {
    /// Replacements under a key.
    ///
    /// # Errors
    /// [`KeyError`] for a key of fewer than sixteen bytes.
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        if key.len() < LEAST_KEY {
            return Err(KeyError(key.len()));
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| KeyError(key.len()))?;
        Ok(Self { mac })
    }

    fn digest(&self, kind: &str, parts: &[&str]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        for part in std::iter::once(&kind).chain(parts) {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// The UID in place of another, under the root 2.25 (PS3.5 B.2): a UUID of version 8, the one for
    /// values of one's own making (RFC 9562 5.8).
    pub fn uid(&self, uid: &str) -> String {
        let digest = self.digest("uid", &[uid]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes[6] = bytes[6] & 0x0F | 0x80;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        format!("2.25.{}", u128::from_be_bytes(bytes))
    }

    /// The identifier in place of a patient's, the same in every object of the patient.
    pub fn patient(&self, patient: &str) -> String {
        self.name("DEID-", "patient", patient)
    }

    /// The name in place of a user's who judged an image: one reader's verdicts stay one reader's.
    pub fn reader(&self, user: &str) -> String {
        self.name("READER-", "reader", user)
    }

    fn name(&self, prefix: &str, kind: &str, of: &str) -> String {
        let mut name = prefix.to_owned();
        for byte in &self.digest(kind, &[of])[..8] {
            // A String takes whatever is written to it.
            let _ = write!(name, "{byte:02X}");
        }
        name
    }

    /// By how many days all dates of a patient are moved into the past.
    pub fn days(&self, patient: &str) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.digest("days", &[patient])[..8]);
        LEAST_DAYS + u64::from_le_bytes(bytes) % (MOST_DAYS - LEAST_DAYS + 1)
    }

    /// A seal over what an object holds: who has the key knows by it that the object was
    /// de-identified under it, and not changed since.
    pub fn seal(&self, contents: &[&str]) -> String {
        let mut seal = String::new();
        for byte in &self.digest("seal", contents)[..16] {
            let _ = write!(seal, "{byte:02x}");
        }
        seal
    }
}
