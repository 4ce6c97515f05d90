//! Deflated Explicit VR Little Endian (PS3.5 A.5): the data set is made plain before it is walked
//! over, and deflated behind its meta information.

use std::io::{Read, Seek, SeekFrom};

use dicom_dictionary_std::uids;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::DicomError;
use super::dx::failed;
use super::meta::with_meta;

/// UID of the transfer syntax.
pub(super) const SYNTAX: &str = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
/// Bytes that a data set may expand to: what an object may have that is not deflated.
const MOST_BYTES: u64 = 256 << 20;

/// The data set in Explicit VR Little Endian, in memory; `at` is where its deflated bytes begin.
///
/// # Errors
/// [`DicomError::Damaged`] for bytes that do not inflate, [`DicomError::Unsupported`] for a data set
/// that expands beyond 256 MiB: deflated zeros expand a thousand times.
pub(super) fn inflated<R: Read + Seek>(source: &mut R, at: u64) -> Result<Vec<u8>, DicomError> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    let inflated = DeflateDecoder::new(source)
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| DicomError::Damaged { cause: "the deflated data set".to_owned() })?;
    if inflated as u64 > MOST_BYTES {
        return Err(DicomError::Unsupported {
            cause: format!("the deflated data set expands beyond {MOST_BYTES} bytes"),
        });
    }
    Ok(bytes)
}

/// A Part 10 file whose data set is deflated.
pub(super) fn encode(set: InMemDicomObject) -> Result<Vec<u8>, DicomError> {
    let object = with_meta(set, SYNTAX)?;
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    object.write_meta(&mut bytes).map_err(|error| failed(&error))?;
    let mut deflater = DeflateEncoder::new(Vec::new(), Compression::best());
    object
        .write_dataset_with_ts(&mut deflater, &EXPLICIT_VR_LITTLE_ENDIAN.erased())
        .map_err(|error| failed(&error))?;
    bytes.extend(deflater.finish()?);
    // An odd number of bytes is padded (A.5).
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    Ok(bytes)
}
