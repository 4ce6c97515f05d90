//! What a file is: by what it says, by who signed that, by the mark in its pixels.
//!
//! Tags can be written by anybody, and are lost with the file's form. A credential is made by who has the signer's key
//! alone, and is lost with the file's form too. The watermark stays when both are gone; whoever has its key can put it
//! anywhere, and the public key everybody has. None of the three found is no proof of anything: a radiograph bears none
//! of them, and neither does an image of a program that marks nothing.

mod identity;
mod said;
mod verdict;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::control::{PictureError, read_picture};
use crate::credential::{self, Credential, CredentialError};
use crate::dicom::{self, Frame, Header, Radiograph};
use crate::watermark::{self, Key, Spectrum};

pub use identity::Identity;
pub use said::Said;
pub use verdict::Verdict;

/// What a file is held against.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// Keys of watermarks; the public one is always looked for.
    pub keys: Vec<Key>,
    /// Certificates (PEM) whose signers are trusted.
    pub anchors: Option<String>,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A DICOM object.
    Dicom,
    /// A PNG.
    Png,
    /// A JPEG.
    Jpeg,
}

/// What was found of content credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum CredentialFinding {
    /// There is none.
    Absent,
    /// This form of file carries none (DICOM).
    NotRead,
    /// There is one.
    Present(Credential),
}

/// What was found of watermarks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatermarkFinding {
    /// Whether there is one.
    pub found: bool,
    /// How far the image agrees with the key, in standard deviations.
    pub score: f64,
    /// The score from which on it is a mark.
    pub threshold: f64,
    /// The largest probability of such a score without a mark.
    pub false_alarm: f64,
    /// Fingerprint of the key.
    pub key: String,
}

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file's form.
    pub format: Format,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the file is known by.
    pub identity: Identity,
    /// What it says of itself.
    pub said: Said,
    /// Who vouches for that.
    pub credential: CredentialFinding,
    /// What its pixels bear, by the key that fits best.
    pub watermark: WatermarkFinding,
    /// Fingerprints of the keys that were tried.
    #[serde(skip)]
    keys: Vec<String>,
}

/// Why a file cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Trusted certificates cannot be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// Looks at a file (DICOM, PNG, JPEG) with `means`.
///
/// # Errors
/// Where it is of none of these forms, or damaged, or no image of one frame; or where the trusted certificates
/// cannot be read.
pub fn verify(bytes: &[u8], means: &Means) -> Result<Report, VerifyError> {
    if bytes.is_empty() {
        return Err(VerifyError::Empty);
    }
    let (format, header, frame) = open(bytes)?;
    let said = match &header {
        Some(header) => Said::of_object(bytes, header).map_err(PictureError::from)?,
        None => Said::of_picture(bytes),
    };
    Ok(Report {
        format,
        width: frame.width,
        height: frame.height,
        identity: Identity::of(bytes, header.as_ref(), &frame),
        said,
        credential: credential(bytes, format, means)?,
        watermark: watermark(&frame, means),
        keys: means.keys.iter().chain([&Key::public()]).map(Key::fingerprint).collect(),
    })
}

/// What a file is known by, without looking any further.
///
/// # Errors
/// As [`verify`].
pub fn identify(bytes: &[u8]) -> Result<Identity, VerifyError> {
    let (_, header, frame) = open(bytes)?;
    Ok(Identity::of(bytes, header.as_ref(), &frame))
}

fn open(bytes: &[u8]) -> Result<(Format, Option<Header>, Frame), PictureError> {
    if dicom::is_dicom(bytes) {
        let Radiograph { header, frame } = dicom::read(bytes)?;
        return Ok((Format::Dicom, Some(header), frame));
    }
    let format = if bytes.starts_with(b"\x89PNG") { Format::Png } else { Format::Jpeg };
    Ok((format, None, read_picture(bytes)?))
}

fn credential(
    bytes: &[u8],
    format: Format,
    means: &Means,
) -> Result<CredentialFinding, CredentialError> {
    if format == Format::Dicom {
        return Ok(CredentialFinding::NotRead);
    }
    let found = credential::read(bytes, means.anchors.as_deref())?;
    Ok(found.map_or(CredentialFinding::Absent, CredentialFinding::Present))
}

/// The finding of the key that agrees best.
fn watermark(frame: &Frame, means: &Means) -> WatermarkFinding {
    let spectrum = Spectrum::of(frame);
    let of = |key: &Key| {
        let found = spectrum.as_ref().map(|spectrum| spectrum.detect(key));
        WatermarkFinding {
            found: found.is_some_and(|found| found.found),
            score: found.map_or(0.0, |found| found.score),
            threshold: watermark::threshold(),
            false_alarm: found.map_or(1.0, |found| found.false_alarm),
            key: key.fingerprint(),
        }
    };
    means.keys.iter().fold(of(&Key::public()), |best, key| {
        let one = of(key);
        if one.score.abs() > best.score.abs() { one } else { best }
    })
}
