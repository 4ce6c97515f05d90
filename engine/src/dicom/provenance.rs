//! Where a synthetic image comes from: enough to make it again, and how a file tells it.

use dicom_core::Tag;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source::open;
use super::{DicomError, Frame};
use crate::terms::{AgeGroup, DescribedFinding, Sex};

/// Reserves the block of our private attributes (PS3.5 7.8.1).
pub(super) const PRIVATE_CREATOR: Tag = Tag(0x0071, 0x0010);
/// Who reserves it.
pub(super) const CREATOR: &str = "SKIAGRAPH";
/// The whole description as JSON: what the standard's attributes are too short for.
pub(super) const DESCRIPTION: Tag = Tag(0x0071, 0x1001);
/// Keyword of the same text in a PNG.
pub(super) const KEYWORD: &str = "Provenance";
/// The longest description that is read back, in bytes.
const LONGEST: usize = 1 << 20;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Where a synthetic image comes from: with the same program, enough to make it again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The program that made it.
    pub program: String,
    /// The program's version.
    pub version: String,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the model's weights, in hexadecimal.
    pub model_sha256: String,
    /// Licences of the model, of the adapters and words that acted, and of what they learned from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Whom to credit for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribution: Vec<String>,
    /// How the network held its weights, where not in full: `int8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The adapters that acted, in their order.
    pub adapters: Vec<AdapterUse>,
    /// The learned words that the prompts could use, in their order.
    #[serde(default)]
    pub embeddings: Vec<EmbeddingUse>,
    /// The seed of all noise.
    pub seed: u64,
    /// How the seed becomes noise.
    pub random_generator: String,
    /// Denoising steps.
    pub steps: u32,
    /// Strength of classifier-free guidance.
    pub guidance_scale: f32,
    /// How far guidance was brought back to the spread of the unguided prediction.
    pub guidance_rescale: f32,
    /// The scheduler's name.
    pub scheduler: String,
    /// The scheduler's whole configuration.
    pub scheduler_config: serde_json::Value,
    /// What was led away from.
    pub negative_prompt: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The share of the steps that was taken from an initial image; absent, it began with noise.
    pub strength: Option<f64>,
    /// Parameters that were not at their defaults.
    #[serde(default = "nothing")]
    pub options: serde_json::Value,
    /// The pictures that went in.
    pub inputs: Vec<InputUse>,
    /// The mark in the pixels; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<WatermarkUse>,
}

/// The mark that an image's pixels bear.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WatermarkUse {
    /// Name and version of the way of marking.
    pub scheme: String,
    /// Fingerprint of its key, in hexadecimal.
    pub key: String,
}

fn nothing() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// An adapter that acted on an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdapterUse {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights, in hexadecimal.
    pub sha256: String,
    /// 0 is nothing, 1 as trained.
    pub scale: f32,
}

/// A word that was learned beside the model's vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingUse {
    /// The word.
    pub token: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// A picture that went into an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputUse {
    /// `init`, `mask`, `control` or `image_prompt`.
    pub role: String,
    /// SHA-256 over width and height (little-endian, 32 bits each) and the grey values (32-bit floats).
    pub sha256: String,
    /// For a control and an image prompt, which network read it, and how.
    pub control: Option<ControlUse>,
}

impl InputUse {
    /// The hash by which a picture is known.
    pub fn hash(frame: &Frame) -> String {
        let mut hash = Sha256::new();
        hash.update(frame.width.to_le_bytes());
        hash.update(frame.height.to_le_bytes());
        for value in &frame.pixels {
            hash.update(value.to_le_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// How a condition image acted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlUse {
    /// SHA-256 of the network's weights, in hexadecimal.
    pub network_sha256: String,
    /// Its strength.
    pub weight: f64,
    /// The share of the steps before which it did not act.
    pub start: f64,
    /// The share of the steps after which it acted no more.
    pub end: f64,
}

/// What a synthetic image shows, and where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SyntheticDescription {
    /// Child or adult, as asked for.
    pub age_group: Option<AgeGroup>,
    /// Sex, as asked for.
    pub sex: Option<Sex>,
    /// A code of View Position, as asked for.
    pub view_position: Option<String>,
    /// Findings, as asked for.
    pub findings: Vec<DescribedFinding>,
    /// The sentence that the model was given.
    pub prompt: String,
    /// Model, seed and settings.
    pub provenance: Provenance,
}

impl SyntheticDescription {
    /// The form in which a file carries it.
    pub(super) fn to_json(&self) -> Result<String, DicomError> {
        serde_json::to_string(self).map_err(|cause| DicomError::Write { cause: cause.to_string() })
    }
}

/// What a PNG or DICOM file of ours says of its making.
///
/// # Errors
/// Where the bytes are neither, or say nothing of it.
pub fn read_provenance(bytes: &[u8]) -> Result<SyntheticDescription, DicomError> {
    let text = if bytes.starts_with(PNG) {
        from_png(bytes)?
    } else {
        from_object(bytes).map_err(|error| match error {
            DicomError::NotDicom { .. } if bytes.is_empty() => damaged("the file is empty"),
            DicomError::NotDicom { .. } => damaged("the file is neither PNG nor DICOM"),
            other => other,
        })?
    };
    if text.len() > LONGEST {
        return Err(damaged("the provenance is longer than a megabyte"));
    }
    serde_json::from_str(&text).map_err(|cause| damaged(&format!("the provenance: {cause}")))
}

fn damaged(cause: &str) -> DicomError {
    DicomError::Damaged { cause: cause.to_owned() }
}

fn from_png(bytes: &[u8]) -> Result<String, DicomError> {
    let limits = png::Limits { bytes: 4 * LONGEST };
    let decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    let reader = decoder.read_info().map_err(|cause| damaged(&format!("PNG: {cause}")))?;
    reader
        .info()
        .utf8_text
        .iter()
        .find(|chunk| chunk.keyword == KEYWORD)
        .and_then(|chunk| chunk.get_text().ok())
        .ok_or_else(|| damaged("the PNG carries no provenance: it was not made by Skiagraph"))
}

fn from_object(bytes: &[u8]) -> Result<String, DicomError> {
    let object = open(std::io::Cursor::new(bytes))?.object;
    let absent = || {
        let cause = "absent: the object was not made by Skiagraph";
        DicomError::attribute("SKIAGRAPH provenance", "0071,xx01", cause)
    };
    // Another program may have moved our block to another of the group's.
    let block = (0x10..=0xFF_u16)
        .find(|block| {
            object
                .get(Tag(PRIVATE_CREATOR.0, *block))
                .and_then(|element| element.to_str().ok())
                .is_some_and(|name| name.trim_matches(['\0', ' ']) == CREATOR)
        })
        .ok_or_else(absent)?;
    let tag = Tag(DESCRIPTION.0, (block << 8) | (DESCRIPTION.1 & 0xFF));
    let text = object.get(tag).and_then(|element| element.to_str().ok()).ok_or_else(absent)?;
    Ok(text.trim_end_matches(['\0', ' ']).to_owned())
}
