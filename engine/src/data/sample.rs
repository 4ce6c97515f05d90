//! One line of the manifest.

use serde::{Deserialize, Serialize};

use crate::terms::{AgeGroup, Sex};

/// Which part of a data set a patient is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen by training.
    Train,
    /// Kept back, to measure what training has learnt.
    Validation,
}

/// A radiograph of a data set: its caption and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// First half of the SHA-256 of its pixels; the frame is `frames/<id>.png`.
    pub id: String,
    /// The sentence that a prompt for this radiograph would be.
    pub caption: String,
    /// Train or validation; the same for every sample of a patient.
    pub split: Split,
    /// Pseudonym of the patient: a keyed hash that only the sources can give back.
    pub patient: String,
    /// Findings by slug.
    pub findings: Vec<String>,
    /// Child or adult.
    pub age_group: Option<AgeGroup>,
    /// Age in years.
    pub age_years: Option<f32>,
    /// The patient's sex.
    pub sex: Option<Sex>,
    /// The code of the view position.
    pub view_position: Option<String>,
    /// Columns of the frame.
    pub width: u32,
    /// Rows of the frame.
    pub height: u32,
    /// The source was marked synthetic.
    #[serde(default)]
    pub synthetic: bool,
    /// SHA-256 of the frame's file.
    pub sha256: String,
    /// SHA-256 of the file of the lung mask, `masks/<id>.png`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_sha256: Option<String>,
}
