//! The card: what a data set is, what it may be used for, and what it counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Sample, Split};
use crate::terms::AgeGroup;

/// The edition of the folder's layout; another edition does not open.
pub const FORMAT: u32 = 1;

/// Samples by split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// In training.
    pub train: u64,
    /// In validation.
    pub validation: u64,
}

impl Counts {
    fn add(&mut self, split: Split) {
        match split {
            Split::Train => self.train += 1,
            Split::Validation => self.validation += 1,
        }
    }

    fn is_zero(&self) -> bool {
        self.total() == 0
    }

    /// Both splits together.
    pub fn total(self) -> u64 {
        self.train + self.validation
    }
}

/// `card.json`: a data set does not open without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Edition of the layout, [`FORMAT`].
    pub format: u32,
    /// The data set's name.
    pub name: String,
    /// Under which licence the sources may be used.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
    /// When it was built.
    pub created: DateTime<Utc>,
    /// The engine that built it.
    pub engine_version: String,
    /// Some samples are synthetic.
    pub synthetic: bool,
    /// Share of patients that was to be kept for validation.
    pub validation_fraction: f32,
    /// The seed of the split.
    pub seed: u64,
    /// SHA-256 over the SHA-256 of every source, in their order.
    pub sources_sha256: String,
    /// Files taken as sources.
    pub sources: u64,
    /// Sources left out because another has exactly the same pixels.
    pub duplicates_dropped: u64,
    /// Files in the folders that are not DICOM.
    pub other_files_ignored: u64,
    /// Samples by split.
    pub samples: Counts,
    /// Patients by split.
    pub patients: Counts,
    /// Samples by finding and split; a sample with two findings counts in both.
    pub findings: BTreeMap<String, Counts>,
    /// Samples by age group and split; `unknown` where there is none.
    pub age_groups: BTreeMap<String, Counts>,
    /// Samples by sex and split.
    pub sexes: BTreeMap<String, Counts>,
    /// Samples by view position and split.
    pub view_positions: BTreeMap<String, Counts>,
    /// Samples with a lung mask by split.
    #[serde(default, skip_serializing_if = "Counts::is_zero")]
    pub masks: Counts,
}

impl Card {
    /// Fills every count from the samples.
    pub(super) fn count(&mut self, samples: &[Sample]) {
        let or_unknown = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
        let mut patients = BTreeMap::new();
        self.samples = Counts::default();
        self.masks = Counts::default();
        for sample in samples {
            self.samples.add(sample.split);
            patients.insert(&sample.patient, sample.split);
            for finding in &sample.findings {
                self.findings.entry(finding.clone()).or_default().add(sample.split);
            }
            let age_group = or_unknown(sample.age_group.map(AgeGroup::word));
            self.age_groups.entry(age_group).or_default().add(sample.split);
            let sex = or_unknown(sample.sex.map(|sex| sex.word().unwrap_or("other")));
            self.sexes.entry(sex).or_default().add(sample.split);
            let view = or_unknown(sample.view_position.as_deref());
            self.view_positions.entry(view).or_default().add(sample.split);
            self.synthetic |= sample.synthetic;
            if sample.mask_sha256.is_some() {
                self.masks.add(sample.split);
            }
        }
        self.patients = Counts::default();
        for split in patients.into_values() {
            self.patients.add(split);
        }
    }
}
