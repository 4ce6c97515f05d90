//! Uploads and their radiographs on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shapes;

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
}

/// Which radiographs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RadiographFilter {
    /// Only those of this upload.
    pub upload_id: Option<String>,
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
