//! Who can see the mark.

use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::cosines::MOST;

/// Bytes of the shortest secret that a key is made of.
pub const SHORTEST_SECRET: usize = 16;
/// Bytes of the longest: what is longer is some other file.
const LONGEST_SECRET: usize = 4096;

/// What a mark is made and found with. Keys that are made of the same bytes are the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// Why bytes make no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must have {SHORTEST_SECRET} to {LONGEST_SECRET} bytes, and has {length}")]
pub struct KeyError {
    length: usize,
}

impl Key {
    /// The key that everybody has: who has this program finds its marks, and could also take them away.
    pub fn public() -> Self {
        Self::of("public", &[])
    }

    /// A key of one's own, of the bytes of a secret.
    ///
    /// # Errors
    /// Where they are fewer than [`SHORTEST_SECRET`], or more than a secret has.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if (SHORTEST_SECRET..=LONGEST_SECRET).contains(&secret.len()) {
            Ok(Self::of("secret", secret))
        } else {
            Err(KeyError { length: secret.len() })
        }
    }

    /// What tells keys apart and gives none away: eight bytes, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        let digest =
            Sha256::new().chain_update("Skiagraph watermark, fingerprint: ").chain_update(self.0);
        hex::encode(&digest.finalize()[..8])
    }

    /// +1 or -1 for every cosine, whether it is in the band of an image or not: the same for every size.
    pub(super) fn signs(&self) -> Vec<f64> {
        let mut random = ChaCha8Rng::from_seed(self.0);
        (0..MOST * MOST)
            .map(|_| if random.random::<u32>() >> 31 == 0 { 1.0 } else { -1.0 })
            .collect()
    }

    fn of(kind: &str, secret: &[u8]) -> Self {
        let digest = Sha256::new().chain_update("Skiagraph watermark, ").chain_update(kind);
        Self(digest.chain_update(": ").chain_update(secret).finalize().into())
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::public()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.fingerprint()).finish()
    }
}
