//! What a classifier is asked of a radiograph.

use std::fmt;

/// One question with yes or no for an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Whether it shows the finding of this slug.
    Finding(String),
    /// Whether the patient is an adult, and no child.
    Adult,
    /// Whether the patient is female, and not male.
    Female,
    /// Whether it was taken in the view position of this code.
    View(String),
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finding(slug) => formatter.write_str(slug),
            Self::Adult => formatter.write_str("adult"),
            Self::Female => formatter.write_str("female"),
            Self::View(code) => write!(formatter, "view_{code}"),
        }
    }
}
