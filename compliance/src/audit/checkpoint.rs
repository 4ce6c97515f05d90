//! Signatures over the log: a row in which the platform signs every row before it.
//!
//! A checkpoint is a row like any other (action `checkpoint`), so every export carries it and the
//! chain goes through it. Its detail holds a signature by Ed25519 (RFC 8032) over a statement of the
//! row's own columns: the number and the hash of the row before, which stand for the whole log up to
//! there, and the time. Whoever rewrites a row and makes every hash anew needs the key as well.
//!
//! An export of some rows alone has gaps where the chain cannot be walked. The checkpoint that ends it
//! names the rows that it holds and signs the hash over all of their hashes.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::selection::Selection;
use super::{Action, Event};

/// A row whose number is a multiple of this is a checkpoint.
pub const INTERVAL: i64 = 256;

/// Begins every statement; a new form gets a new number.
const VERSION: &str = "skiagraph-checkpoint-1";

/// The key that signs the log.
#[derive(Debug, Clone)]
pub struct Signer(SigningKey);

/// The key that its signatures are held against; may be given to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text is no public key.
#[derive(Debug, thiserror::Error)]
#[error("the public key is not one of Ed25519 in PEM (BEGIN PUBLIC KEY)")]
pub struct KeyError;

/// What stands in a checkpoint's detail.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    /// The key's [`PublicKey::fingerprint`].
    key: String,
    /// 64 bytes, as lower-case hexadecimal digits.
    signature: String,
    /// The rows of the export that this checkpoint ends, where they are not the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    selection: Option<Selection>,
}

/// What a row says as a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The row is no checkpoint.
    Nothing,
    /// It signs the rows before it, and those of the selection where it ends one.
    Good(Option<Selection>),
    /// It was signed with another key, and says nothing under this one.
    Foreign,
    /// It claims to be signed with this key, and is not.
    Bad,
}

impl Signer {
    /// The key that these 32 secret bytes make.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The key that may be given away.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The detail of the checkpoint that stands after the row of this number and hash.
    pub fn detail(
        &self,
        sequence: i64,
        hash: &str,
        recorded_at: &str,
        selection: Option<Selection>,
    ) -> Map<String, Value> {
        let statement = statement(sequence, hash, recorded_at, selection.as_ref());
        let signature = hex::encode(self.0.sign(statement.as_bytes()).to_bytes());
        let seal = Seal { key: self.public_key().fingerprint(), signature, selection };
        match serde_json::to_value(seal) {
            Ok(Value::Object(members)) => members,
            // A structure of texts and numbers always is an object.
            Ok(_) | Err(_) => Map::new(),
        }
    }
}

impl PublicKey {
    /// Reads the key's PEM (RFC 8410).
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        VerifyingKey::from_public_key_pem(text.trim()).map(Self).map_err(|_| KeyError)
    }

    /// The key as PEM, as `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError)
    }

    /// The first sixteen hexadecimal digits of SHA-256 over the key's 32 bytes.
    pub fn fingerprint(&self) -> String {
        let mut digits = hex::encode(Sha256::digest(self.0.as_bytes()));
        digits.truncate(16);
        digits
    }

    /// What the row says under this key. The row's own hash is not looked at.
    pub fn look(&self, event: &Event) -> Seen {
        if event.action != Action::Checkpoint.word() {
            return Seen::Nothing;
        }
        let Ok(seal) = serde_json::from_str::<Seal>(&event.detail) else { return Seen::Bad };
        if seal.key != self.fingerprint() {
            return Seen::Foreign;
        }
        let before = event.sequence - 1;
        let selection = seal.selection.as_ref();
        let statement = statement(before, &event.previous_hash, &event.recorded_at, selection);
        let mut bytes = [0; Signature::BYTE_SIZE];
        let read = hex::decode_to_slice(&seal.signature, &mut bytes);
        let signature = Signature::from_bytes(&bytes);
        if read.is_ok() && self.0.verify_strict(statement.as_bytes(), &signature).is_ok() {
            Seen::Good(seal.selection)
        } else {
            Seen::Bad
        }
    }
}

/// What is signed: the number, hash and time that the row's own columns hold, and the selection.
fn statement(
    sequence: i64,
    hash: &str,
    recorded_at: &str,
    selection: Option<&Selection>,
) -> String {
    let selection = selection.map_or_else(|| "-".to_owned(), Selection::statement);
    format!(
        "{VERSION}\nsequence {sequence}\nhash {hash}\nrecorded_at {recorded_at}\nselection {selection}\n"
    )
}
