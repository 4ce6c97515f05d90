//! Data sets on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skiagraph_engine::data::Split;
use skiagraph_engine::dicom::{AgeGroup, Sex};
use utoipa::ToSchema;

use super::checks::Checks;
use super::{limits, shapes};
use crate::error::FieldError;
use crate::models::state::{Progress, State};

/// A data set to build.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDataset {
    /// Its name, 1 to 120 characters.
    pub name: String,
    /// The uploads whose radiographs it takes.
    pub upload_ids: Vec<String>,
    /// Share of patients kept for validation, above 0 and up to 0.9.
    #[serde(default = "default_validation_fraction")]
    #[schema(default = 0.1)]
    pub validation_fraction: f32,
    /// Seed of the split.
    #[serde(default)]
    pub seed: i64,
    /// Under which licence the radiographs may be used.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
}

const fn default_validation_fraction() -> f32 {
    0.1
}

impl NewDataset {
    /// Trims the texts and checks every field.
    pub fn checked(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.name = checks.text("name", &self.name, &limits::NAME);
        self.licence = checks.text("licence", &self.licence, &limits::CREDIT);
        self.attribution = checks.text("attribution", &self.attribution, &limits::CREDIT);
        checks.positive("validation_fraction", self.validation_fraction, limits::MOST_VALIDATION);
        checks.seed("seed", self.seed);
        self.upload_ids.sort_unstable();
        self.upload_ids.dedup();
        if !limits::UPLOADS.contains(&self.upload_ids.len()) {
            let (least, most) = (limits::UPLOADS.start(), limits::UPLOADS.end());
            checks.fault("upload_ids", format!("must name {least} to {most} uploads"));
        }
        checks.finish(self)
    }
}

/// A data set.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetView {
    /// Identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The user who asked for it.
    pub created_by: String,
    /// Where the building stands.
    pub state: State,
    /// Radiographs read, of all.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// The uploads it is built from.
    pub upload_ids: Vec<String>,
    /// What the data set says of itself, once it is built.
    #[schema(value_type = Option<shapes::DatasetCard>)]
    pub card: Option<serde_json::Value>,
    /// Samples by split, once it is built.
    pub counts: Option<SplitCounts>,
}

/// Counts by split.
#[derive(Debug, Serialize, ToSchema)]
pub struct SplitCounts {
    /// Images to train on.
    pub train: u64,
    /// Images of held-out patients.
    pub validation: u64,
    /// Patients to train on.
    pub train_patients: u64,
    /// Held-out patients.
    pub validation_patients: u64,
}

impl SplitCounts {
    /// Reads the counts from a data set's card.
    pub fn from_card(card: &serde_json::Value) -> Option<Self> {
        let count = |kind: &str, split: &str| card.get(kind)?.get(split)?.as_u64();
        Some(Self {
            train: count("samples", "train")?,
            validation: count("samples", "validation")?,
            train_patients: count("patients", "train")?,
            validation_patients: count("patients", "validation")?,
        })
    }
}

/// An image of a data set.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleView {
    /// Identifier within the data set.
    pub id: String,
    /// The sentence that the model learns it by.
    pub caption: String,
    /// Whether it is trained on or held out.
    #[schema(value_type = shapes::Split)]
    pub split: Split,
    /// The patient's pseudonym within this data set.
    pub patient: String,
    /// Findings.
    pub findings: Vec<String>,
    /// Age group.
    #[schema(value_type = Option<shapes::AgeGroup>)]
    pub age_group: Option<AgeGroup>,
    /// Age in years.
    pub age_years: Option<f32>,
    /// Sex.
    #[schema(value_type = Option<shapes::Sex>)]
    pub sex: Option<Sex>,
    /// View position.
    pub view_position: Option<String>,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// SHA-256 of the frame's file.
    pub sha256: String,
}
