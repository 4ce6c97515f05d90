//! Passwords: Argon2id, in threads of their own, a few at a time.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Hashes that are computed at once: each takes 19 MiB, and a flood of logins must not take all.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Stands in for the hash of a user that there is not, so that their login takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| compute("nobody's password").ok());

/// A password cannot be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash function failed.
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    /// The thread that hashed died.
    #[error("hashing a password was cut short")]
    Thread,
    /// There is no randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// Argon2id hash of a password, as a PHC string with its own salt.
pub async fn hash_password(password: String) -> Result<String, PasswordError> {
    let _turn = TURNS.acquire().await.map_err(|_| PasswordError::Thread)?;
    spawn_blocking(move || compute(&password)).await.map_err(|_| PasswordError::Thread)?
}

/// Whether the password is that of the hash; takes as long, and says no, where there is no hash.
pub async fn verify_password(
    password: String,
    hash: Option<String>,
) -> Result<bool, PasswordError> {
    let _turn = TURNS.acquire().await.map_err(|_| PasswordError::Thread)?;
    spawn_blocking(move || {
        let known = hash.is_some();
        let Some(hash) = hash.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let hash = PasswordHash::new(&hash).map_err(|e| PasswordError::Hash(e.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known)
    })
    .await
    .map_err(|_| PasswordError::Thread)?
}

fn compute(password: &str) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| PasswordError::Hash(error.to_string()))?.to_string())
}

/// A random password to be used once and read aloud: four groups of five letters and digits
/// without those that look alike; 98 bits.
pub fn one_time_password() -> Result<String, PasswordError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 20];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| PasswordError::Random(error.to_string()))?;
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}
