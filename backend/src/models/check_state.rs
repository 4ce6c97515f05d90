//! Where a radiograph stands after quality control.

use serde::{Deserialize, Serialize};
use skiagraph_engine::quality::Doubt;
use utoipa::ToSchema;

/// Where a radiograph stands after quality control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing speaks against it.
    Clear,
    /// Something does, and nobody has decided.
    Pending,
    /// Somebody looked, and takes it.
    Accepted,
    /// Somebody looked, and leaves it out of data sets.
    Excluded,
}

impl CheckState {
    /// Of a radiograph that comes in with these doubts.
    pub fn of(doubts: &[Doubt]) -> Self {
        if doubts.is_empty() { Self::Clear } else { Self::Pending }
    }

    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Excluded => "excluded",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Clear, Self::Pending, Self::Accepted, Self::Excluded]
            .into_iter()
            .find(|state| state.word() == word)
    }
}
