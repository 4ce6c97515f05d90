//! From the Pixel Data element to stored values.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::value::Value;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use dicom_pixeldata::PixelDecoder;

use super::attributes::integer;
use super::lookup::signed;
use super::{DicomError, Header, codec, rle};

/// How a stored value lies in its word (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    bytes_a_pixel: usize,
    bits_stored: u32,
    shift: u32,
    pub(super) signed: bool,
}

/// Transfer syntaxes whose pixel data is not compressed.
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
            let stream = sequence.fragments().concat();
            if stream.is_empty() {
                return Err(unusable("no fragments"));
            }
            codec::check(syntax, &stream, header, layout.bytes_a_pixel)?;
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
    let count = header.rows as usize * header.columns as usize;
    let decoded = if header.transfer_syntax_uid == uids::RLE_LOSSLESS {
        rle::decode(&stream(object), count, layout.bytes_a_pixel)?
    } else {
        // Codecs are others' code on anybody's bytes: should one panic on a damaged stream, that is
        // this object's fault and not the program's.
        catch_unwind(AssertUnwindSafe(|| {
            object.decode_pixel_data().map(dicom_pixeldata::DecodedPixelData::into_data)
        }))
        .map_err(|_| unusable("the compressed stream is damaged"))?
        .map_err(|error| unusable(innermost(&error)))?
    };
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

/// The fragments of the pixel data, joined.
fn stream(object: &InMemDicomObject) -> Vec<u8> {
    object
        .get(tags::PIXEL_DATA)
        .and_then(|element| element.fragments())
        .map(<[Vec<u8>]>::concat)
        .unwrap_or_default()
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
        None => {
            return Err(DicomError::attribute("SamplesPerPixel", "0028,0002", "absent"));
        }
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

/// The last cause in a chain of errors: the part that says what happened.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
