//! From the Pixel Data element to stored values.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::value::Value;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use dicom_pixeldata::PixelDecoder;

use super::attributes::integer;
use super::lookup::signed;
use super::{DicomError, Header};

/// How a stored value lies in its word (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    bytes_a_pixel: usize,
    bits_stored: u32,
    shift: u32,
    pub(super) signed: bool,
}

/// Transfer syntaxes whose pixel data is a JPEG stream.
const JPEG: [&str; 4] = [
    uids::JPEG_BASELINE8_BIT,
    uids::JPEG_EXTENDED12_BIT,
    uids::JPEG_LOSSLESS,
    uids::JPEG_LOSSLESS_SV1,
];
/// Transfer syntaxes whose pixel data is a JPEG 2000 code stream.
const JPEG_2000: [&str; 2] = [uids::JPEG2000_LOSSLESS, uids::JPEG2000];
const NATIVE: [&str; 3] = [
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    // Explicit VR Big Endian: retired, and still found in archives.
    "1.2.840.10008.1.2.2",
];

fn unusable(cause: impl Into<String>) -> DicomError {
    DicomError::PixelData { cause: cause.into() }
}

/// Checks what the header says of the pixels against what there is, without decoding.
pub(super) fn check(object: &DefaultDicomObject, header: &Header) -> Result<Layout, DicomError> {
    let layout = layout(object, header)?;
    let element = object.get(tags::PIXEL_DATA).ok_or_else(|| unusable("absent"))?;
    let syntax = header.transfer_syntax_uid.as_str();
    match element.value() {
        Value::Primitive(value) if NATIVE.contains(&syntax) => {
            let needed = header.rows as usize * header.columns as usize * layout.bytes_a_pixel;
            let held = value.to_bytes().len();
            if held < needed {
                return Err(unusable(format!(
                    "{} × {} pixels need {needed} bytes, and {held} are there",
                    header.columns, header.rows
                )));
            }
        }
        Value::PixelSequence(sequence) if !NATIVE.contains(&syntax) => {
            let stream: Vec<u8> = sequence.fragments().iter().flatten().copied().collect();
            if stream.is_empty() {
                return Err(unusable("no fragments"));
            }
            let coded = if JPEG.contains(&syntax) {
                jpeg_size(&stream)
            } else if JPEG_2000.contains(&syntax) {
                jpeg_2000_size(&stream)
            } else if syntax == uids::RLE_LOSSLESS {
                Some((header.columns, header.rows, 1))
            } else {
                return Err(DicomError::Unsupported {
                    cause: format!("no decoder for transfer syntax {syntax}"),
                });
            };
            let (columns, rows, components) =
                coded.ok_or_else(|| unusable("the compressed stream has no frame header"))?;
            if (columns, rows, components) != (header.columns, header.rows, 1) {
                return Err(unusable(format!(
                    "the compressed stream holds {columns} × {rows} pixels of {components} \
                     components, the header says {} × {} of 1",
                    header.columns, header.rows
                )));
            }
        }
        _ => return Err(unusable("not encoded as the transfer syntax says")),
    }
    Ok(layout)
}

/// Decodes the stored values, row by row.
pub(super) fn stored(
    object: &DefaultDicomObject,
    header: &Header,
    layout: Layout,
) -> Result<Vec<i32>, DicomError> {
    // Codecs may panic on damaged streams; that is this object's fault and not the program's.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        object.decode_pixel_data().map(dicom_pixeldata::DecodedPixelData::into_data)
    }))
    .map_err(|_| unusable("the compressed stream is damaged"))?
    .map_err(|error| unusable(innermost(&error)))?;
    let count = header.rows as usize * header.columns as usize;
    if decoded.len() < count * layout.bytes_a_pixel {
        return Err(unusable(format!("{} bytes decoded for {count} pixels", decoded.len())));
    }
    let word = |raw: u32| {
        let value = (raw >> layout.shift) & ((1 << layout.bits_stored) - 1);
        if layout.signed {
            let unused = 32 - layout.bits_stored;
            ((value << unused) as i32) >> unused
        } else {
            value as i32
        }
    };
    Ok(match layout.bytes_a_pixel {
        1 => decoded.iter().take(count).map(|raw| word(u32::from(*raw))).collect(),
        _ => decoded
            .chunks_exact(2)
            .take(count)
            .map(|raw| word(u32::from(u16::from_le_bytes([raw[0], raw[1]]))))
            .collect(),
    })
}

