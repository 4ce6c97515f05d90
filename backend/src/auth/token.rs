//! Access tokens: JWT (RFC 7519) signed with HMAC-SHA-256 (RFC 7518) by this installation's key.
//! Refresh tokens: random, kept as hashes.

use chrono::Utc;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who makes the tokens, and for whom.
const ISSUER: &str = "skiagraph";
const AUDIENCE: &str = "skiagraph-api";
/// Bytes of a refresh token.
const REFRESH_LENGTH: usize = 32;

/// A token cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be made: {0}")]
pub struct TokenError(String);

/// What an access token says. Roles are not in it: they are looked up, and so end at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// The session: a family of refresh tokens.
    pub sid: String,
    /// Who made it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// When, in seconds since 1970.
    pub iat: i64,
    /// Until when.
    pub exp: i64,
}

/// Makes and reads access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    seconds: u32,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens under this key, good for so many seconds.
    pub fn new(key: &[u8], seconds: u32) -> Self {
        // The algorithm is ours to say, not the token's (RFC 8725, section 3.1).
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            seconds,
        }
    }

    /// Seconds that a token is good for.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// An access token.
    pub fn issue(&self, user_id: &str, session: &str) -> Result<String, TokenError> {
        let now = Utc::now().timestamp();
        let claims = Claims {
            sub: user_id.to_owned(),
            sid: session.to_owned(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            exp: now + i64::from(self.seconds),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| TokenError(error.to_string()))
    }

    /// What a token says, or what is wrong with it.
    pub fn read(&self, token: &str) -> Result<Claims, &'static str> {
        let read = decode::<Claims>(token, &self.decoding, &self.validation);
        read.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => "the access token has expired",
            ErrorKind::InvalidSignature => "the access token's signature is not ours",
            ErrorKind::InvalidAlgorithm
            | ErrorKind::InvalidAlgorithmName
            | ErrorKind::UnsupportedAlgorithm
            | ErrorKind::MissingAlgorithm => "the access token's algorithm is not HS256",
            ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => {
                "the access token is not for this platform"
            }
            // The type is open; a token is refused for whatever else as well.
            _ => "the access token cannot be read",
        })
    }
}

/// A new refresh token.
pub(super) fn new_refresh_token() -> Result<String, TokenError> {
    let mut bytes = [0; REFRESH_LENGTH];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| TokenError(error.to_string()))?;
    Ok(hex::encode(bytes))
}

/// The form in which a refresh token is kept. It is random, so one hash is enough.
pub(super) fn refresh_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
