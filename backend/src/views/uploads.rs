//! Uploads and their radiographs on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skiagraph_engine::quality::Doubt;
use utoipa::{IntoParams, ToSchema};

use super::checks::Checks;
use super::shapes;
use crate::error::FieldError;
use crate::models::check_state::CheckState;

/// What a person decides about a radiograph that something speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is taken into data sets.
    Accept,
    /// It is left out of data sets; it stays stored.
    Exclude,
}

impl Decision {
    /// The word on the wire and in the audit log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Exclude => "exclude",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Accept, Self::Exclude].into_iter().find(|decision| decision.word() == word)
    }

    /// What it makes of the radiograph.
    pub const fn check_state(self) -> CheckState {
        match self {
            Self::Accept => CheckState::Accepted,
            Self::Exclude => CheckState::Excluded,
        }
    }
}

/// A decision about one radiograph, or about all of an upload that wait for one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// `accept` or `exclude`.
    #[schema(value_type = Decision)]
    pub decision: String,
}

impl NewDecision {
    /// The decision.
    ///
    /// # Errors
    /// Where the word is neither.
    pub fn checked(&self) -> Result<Decision, Vec<FieldError>> {
        let mut checks = Checks::new();
        let decision = Decision::parse(&self.decision);
        checks.holds(decision.is_some(), "decision", "must be `accept` or `exclude`");
        // Where there is none there is a fault, and the stand-in is never seen.
        checks.finish(decision.unwrap_or(Decision::Exclude))
    }
}

/// How many radiographs a decision was about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    /// Those that waited for it.
    pub count: u64,
}

/// A set of radiographs that came in one request.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadView {
    /// Identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// The user who sent it.
    pub created_by: String,
    /// How many different radiographs it holds.
    pub radiograph_count: u64,
    /// How many of them wait for a person's decision.
    pub pending_count: u64,
}

/// The form of an upload; the files may be DICOM files, a folder's files, or ZIPs of them.
#[derive(Debug, ToSchema)]
pub struct UploadForm {
    /// A name for the upload, at most 120 characters.
    pub name: Option<String>,
    /// DICOM files and ZIPs; the part is repeated. 2 GB in all.
    #[schema(value_type = Vec<String>, format = Binary)]
    pub files: Vec<Vec<u8>>,
}

/// A radiograph as the platform stored it. Of the patient it shows what training needs: a
/// pseudonym, age, sex.
#[derive(Debug, Serialize, ToSchema)]
pub struct RadiographView {
    /// Identifier.
    pub id: String,
    /// The upload that it came in.
    pub upload_id: String,
    /// SHA-256 of the DICOM file, hexadecimal.
    pub sha256: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// A keyed hash of the patient's identifier: one patient has one pseudonym.
    pub patient_pseudonym: String,
    /// Modality (0008,0060).
    pub modality: String,
    /// View Position (0018,5101).
    pub view_position: Option<String>,
    /// Laterality (0020,0062).
    pub laterality: Option<String>,
    /// Age in years.
    pub age_years: Option<f32>,
    /// Sex.
    #[schema(value_type = Option<shapes::Sex>)]
    pub sex: Option<String>,
    /// Findings by the names of the vocabulary.
    pub findings: Vec<String>,
    /// Rows of the image.
    pub rows: u32,
    /// Columns of the image.
    pub columns: u32,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// Synthetic Data (0008,001C) is YES; never so in an upload.
    pub synthetic: bool,
    /// What speaks against it, worst first.
    #[schema(value_type = Vec<shapes::Doubt>)]
    pub doubts: Vec<Doubt>,
    /// Where it stands after quality control.
    pub check_state: CheckState,
    /// The user who decided.
    pub decided_by: Option<String>,
    /// When that was.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Which radiographs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RadiographFilter {
    /// Only those of this upload.
    pub upload_id: Option<String>,
    /// Only those that stand so: `clear`, `pending`, `accepted` or `excluded`.
    pub check_state: Option<String>,
}

/// A linear window, on the image's scale from 0 (black) to 1 (white).
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Window {
    /// Its centre, between -1 and 2.
    pub center: Option<f32>,
    /// Its width, above 0 and up to 4.
    pub width: Option<f32>,
}
