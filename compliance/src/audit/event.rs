//! An event of the audit log.

use serde::{Deserialize, Serialize};

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done. DICOM Event Outcome Indicator 0.
    Success,
    /// It was not allowed. DICOM Event Outcome Indicator 4, minor failure.
    Refused,
    /// It was tried and did not come off. DICOM Event Outcome Indicator 8, serious failure.
    Failure,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Refused, Self::Failure];

    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failure => "failure",
        }
    }

    /// Event Outcome Indicator of PS3.15 A.5.
    pub const fn indicator(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 4,
            Self::Failure => 8,
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// A row of the audit log. Every column but `hash` is under the hash, letter by letter: a time is
/// the text that was stored, and `detail` is the JSON text that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1, without gaps.
    pub sequence: i64,
    /// When it was written: RFC 3339 in UTC with six decimals, so that text order is time order.
    pub recorded_at: String,
    /// Who acted, where that is known.
    pub actor_id: Option<String>,
    /// The name that was given.
    pub actor_name: String,
    /// The actor's roles, joined by commas.
    pub actor_roles: String,
    /// Word of the [`super::Action`].
    pub action: String,
    /// What it was done to: `user`, `upload`, `image` …
    pub object_type: String,
    /// Identifier of the object; none for a list.
    pub object_id: Option<String>,
    /// Word of the [`Outcome`].
    pub outcome: String,
    /// JSON text, without patient data.
    pub detail: String,
    /// The client's network address.
    pub source_address: Option<String>,
    /// Hash of the row before; [`super::GENESIS`] for the first.
    pub previous_hash: String,
    /// Hash of this row, 64 lower-case hexadecimal digits.
    pub hash: String,
}
