//! A radiograph: its pixels on a calibrated scale, and what its header says of it.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use serde::{Deserialize, Serialize};

use crate::terms::{DescribedFinding, Sex};

/// Calibrated pixels, row by row from the top left.
///
/// Values run from 0 (black) to 1 (white), as a MONOCHROME2 display shows them, after the Modality
/// and VOI transformations (PS3.4 N.2). Pixels are square: an object with other spacing is resampled
/// when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width × height` values between 0 and 1.
    pub pixels: Vec<f32>,
}

impl Frame {
    /// The same picture at another size, by Lanczos filtering as wide as the reduction asks for,
    /// so that nothing aliases.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let Some(buffer) =
            ImageBuffer::<Luma<f32>, _>::from_raw(self.width, self.height, self.pixels.as_slice())
        else {
            // Only a frame put together wrongly comes here; nothing can be resampled from it.
            return Self { width, height, pixels: vec![0.0; width as usize * height as usize] };
        };
        let resized = imageops::resize(&buffer, width, height, FilterType::Lanczos3);
        // Lanczos rings over the ends of the range.
        let pixels = resized.into_raw().into_iter().map(|value| value.clamp(0.0, 1.0)).collect();
        Self { width, height, pixels }
    }

    /// The part of `width × height` whose top left corner is at (`left`, `top`), or `None` where
    /// it does not lie within the frame.
    pub fn cropped(&self, left: u32, top: u32, width: u32, height: u32) -> Option<Self> {
        let inside =
            left.checked_add(width)? <= self.width && top.checked_add(height)? <= self.height;
        if !inside {
            return None;
        }
        let mut pixels = Vec::with_capacity(width as usize * height as usize);
        for row in top..top + height {
            let start = row as usize * self.width as usize + left as usize;
            pixels.extend_from_slice(self.pixels.get(start..start + width as usize)?);
        }
        Some(Self { width, height, pixels })
    }
}

/// What a radiograph's header says, as far as the platform uses it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: String,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax_uid: String,
    /// Modality (0008,0060): DX, CR, MG …
    pub modality: String,
    /// Patient ID (0010,0020); only ever used to keep one patient in one split, and
    /// written nowhere.
    #[serde(skip_serializing, default)]
    pub patient_id: String,
    /// Patient's age in years (0010,1010).
    pub age_years: Option<f32>,
    /// Patient's sex (0010,0040).
    pub sex: Option<Sex>,
    /// View Position (0018,5101): AP, PA, LL …
    pub view_position: Option<String>,
    /// Image Laterality (0020,0062) or Laterality (0020,0060): L, R, U, B.
    pub laterality: Option<String>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// Findings in the words of [`crate::terms::findings`], lower case.
    pub findings: Vec<String>,
    /// The same findings with the places and severities that their codes' modifiers say.
    #[serde(default)]
    pub described: Vec<DescribedFinding>,
    /// Rows (0028,0010).
    pub rows: u32,
    /// Columns (0028,0011).
    pub columns: u32,
    /// Number of Frames (0028,0008); 1 where the object does not say.
    #[serde(default = "one")]
    pub frames: u32,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Deviation Index (0018,1413): 10 log₁₀ of the exposure over its target (IEC 62494-1).
    #[serde(default)]
    pub deviation_index: Option<f32>,
    /// Burned In Annotation (0028,0301), where the object says.
    #[serde(default)]
    pub burned_in_annotation: Option<bool>,
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic: bool,
}

fn one() -> u32 {
    1
}

/// A radiograph read from a DICOM object.
#[derive(Debug, Clone, PartialEq)]
pub struct Radiograph {
    /// What the header says.
    pub header: Header,
    /// The calibrated pixels.
    pub frame: Frame,
}
