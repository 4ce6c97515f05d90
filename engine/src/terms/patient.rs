//! Who was imaged, as coarsely as prompts speak of it.

use serde::{Deserialize, Serialize};

/// Patient's sex as DICOM codes it (0010,0040).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// `F`
    Female,
    /// `M`
    Male,
    /// `O`
    Other,
}

impl Sex {
    /// The code of Patient's Sex (0010,0040).
    pub fn code(self) -> &'static str {
        match self {
            Self::Female => "F",
            Self::Male => "M",
            Self::Other => "O",
        }
    }

    /// Reads a code of Patient's Sex, or the word in full; case does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "f" | "female" => Some(Self::Female),
            "m" | "male" => Some(Self::Male),
            "o" | "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// The word in a caption. `Other` says nothing about a radiograph, so it has none.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Female => Some("female"),
            Self::Male => Some("male"),
            Self::Other => None,
        }
    }
}

/// The age groups that prompts and captions speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeGroup {
    /// Under 18 years.
    Child,
    /// 18 years and over.
    Adult,
}

impl AgeGroup {
    /// The group of an age in years.
    pub fn of_years(years: f32) -> Self {
        if years < 18.0 { Self::Child } else { Self::Adult }
    }

    /// The word in a caption.
    pub fn word(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Adult => "adult",
        }
    }

    /// Reads the word; case does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "child" => Some(Self::Child),
            "adult" => Some(Self::Adult),
            _ => None,
        }
    }
}
