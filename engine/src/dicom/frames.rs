//! Frames as bytes: as they are stored, or not compressed; and a whole object that is not compressed.

use std::io::Cursor;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::dx::encode_as;
use super::pixels::{self, BIG_ENDIAN, Layout};
use super::read::checked;
use super::source::{Opened, open};
use super::{DicomError, Header, codec};

/// Bytes of all frames together: streams of black frames are small, and what they decode to is not.
const MOST_BYTES: u64 = 1 << 30;

/// A frame as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their media type (PS3.18 8.7.3.3).
    pub media_type: &'static str,
    /// The transfer syntax that they are in.
    pub transfer_syntax_uid: String,
}

/// One frame, from 1, in the transfer syntax of the object; of one in big-endian order, little-endian.
///
/// # Errors
/// [`DicomError`] where the object or the frame cannot be read, or there is no such frame.
pub fn stored_frame(bytes: &[u8], frame: u32) -> Result<StoredFrame, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let (header, layout, index) = checked(&mut opened, Some(frame))?;
    let Some(coding) = layout.coding else {
        return Ok(StoredFrame {
            bytes: words(&mut opened, &header, layout, index)?,
            media_type: "application/octet-stream",
            transfer_syntax_uid: uids::EXPLICIT_VR_LITTLE_ENDIAN.to_owned(),
        });
    };
    Ok(StoredFrame {
        bytes: opened.stream(index, header.frames)?,
        media_type: codec::media_type(coding, &header.transfer_syntax_uid),
        transfer_syntax_uid: header.transfer_syntax_uid,
    })
}

/// One frame, from 1, not compressed: `rows × columns` stored values of one or two bytes each,
/// little-endian.
///
/// # Errors
/// As [`stored_frame`], and where its stream cannot be decoded.
pub fn native_frame(bytes: &[u8], frame: u32) -> Result<Vec<u8>, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let (header, layout, index) = checked(&mut opened, Some(frame))?;
    words(&mut opened, &header, layout, index)
}

/// All frames, one after the other, as [`native_frame`] gives them.
pub(super) fn native(bytes: &[u8]) -> Result<Vec<u8>, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let (header, layout, _) = checked(&mut opened, Some(1))?;
    all(&mut opened, &header, layout)
}

/// The object in Explicit VR Little Endian, its pixels not compressed.
///
/// # Errors
/// [`DicomError`] where the object or one of its frames cannot be read.
pub fn uncompressed(bytes: &[u8]) -> Result<Vec<u8>, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let (header, layout, _) = checked(&mut opened, Some(1))?;
    let mut values = all(&mut opened, &header, layout)?;
    let mut set = std::mem::replace(&mut opened.object, InMemDicomObject::new_empty());
    set.remove_element(tags::EXTENDED_OFFSET_TABLE);
    set.remove_element(tags::EXTENDED_OFFSET_TABLE_LENGTHS);
    if layout.coding.is_some() {
        layout.describe(&mut set);
    }
    let (vr, value) = if layout.bytes_a_pixel == 1 {
        values.resize(values.len().next_multiple_of(2), 0);
        (VR::OB, PrimitiveValue::from(values))
    } else {
        (VR::OW, PrimitiveValue::U16(codec::words(&values, layout.bytes_a_pixel).into()))
    };
    set.put(DataElement::new(tags::PIXEL_DATA, vr, value));
    encode_as(set, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

fn all(opened: &mut Opened, header: &Header, layout: Layout) -> Result<Vec<u8>, DicomError> {
    let pixels = u64::from(header.rows) * u64::from(header.columns) * layout.bytes_a_pixel as u64;
    if pixels * u64::from(header.frames) > MOST_BYTES {
        let cause = format!("{} frames of {pixels} bytes; {MOST_BYTES} are decoded", header.frames);
        return Err(DicomError::Unsupported { cause });
    }
    let mut values = Vec::new();
    for frame in 0..header.frames {
        values.extend(words(opened, header, layout, frame)?);
    }
    Ok(values)
}

fn words(
    opened: &mut Opened,
    header: &Header,
    layout: Layout,
    frame: u32,
) -> Result<Vec<u8>, DicomError> {
    let count = header.rows as usize * header.columns as usize * layout.bytes_a_pixel;
    if layout.coding.is_none() && opened.transfer_syntax != BIG_ENDIAN {
        return opened.native(frame, count);
    }
    let stored = pixels::stored(opened, header, layout, frame)?;
    Ok(match layout.bytes_a_pixel {
        1 => stored.words.iter().map(|word| *word as u8).collect(),
        _ => stored.words.iter().flat_map(|word| word.to_le_bytes()).collect(),
    })
}
