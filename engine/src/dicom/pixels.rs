//! From the Pixel Data element to stored values.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::attributes::integer;
use super::codec::{self, Coding};
use super::lookup::signed;
use super::scan::Located;
use super::source::Opened;
use super::{DicomError, Header};

/// Explicit VR Big Endian: retired, and still found in archives.
pub(super) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// How a stored value lies in its word (PS3.5 8.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) bytes_a_pixel: usize,
    bits_stored: u32,
    shift: u32,
    signed: bool,
    /// Absent where pixels are not compressed.
    pub(super) coding: Option<Coding>,
}

impl Layout {
    /// The bits of a word that hold the value.
    pub(super) fn mask(self) -> u16 {
        ((((1_u32 << self.bits_stored) - 1) << self.shift) & 0xFFFF) as u16
    }

    /// Has a header say where decoded values lie, where no stream says it any more.
    pub(super) fn describe(self, set: &mut InMemDicomObject) {
        let high_bit = (self.shift + self.bits_stored - 1) as u16;
        set.put(DataElement::new(tags::HIGH_BIT, VR::US, PrimitiveValue::from(high_bit)));
    }
}

/// Transfer syntaxes whose pixel data is not compressed.
const NATIVE: [&str; 4] = [
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    super::deflated::SYNTAX,
    BIG_ENDIAN,
];

/// Every transfer syntax whose pixels are read.
pub(super) fn transfer_syntaxes() -> impl Iterator<Item = &'static str> {
    NATIVE.into_iter().chain(codec::transfer_syntaxes())
}

/// One frame's words as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Row by row.
    pub(super) words: Vec<u16>,
    layout: Layout,
}

impl Stored {
    /// The value that a word holds: its bits from the one that the header names, with their sign.
    pub(super) fn value(&self, word: u16) -> i32 {
        let Layout { bits_stored, shift, signed, .. } = self.layout;
        let value = (u32::from(word) >> shift) & ((1 << bits_stored) - 1);
        if signed {
            let unused = 32 - bits_stored;
            ((value << unused) as i32) >> unused
        } else {
            value as i32
        }
    }

    /// All values, row by row.
    pub(super) fn values(&self) -> impl Iterator<Item = i32> {
        self.words.iter().map(|word| self.value(*word))
    }
}

fn unusable(cause: impl Into<String>) -> DicomError {
    DicomError::PixelData { cause: cause.into() }
}

/// Checks what the header says of a frame (from 0) against what there is, without decoding it.
pub(super) fn check(
    opened: &mut Opened,
    header: &Header,
    frame: u32,
) -> Result<Layout, DicomError> {
    let layout = layout(&opened.object, header)?;
    match (&opened.pixels, layout.coding) {
        (None, _) => return Err(absent(&opened.object)),
        (Some(Located::Native { run, .. }), None) => {
            let needed = header.frames as u64
                * u64::from(header.rows)
                * u64::from(header.columns)
                * layout.bytes_a_pixel as u64;
            if u64::from(run.length) < needed {
                return Err(unusable(format!(
                    "{} × {} pixels need {needed} bytes, and {} are there",
                    header.columns, header.rows, run.length
                )));
            }
        }
        (Some(Located::Fragments(_)), Some(coding)) => {
            let stream = opened.stream(frame, header.frames)?;
            codec::check(coding, &stream, header, layout.bytes_a_pixel)?;
        }
        (Some(_), _) => return Err(unusable("not encoded as the transfer syntax says")),
    }
    Ok(layout)
}

/// What is said of an object without Pixel Data: its pixels may be numbers of another kind.
fn absent(object: &InMemDicomObject) -> DicomError {
    let cause = "floating-point pixels are not read";
    for (tag, keyword, name) in [
        (tags::FLOAT_PIXEL_DATA, "FloatPixelData", "7FE0,0008"),
        (tags::DOUBLE_FLOAT_PIXEL_DATA, "DoubleFloatPixelData", "7FE0,0009"),
    ] {
        if object.get(tag).is_some() {
            return DicomError::attribute(keyword, name, cause);
        }
    }
    unusable("absent")
}

/// The stored values of a frame (from 0).
pub(super) fn stored(
    opened: &mut Opened,
    header: &Header,
    layout: Layout,
    frame: u32,
) -> Result<Stored, DicomError> {
    let count = header.rows as usize * header.columns as usize;
    let mut words = match layout.coding {
        None => {
            let bytes = opened.native(frame, count * layout.bytes_a_pixel)?;
            codec::words(&bytes, layout.bytes_a_pixel)
        }
        Some(coding) => {
            let stream = opened.stream(frame, header.frames)?;
            codec::check(coding, &stream, header, layout.bytes_a_pixel)?;
            codec::decode(coding, &stream, header, layout.bytes_a_pixel)?
        }
    };
    words.truncate(count);
    Ok(Stored { words, layout })
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
    let transfer_syntax = header.transfer_syntax_uid.as_str();
    let coding = if NATIVE.contains(&transfer_syntax) {
        None
    } else {
        Some(codec::coding(transfer_syntax)?)
    };
    let whole_values = matches!(coding, Some(Coding::Jpeg | Coding::JpegLs | Coding::Jpeg2000));
    Ok(Layout {
        bytes_a_pixel: (bits_allocated / 8) as usize,
        bits_stored,
        // Codecs of the JPEG family give whole values back, wherever the header puts their highest bit.
        shift: if whole_values { 0 } else { high_bit + 1 - bits_stored },
        signed: signed(object),
        coding,
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
