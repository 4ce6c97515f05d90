//! What a file turned out to be, on the wire.

use chrono::{DateTime, Utc};
use serde::Serialize;
use skiagraph_engine::credential::{Credential, CredentialState};
use skiagraph_engine::verify::{CredentialFinding, Format, Report, Verdict};
use utoipa::ToSchema;

use super::images::ReviewState;
use crate::error::ApiError;
use crate::models::registry::{Kind, Known};

/// The form with the file to look at.
#[derive(Debug, ToSchema)]
pub struct VerifyForm {
    /// One DICOM, PNG or JPEG file, 128 MiB at most.
    #[schema(value_type = Vec<String>, format = Binary)]
    pub files: Vec<Vec<u8>>,
}

/// What follows from what was found.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictWord {
    /// It is synthetic.
    Synthetic,
    /// It contradicts itself: it was changed, or its words belong to another image.
    Contradicted,
    /// It says that it is synthetic, and neither mark nor trusted signature nor registry confirms it.
    Declared,
    /// Nothing says anything.
    Unknown,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatWord {
    /// A DICOM object.
    Dicom,
    /// A PNG.
    Png,
    /// A JPEG.
    Jpeg,
}

/// What a credential is worth.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialWord {
    /// There is none.
    Absent,
    /// This form of file carries none.
    NotRead,
    /// Unchanged since it was signed, by somebody who is trusted.
    Trusted,
    /// Unchanged since it was signed, by somebody for whom nobody vouches.
    Valid,
    /// It does not hold.
    Invalid,
}

/// What a file says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaidView {
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic_data: bool,
    /// IPTC's digital source type in its metadata is that of a trained model.
    pub source_type: bool,
    /// Manufacturer, model and version of the equipment that it says it was synthesized by.
    pub equipment: Option<String>,
    /// The model that made it, as our own files say.
    pub model: Option<String>,
    /// The sentence that the model was given, as our own files say.
    pub prompt: Option<String>,
    /// The seed of its noise, as our own files say.
    pub seed: Option<u64>,
}

/// Who vouches for what a file says.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    /// What it is worth.
    pub state: CredentialWord,
    /// The signer's organisation.
    pub signer: Option<String>,
    /// The certificate's common name.
    pub common_name: Option<String>,
    /// The certificate's serial number.
    pub serial_number: Option<String>,
    /// What is wrong with it, by the codes of C2PA.
    pub faults: Vec<String>,
}

/// The mark in the pixels.
#[derive(Debug, Serialize, ToSchema)]
pub struct WatermarkView {
    /// Whether there is one.
    pub found: bool,
    /// How far the image agrees with the key, in standard deviations.
    pub score: f64,
    /// The score from which on it is a mark.
    pub threshold: f64,
    /// The largest probability of such a score without a mark.
    pub false_alarm: f64,
    /// Fingerprint of the key, hexadecimal.
    pub key: String,
}

/// By what a file was known again.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The file is the same.
    File,
    /// The pixels are the same.
    Pixels,
    /// SOP Instance UID (0008,0018), which can be written into any file.
    SopInstanceUid,
}

/// An image that this platform made.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownView {
    /// Its identifier.
    pub image_id: String,
    /// Where it stands on its way out.
    pub review_state: ReviewState,
    /// When it was finished.
    pub created_at: DateTime<Utc>,
    /// By what it was known again.
    pub by: Vec<KnownBy>,
}

/// What a file turned out to be.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationView {
    /// What follows.
    pub verdict: VerdictWord,
    /// The file's form.
    pub format: FormatWord,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// What it says of itself.
    pub said: SaidView,
    /// Who vouches for that.
    pub credential: CredentialView,
    /// The mark in its pixels.
    pub watermark: WatermarkView,
    /// The platform's own image that it is; none where the platform did not make it.
    pub registry: Option<KnownView>,
}

impl VerificationView {
    /// The report as it goes out.
    ///
    /// # Errors
    /// Where a record holds a word that is not known.
    pub fn new(report: Report, verdict: Verdict, known: Option<Known>) -> Result<Self, ApiError> {
        let verdict = match verdict {
            Verdict::Synthetic => VerdictWord::Synthetic,
            Verdict::Contradicted => VerdictWord::Contradicted,
            Verdict::Declared => VerdictWord::Declared,
            Verdict::Unknown => VerdictWord::Unknown,
        };
        let format = match report.format {
            Format::Dicom => FormatWord::Dicom,
            Format::Png => FormatWord::Png,
            Format::Jpeg => FormatWord::Jpeg,
        };
        let said = report.said;
        let equipment = said.equipment.map(|equipment| {
            let named = [equipment.manufacturer, equipment.model, equipment.version];
            named.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let made = said.provenance.as_ref();
        let mark = report.watermark;
        Ok(Self {
            verdict,
            format,
            width: report.width,
            height: report.height,
            sha256: report.identity.file_sha256,
            said: SaidView {
                synthetic_data: said.synthetic_data,
                source_type: said.source_type,
                equipment,
                model: made.map(|made| made.provenance.model.clone()),
                prompt: made.map(|made| made.prompt.clone()),
                seed: made.map(|made| made.provenance.seed),
            },
            credential: CredentialView::of(report.credential),
            watermark: WatermarkView {
                found: mark.found,
                score: mark.score,
                threshold: mark.threshold,
                false_alarm: mark.false_alarm,
                key: mark.key,
            },
            registry: known.map(KnownView::of).transpose()?,
        })
    }
}

impl CredentialView {
    fn of(finding: CredentialFinding) -> Self {
        let bare = |state| Self {
            state,
            signer: None,
            common_name: None,
            serial_number: None,
            faults: Vec::new(),
        };
        match finding {
            CredentialFinding::Absent => bare(CredentialWord::Absent),
            CredentialFinding::NotRead => bare(CredentialWord::NotRead),
            CredentialFinding::Present(found) => {
                let Credential { state, signer, common_name, serial_number, faults, .. } = found;
                let state = match state {
                    CredentialState::Trusted => CredentialWord::Trusted,
                    CredentialState::Valid => CredentialWord::Valid,
                    CredentialState::Invalid => CredentialWord::Invalid,
                };
                Self { state, signer, common_name, serial_number, faults }
            }
        }
    }
}

impl KnownView {
    fn of(known: Known) -> Result<Self, ApiError> {
        let Known { image, by } = known;
        let review_state = ReviewState::parse(&image.review_state)
            .ok_or_else(|| ApiError::Internal("an unknown review state".to_owned()))?;
        let by = by.into_iter().map(|kind| match kind {
            Kind::File => KnownBy::File,
            Kind::Pixels => KnownBy::Pixels,
            Kind::SopInstanceUid => KnownBy::SopInstanceUid,
        });
        Ok(Self {
            image_id: image.id,
            review_state,
            created_at: image.created_at,
            by: by.collect(),
        })
    }
}
