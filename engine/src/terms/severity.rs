//! How severe a finding is.

use serde::{Deserialize, Serialize};

/// The severities that prompts and captions speak of (PS3.16 CID 3716).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Mild.
    Mild,
    /// Moderate.
    Moderate,
    /// Severe.
    Severe,
}

impl Severity {
    /// Every severity, from the least.
    pub const ALL: [Self; 3] = [Self::Mild, Self::Moderate, Self::Severe];

    /// The word in programs and captions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mild => "mild",
            Self::Moderate => "moderate",
            Self::Severe => "severe",
        }
    }

    /// SNOMED CT code and meaning, as PS3.16 CID 3716 has them.
    pub fn snomed(self) -> (&'static str, &'static str) {
        match self {
            Self::Mild => ("255604002", "Mild"),
            Self::Moderate => ("6736007", "Moderate"),
            Self::Severe => ("24484000", "Severe"),
        }
    }

    /// Reads the word; case and surrounding space do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::ALL.into_iter().find(|severity| severity.word().eq_ignore_ascii_case(text))
    }

    /// The severity of a SNOMED CT code.
    pub fn of_code(snomed: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.snomed().0 == snomed)
    }
}

#[cfg(test)]
mod tests {
    use super::Severity;

    #[test]
    fn codes_are_those_of_cid_3716() {
        // From pydicom 3.0's concept dictionary, which is made from PS3.16.
        for (word, code) in
            [("mild", "255604002"), (" Moderate", "6736007"), ("SEVERE", "24484000")]
        {
            let severity = Severity::parse(word);
            assert_eq!(severity.map(|severity| severity.snomed().0), Some(code));
            assert_eq!(Severity::of_code(code), severity);
        }
        assert_eq!(Severity::parse("awful"), None);
        assert_eq!(Severity::of_code("1"), None);
    }
}
