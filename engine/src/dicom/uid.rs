//! Unique identifiers under the root 2.25, which needs no registration (PS3.5 B.2).

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A new UID that nobody has.
pub(super) fn fresh() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

/// The UID of a content: the same parts give the same UID, on every machine and in every year.
pub(super) fn derived(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // UUID version 8 is the one for values of one's own making (RFC 9562 5.8).
    let uuid = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    format!("2.25.{}", uuid.as_u128())
}

/// Whether a text is a UID: numbers joined by dots, at most 64 characters (PS3.5 9.1). A leading zero,
/// which the standard forbids and some archives have, is let pass: it does no harm.
pub fn is_valid(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=64).contains(&text.len()) && text.split('.').all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_uids_are_stable_and_apart() {
        assert_eq!(derived(&[b"ab", b"c"]), derived(&[b"ab", b"c"]));
        assert_ne!(derived(&[b"ab", b"c"]), derived(&[b"a", b"bc"]));
        assert_ne!(fresh(), fresh());
        assert!(fresh().len() <= 64);
    }

    #[test]
    fn a_uid_is_numbers_and_dots() {
        for good in ["1.2.840.10008.1.1", "2.25.0", &"1".repeat(64)] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", ".", "1.", "1..2", "1.2.x", "1.2\\3", &"1".repeat(65)] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
