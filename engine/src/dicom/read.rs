//! Reading an object: the bytes are checked, then the header is parsed, then one frame is read and
//! calibrated.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use super::source::{Opened, open};
use super::{DicomError, Header, Radiograph, header, pixels, transform};

/// What of an object is to be shown, where it has several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Which frame, from 1. Without it the object must have one alone: a choice is never made for
    /// whoever reads.
    pub frame: Option<u32>,
    /// Which of the object's ways of showing it, from 1: the tables of VOI LUT Sequence (0028,3010),
    /// then the windows of Window Center (0028,1050). The first without it.
    pub window: Option<u32>,
}

/// Reads a whole object into calibrated pixels.
///
/// The frame is what a display would show: Modality and VOI transformations applied, MONOCHROME1
/// inverted, padding black, pixels square. Where the object brings no window, one is taken from
/// the robust range of its pixels.
///
/// # Errors
/// [`DicomError`] names the attribute and the cause for bytes that are not DICOM, truncated, without
/// pixels, of absurd size, not a radiograph, or of several frames.
pub fn read(bytes: &[u8]) -> Result<Radiograph, DicomError> {
    read_from(Cursor::new(bytes), ReadOptions::default())
}

/// [`read`] of a file: its header and its frame come into memory, and nothing else.
///
/// # Errors
/// As [`read`], and [`DicomError::Io`].
pub fn read_file(path: &Path) -> Result<Radiograph, DicomError> {
    read_from(File::open(path)?, ReadOptions::default())
}

/// [`read`] of anything that can be read and jumped about in, with a choice of frame and window: its
/// header and the chosen frame come into memory, and nothing else.
///
/// # Errors
/// As [`read`], and where the object has no such frame or window.
pub fn read_from<R: Read + Seek>(
    source: R,
    options: ReadOptions,
) -> Result<Radiograph, DicomError> {
    let mut opened = open(source)?;
    let (header, layout, frame) = checked(&mut opened, options.frame)?;
    let stored = pixels::stored(&mut opened, &header, layout, frame)?;
    let frame = transform::calibrate(&opened.object, &header, &stored, options.window)?;
    Ok(Radiograph { header, frame })
}

/// Reads the header alone. No pixels are decoded, but their presence and length are checked.
///
/// # Errors
/// As [`read`], but for what only decoding can tell.
pub fn inspect(bytes: &[u8]) -> Result<Header, DicomError> {
    inspect_from(Cursor::new(bytes), ReadOptions::default())
}

/// [`inspect`] of anything that can be read and jumped about in, with a choice of frame.
///
/// # Errors
/// As [`inspect`], and where the object has no such frame.
pub fn inspect_from<R: Read + Seek>(source: R, options: ReadOptions) -> Result<Header, DicomError> {
    Ok(checked(&mut open(source)?, options.frame)?.0)
}

/// Header, layout of the pixels, and the frame to be read, from 0.
pub(super) fn checked(
    opened: &mut Opened,
    frame: Option<u32>,
) -> Result<(Header, pixels::Layout, u32), DicomError> {
    let header = header::header(&opened.object, &opened.transfer_syntax)?;
    let frame = chosen(frame, header.frames)?;
    let layout = pixels::check(opened, &header, frame)?;
    transform::square_size(&opened.object, header.columns, header.rows)?;
    Ok((header, layout, frame))
}

fn chosen(frame: Option<u32>, frames: u32) -> Result<u32, DicomError> {
    let fault = |cause| Err(DicomError::attribute("NumberOfFrames", "0028,0008", cause));
    match frame {
        None if frames == 1 => Ok(0),
        None => fault(format!("{frames} frames; which one is to be read must be said")),
        Some(frame) if (1..=frames).contains(&frame) => Ok(frame - 1),
        Some(frame) => fault(format!("{frames} frames, and frame {frame} is asked for")),
    }
}
