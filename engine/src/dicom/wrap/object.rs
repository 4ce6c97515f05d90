//! One row and its image become one object.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use sha2::{Digest, Sha256};

use super::table::Row;
use super::{WrapError, WrapOptions};
use crate::dicom::dx::{Dx, Stored, encode};
use crate::dicom::{Frame, uid};
use crate::terms::Described;

/// Height of a chest detector in millimetres (17 inches): the spacing to state where nothing better
/// is known, for Imager Pixel Spacing is of type 1.
const DETECTOR_HEIGHT: f32 = 430.0;
/// The longest side of a DICOM image, and no image bomb.
const LONGEST_SIDE: u32 = 16_384;

/// An encoded object.
pub(super) struct Wrapped {
    pub(super) bytes: Vec<u8>,
    pub(super) unsquashed: bool,
}

/// Reads the row's image and encodes its object.
pub(super) fn encode_row(row: &Row, options: &WrapOptions) -> Result<Wrapped, WrapError> {
    let bad =
        |cause: String| WrapError::Row { row: row.line, column: row.file_column.clone(), cause };
    let source = std::fs::read(&row.image).map_err(|error| bad(error.to_string()))?;
    let picture = Picture::decode(&source).map_err(bad)?;
    let lossy = picture.lossy(source.len());
    let (mut stored, mut width, mut height) = (picture.stored, picture.width, picture.height);
    let target = row.aspect.map(|aspect| ((height as f32 * aspect).round() as u32).max(1));
    let unsquashed = target.is_some_and(|target| target != width);
    if let Some(target) = target.filter(|_| unsquashed) {
        if target > LONGEST_SIDE {
            return Err(bad(format!("wider than {LONGEST_SIDE} pixels at its own aspect")));
        }
        stored = resampled(stored, width, height, target);
        width = target;
    }
    let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(bad("larger than a DICOM image can be".to_owned()));
    };
    height = u32::from(rows);

    let spacing = options.pixel_spacing.unwrap_or(DETECTOR_HEIGHT / height as f32);
    let derivation = format!(
        "Wrapped from a {} image without other headers.{}{}{}",
        picture.format,
        match (unsquashed, row.aspect_assumed) {
            (false, _) => "",
            (true, false) => " Resampled to square pixels at the original aspect ratio.",
            (true, true) => " Resampled to square pixels at an assumed aspect ratio.",
        },
        if row.age_assumed { " Patient's age stands for an age group." } else { "" },
        if options.pixel_spacing.is_none() { " Pixel spacing is nominal." } else { "" },
    );
    let identity = identity(row, &derivation, spacing, &source);
    let part = |name: &str| uid::derived(&[name.as_bytes(), &identity]);
    let elements = Dx {
        sop_instance_uid: part("instance"),
        study_instance_uid: part("study"),
        series_instance_uid: part("series"),
        patient_name: format!("Subject^{}", row.patient),
        patient_id: row.patient.clone(),
        patient_age: row.age_years.map(|years| format!("{years:03}Y")),
        sex: row.sex,
        view: row.view,
        findings: row.findings.iter().map(|finding| Described::from(*finding)).collect(),
        columns,
        rows,
        stored,
        spacing,
        lossy,
        derivation,
        manufacturer: "",
        model_name: "",
        date: "",
        time: "",
    }
    .into_elements();
    let bytes = encode(elements).map_err(|source| WrapError::Encode { row: row.line, source })?;
    Ok(Wrapped { bytes, unsquashed })
}

/// Everything that goes into the object, as one digest: what its UIDs are derived from.
fn identity(row: &Row, derivation: &str, spacing: f32, source: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let findings: Vec<_> = row.findings.iter().map(|finding| finding.slug).collect();
    let said = format!(
        "{}\0{findings:?}\0{:?}\0{:?}\0{:?}\0{:?}\0{derivation}\0{spacing}",
        row.patient,
        row.age_years,
        row.sex,
        row.view.map(|view| view.code),
        row.aspect,
    );
    // The file's name tells two exposures with the same pixels apart.
    hasher.update(&row.object_name);
    hasher.update([0]);
    hasher.update(said);
    hasher.update([0]);
    hasher.update(source);
    hasher.finalize().into()
}

struct Picture {
    format: &'static str,
    width: u32,
    height: u32,
    stored: Stored,
}

impl Picture {
    fn decode(source: &[u8]) -> Result<Self, String> {
        let mut reader = ImageReader::new(Cursor::new(source))
            .with_guessed_format()
            .map_err(|error| error.to_string())?;
        let format = match reader.format() {
            Some(ImageFormat::Jpeg) => "JPEG",
            Some(ImageFormat::Png) => "PNG",
            _ => return Err("neither a JPEG nor a PNG image".to_owned()),
        };
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(LONGEST_SIDE);
        limits.max_image_height = Some(LONGEST_SIDE);
        reader.limits(limits);
        let image = reader.decode().map_err(|error| format!("the image is damaged: {error}"))?;
        let (width, height) = (image.width(), image.height());
        let stored = if image.color().bytes_per_pixel() / image.color().channel_count() > 1 {
            Stored::Words { values: image.into_luma16().into_raw(), bits: 16 }
        } else {
            Stored::Bytes(image.into_luma8().into_raw())
        };
        Ok(Self { format, width, height, stored })
    }

    /// Ratio and method of a JPEG's compression (PS3.3 C.7.6.1.1.5).
    fn lossy(&self, coded: usize) -> Option<(f32, &'static str)> {
        let pixels = self.width as usize * self.height as usize;
        (self.format == "JPEG").then(|| ((pixels as f32 / coded as f32).max(1.0), "ISO_10918_1"))
    }
}

/// Stored values at another width.
fn resampled(stored: Stored, width: u32, height: u32, target: u32) -> Stored {
    let through = |pixels: Vec<f32>| Frame { width, height, pixels }.resized(target, height).pixels;
    match stored {
        Stored::Bytes(values) => {
            let pixels = values.iter().map(|value| f32::from(*value) / 255.0).collect();
            let pixels = through(pixels);
            Stored::Bytes(pixels.iter().map(|value| (value * 255.0).round() as u8).collect())
        }
        Stored::Words { values, bits } => {
            let largest = ((1_u32 << bits) - 1) as f32;
            let pixels = values.iter().map(|value| f32::from(*value) / largest).collect();
            let pixels = through(pixels);
            let values = pixels.iter().map(|value| (value * largest).round() as u16).collect();
            Stored::Words { values, bits }
        }
    }
}
