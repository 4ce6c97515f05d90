//! What can speak against a radiograph.

use serde::{Deserialize, Serialize};

/// The kinds of doubt, those first that make a picture useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// Not of the chest, or nothing like a frontal radiograph of one.
    BodyPart,
    /// Taken from the side.
    Lateral,
    /// Black and white are exchanged.
    Inverted,
    /// Turned by a quarter, a half or three quarters.
    Rotated,
    /// Too dark, too bright, or without contrast.
    Exposure,
    /// Letters may stand in the picture, and of a person.
    BurnedIn,
    /// Nearly the same picture as another.
    Duplicate,
}

impl DoubtKind {
    /// The word that stands for it in files and in the interface.
    pub fn word(self) -> &'static str {
        match self {
            Self::BodyPart => "body_part",
            Self::Lateral => "lateral",
            Self::Inverted => "inverted",
            Self::Rotated => "rotated",
            Self::Exposure => "exposure",
            Self::BurnedIn => "burned_in",
            Self::Duplicate => "duplicate",
        }
    }
}

/// One thing that speaks against a radiograph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// What kind it is.
    pub kind: DoubtKind,
    /// The reason, in a sentence without anything of the patient.
    pub cause: String,
}

impl Doubt {
    pub(super) fn new(kind: DoubtKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into() }
    }
}