fn layout(object: &InMemDicomObject, header: &Header) -> Result<Layout, DicomError> {
    let number = |tag| integer(object, tag).and_then(|value| u32::try_from(value).ok());
    match number(tags::SAMPLES_PER_PIXEL) {
        Some(1) => {}
        Some(samples) => {
            return Err(DicomError::attribute(
                "SamplesPerPixel",
                "0028,0002",
                format!("{samples} samples; a radiograph has one"),
            ));
        }
        None => return Err(DicomError::attribute("SamplesPerPixel", "0028,0002", "absent")),
    }
    if !matches!(header.photometric_interpretation.as_str(), "MONOCHROME1" | "MONOCHROME2") {
        return Err(DicomError::attribute(
            "PhotometricInterpretation",
            "0028,0004",
            "MONOCHROME1 and MONOCHROME2 are read",
        ));
    }
    let bits_allocated = number(tags::BITS_ALLOCATED)
        .filter(|bits| matches!(bits, 8 | 16))
        .ok_or_else(|| DicomError::attribute("BitsAllocated", "0028,0100", "8 and 16 are read"))?;
    let bits_stored = u32::from(header.bits_stored);
    if bits_stored == 0 || bits_stored > bits_allocated {
        return Err(DicomError::attribute(
            "BitsStored",
            "0028,0101",
            "not between 1 and Bits Allocated",
        ));
    }
    let high_bit = number(tags::HIGH_BIT).unwrap_or(bits_stored - 1);
    if high_bit + 1 < bits_stored || high_bit >= bits_allocated {
        return Err(DicomError::attribute(
            "HighBit",
            "0028,0102",
            "does not fit Bits Stored and Bits Allocated",
        ));
    }
    let encapsulated = !NATIVE.contains(&header.transfer_syntax_uid.as_str());
    Ok(Layout {
        bytes_a_pixel: (bits_allocated / 8) as usize,
        bits_stored,
        // JPEG codecs give whole values back, wherever the header puts their highest bit.
        shift: if encapsulated { 0 } else { high_bit + 1 - bits_stored },
        signed: signed(object),
    })
}

/// Columns, rows and components from the frame header of a JPEG stream (ITU-T T.81 B.2.2).
fn jpeg_size(stream: &[u8]) -> Option<(u32, u32, u32)> {
    let short = |at: usize| Some(u32::from(u16::from_be_bytes([*stream.get(at)?, *stream.get(at + 1)?])));
    let mut at = 2;
    loop {
        if *stream.get(at)? != 0xFF {
            return None;
        }
        match *stream.get(at + 1)? {
            0xFF => at += 1,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some((short(at + 7)?, short(at + 5)?, u32::from(*stream.get(at + 9)?)));
            }
            0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 | 0xDA => return None,
            _ => at += 2 + short(at + 2)? as usize,
        }
    }
}

/// Columns, rows and components from the SIZ marker of a JPEG 2000 code stream (ITU-T T.800 A.5.1).
fn jpeg_2000_size(stream: &[u8]) -> Option<(u32, u32, u32)> {
    // SIZ comes right after the start of the code stream; a JP2 box structure may stand before.
    let start = stream.windows(4).position(|window| window == [0xFF, 0x4F, 0xFF, 0x51])? + 4;
    let long = |at: usize| {
        let raw = stream.get(start + at..start + at + 4)?;
        Some(u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]))
    };
    let components = stream.get(start + 36..start + 38)?;
    Some((
        long(4)?.checked_sub(long(12)?)?,
        long(8)?.checked_sub(long(16)?)?,
        u32::from(u16::from_be_bytes([components[0], components[1]])),
    ))
}

/// The last cause in a chain of errors: the part that says what happened.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
