//! A frame as a display shows it, through a window that somebody asked for, at a size that fits.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::read::checked;
use super::source::open;
use super::{DicomError, Frame, pixels, render_png, transform};

/// How a window maps values (PS3.3 C.11.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowFunction {
    /// C.11.2.1.2.1
    Linear,
    /// C.11.2.1.3.2
    LinearExact,
    /// C.11.2.1.3.1
    Sigmoid,
}

/// A window in the units of the object's modality transformation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DisplayWindow {
    /// Window Center.
    pub center: f64,
    /// Window Width: 1 or more for `Linear`, above 0 for the others.
    pub width: f64,
    /// VOI LUT Function.
    pub function: WindowFunction,
}

/// How a frame is to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Show {
    /// Which frame, from 1.
    pub frame: u32,
    /// Through which window; without it as the object says.
    pub window: Option<DisplayWindow>,
    /// Width and height that the picture shall fill as far as its aspect allows; its own without it.
    pub viewport: Option<(u32, u32)>,
    /// In which form.
    pub picture: Picture,
}

/// A form of picture, eight bits of grey a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// PNG.
    Png,
    /// JPEG of a quality from 1 to 100.
    Jpeg(u8),
}

/// Shows a frame.
///
/// # Errors
/// [`DicomError`] where the object or the frame cannot be read, there is no such frame, or the window is
/// too narrow.
pub fn show(bytes: &[u8], how: &Show) -> Result<Vec<u8>, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let (header, layout, index) = checked(&mut opened, Some(how.frame))?;
    let stored = pixels::stored(&mut opened, &header, layout, index)?;
    let window = how.window.as_ref();
    let frame = transform::calibrate_through(&opened.object, &header, &stored, window)?;
    let frame = match how.viewport {
        Some(viewport) => fitted(&frame, viewport),
        None => frame,
    };
    match how.picture {
        Picture::Png => render_png(&frame, None),
        Picture::Jpeg(quality) => jpeg(&frame, quality),
    }
}

/// The frame at the largest size of its aspect that fits.
fn fitted(frame: &Frame, (width, height): (u32, u32)) -> Frame {
    let scale = (f64::from(width) / f64::from(frame.width))
        .min(f64::from(height) / f64::from(frame.height));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    frame.resized(side(frame.width), side(frame.height))
}

fn jpeg(frame: &Frame, quality: u8) -> Result<Vec<u8>, DicomError> {
    let pixels: Vec<u8> =
        frame.pixels.iter().map(|pixel| (pixel.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(&pixels, frame.width, frame.height, ExtendedColorType::L8)
        .map_err(|error| DicomError::Write { cause: error.to_string() })?;
    Ok(bytes)
}
