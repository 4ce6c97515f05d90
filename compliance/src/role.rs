//! Roles: what a user of the platform may be. A user has a set of them.

use serde::{Deserialize, Serialize};

/// What a user may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for synthetic radiographs and judges them.
    Clinician,
    /// Brings radiographs in, builds data sets, trains adapters.
    MlEngineer,
    /// Reads and exports the audit log; changes nothing.
    Auditor,
    /// Manages users; sees no radiograph by this role alone.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Clinician, Self::MlEngineer, Self::Auditor, Self::Admin];

    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::MlEngineer => "ml_engineer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.word()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert_eq!(Role::parse("root"), None);
    }
}
