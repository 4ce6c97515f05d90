//! The options of the Basic Profile (PS3.15 E.3), and a choice of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Edition;

/// An option of the Basic Profile; its code is of CID 7050.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileOption {
    /// E.3.1: what is burned into the pixels is blanked.
    CleanPixelData,
    /// E.3.2: no face can be recognised.
    CleanRecognizableVisualFeatures,
    /// E.3.3: graphics stay without their texts.
    CleanGraphics,
    /// E.3.4: structured content stays without texts and names.
    CleanStructuredContent,
    /// E.3.5: descriptions stay, in words that identify nobody.
    CleanDescriptors,
    /// E.3.6: dates stay as they are.
    RetainFullDates,
    /// E.3.6: dates stay, all of a patient's moved by the same span.
    RetainModifiedDates,
    /// E.3.7: age, sex, size and weight stay.
    RetainPatientCharacteristics,
    /// E.3.8: which device it was stays.
    RetainDeviceIdentity,
    /// E.3.9: UIDs stay.
    RetainUids,
    /// E.3.10: private attributes that are known to be safe stay.
    RetainSafePrivate,
    /// E.3.11: which institution it was stays.
    RetainInstitutionIdentity,
}

use ProfileOption as P;

/// Every option with its code, its name on a command line, and its meaning (CID 7050).
const ALL: [(ProfileOption, &str, &str, &str); 12] = [
    (P::CleanPixelData, "113101", "clean-pixel-data", "Clean Pixel Data Option"),
    (
        P::CleanRecognizableVisualFeatures,
        "113102",
        "clean-recognizable-visual-features",
        "Clean Recognizable Visual Features Option",
    ),
    (P::CleanGraphics, "113103", "clean-graphics", "Clean Graphics Option"),
    (
        P::CleanStructuredContent,
        "113104",
        "clean-structured-content",
        "Clean Structured Content Option",
    ),
    (P::CleanDescriptors, "113105", "clean-descriptors", "Clean Descriptors Option"),
    (
        P::RetainFullDates,
        "113106",
        "retain-full-dates",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    (
        P::RetainModifiedDates,
        "113107",
        "retain-modified-dates",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    (
        P::RetainPatientCharacteristics,
        "113108",
        "retain-patient-characteristics",
        "Retain Patient Characteristics Option",
    ),
    (P::RetainDeviceIdentity, "113109", "retain-device-identity", "Retain Device Identity Option"),
    (P::RetainUids, "113110", "retain-uids", "Retain UIDs Option"),
    (P::RetainSafePrivate, "113111", "retain-safe-private", "Retain Safe Private Option"),
    (
        P::RetainInstitutionIdentity,
        "113112",
        "retain-institution-identity",
        "Retain Institution Identity Option",
    ),
];

impl ProfileOption {
    /// Every option, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|(option, ..)| *option)
    }

    fn entry(self) -> (&'static str, &'static str, &'static str) {
        ALL.iter()
            .find(|(option, ..)| *option == self)
            .map_or(("", "", ""), |(_, code, name, meaning)| (code, name, meaning))
    }

    /// The code of CID 7050.
    pub fn code(self) -> &'static str {
        self.entry().0
    }

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The code's meaning.
    pub fn meaning(self) -> &'static str {
        self.entry().2
    }

    /// An option by its name or its code.
    pub fn parse(text: &str) -> Option<Self> {
        ALL.iter()
            .find(|(_, code, name, _)| [*code, *name].contains(&text))
            .map(|(option, ..)| *option)
    }
}

/// The Basic Profile of an edition, with options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    edition: Edition,
    options: BTreeSet<ProfileOption>,
}

/// Options that cannot be chosen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("options: {} and {} exclude each other", .0.name(), .1.name())]
pub struct PolicyError(ProfileOption, ProfileOption);

impl Policy {
    /// The Basic Profile with these options.
    ///
    /// # Errors
    /// Where dates are to be both kept and moved.
    pub fn new(
        edition: Edition,
        options: impl IntoIterator<Item = ProfileOption>,
    ) -> Result<Self, PolicyError> {
        let options: BTreeSet<_> = options.into_iter().collect();
        if options.contains(&P::RetainFullDates) && options.contains(&P::RetainModifiedDates) {
            return Err(PolicyError(P::RetainFullDates, P::RetainModifiedDates));
        }
        Ok(Self { edition, options })
    }

    /// The edition whose table counts.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Whether an option is chosen.
    pub fn has(&self, option: ProfileOption) -> bool {
        self.options.contains(&option)
    }

    /// The chosen options, in the order of their codes.
    pub fn options(&self) -> impl Iterator<Item = ProfileOption> {
        self.options.iter().copied()
    }

    /// Longitudinal Temporal Information Modified (0028,0303) under this policy.
    pub fn temporal_information(&self) -> &'static str {
        if self.has(P::RetainFullDates) {
            "UNMODIFIED"
        } else if self.has(P::RetainModifiedDates) {
            "MODIFIED"
        } else {
            "REMOVED"
        }
    }
}
