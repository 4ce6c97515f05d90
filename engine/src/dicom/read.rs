//! Reading an object: the bytes are checked, then parsed, then calibrated.

use std::path::Path;

use dicom_object::DefaultDicomObject;

use super::{DicomError, Header, Radiograph, header, pixels, scan, transform};

/// Reads a whole object into calibrated pixels.
///
/// The frame is what a display would show: Modality and VOI transformations applied, MONOCHROME1
/// inverted, padding black, pixels square. Where the object brings no window, one is taken from
/// the robust range of its pixels.
///
/// # Errors
/// [`DicomError`] names the attribute and the cause for bytes that are not DICOM, truncated, without
/// pixels, of absurd size, or not a radiograph of one frame.
pub fn read(bytes: &[u8]) -> Result<Radiograph, DicomError> {
    let object = parse(bytes)?;
    let header = header::header(&object)?;
    let layout = pixels::check(&object, &header)?;
    transform::square_size(&object, header.columns, header.rows)?;
    let stored = pixels::stored(&object, &header, layout)?;
    let frame = transform::calibrate(&object, &header, &stored)?;
    Ok(Radiograph { header, frame })
}

/// [`read`] of a file.
///
/// # Errors
/// As [`read`], and [`DicomError::Io`].
pub fn read_file(path: &Path) -> Result<Radiograph, DicomError> {
    read(&std::fs::read(path)?)
}

/// Reads the header alone. No pixels are decoded, but their presence and length are checked.
///
/// # Errors
/// As [`read`], but for what only decoding can tell.
pub fn inspect(bytes: &[u8]) -> Result<Header, DicomError> {
    let object = parse(bytes)?;
    let header = header::header(&object)?;
    pixels::check(&object, &header)?;
    transform::square_size(&object, header.columns, header.rows)?;
    Ok(header)
}

pub(super) fn parse(bytes: &[u8]) -> Result<DefaultDicomObject, DicomError> {
    scan::scan(bytes)?;
    dicom_object::from_reader(bytes)
        .map_err(|error| DicomError::Damaged { cause: pixels::innermost(&error) })
}
