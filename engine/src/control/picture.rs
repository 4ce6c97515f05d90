//! A picture that a request brings along, in any of the forms that people have.

use std::io::Cursor;

use image::error::{LimitError, LimitErrorKind};
use image::{ImageError, ImageFormat, ImageReader};

use crate::dicom::{DicomError, Frame, is_dicom, read};

/// The longest side of a picture that is read.
const LONGEST_SIDE: u32 = 16_384;
/// The most pixels of one, those of the largest DICOM object that is read: each becomes several numbers.
const MOST_PIXELS: u64 = 64 << 20;
/// Memory that reading one may take, in bytes.
const MOST_MEMORY: u64 = 1 << 30;

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is neither of the forms that are read.
    #[error("is neither a DICOM object nor a PNG nor a JPEG image")]
    Unknown,
    /// It is an image, and cannot be decoded.
    #[error("the image is damaged or too large: {0}")]
    Image(#[from] ImageError),
    /// It is a DICOM object, and cannot be decoded.
    #[error(transparent)]
    Dicom(#[from] DicomError),
}

/// The grey values of a PNG, JPEG or DICOM file, 0 to 1. What is transparent is white: drawings come
/// without paper.
///
/// # Errors
/// Where the bytes are neither, or damaged, or a side is longer than 16,384 pixels, or there are more than
/// 67,108,864 of them.
pub fn read_picture(bytes: &[u8]) -> Result<Frame, PictureError> {
    let open = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        reader.map_err(ImageError::IoError)
    };
    let mut reader = open()?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => {}
        _ if is_dicom(bytes) => return Ok(read(bytes)?.frame),
        _ => return Err(PictureError::Unknown),
    }
    let (width, height) = open()?.into_dimensions()?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        let limit = LimitError::from_kind(LimitErrorKind::DimensionError);
        return Err(ImageError::Limits(limit).into());
    }
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let image = reader.decode()?.into_luma_alpha16();
    let (width, height) = image.dimensions();
    let pixels = image
        .pixels()
        .map(|pixel| {
            let [grey, opaque] = pixel.0.map(|value| f32::from(value) / f32::from(u16::MAX));
            grey * opaque + (1.0 - opaque)
        })
        .collect();
    Ok(Frame { width, height, pixels })
}
