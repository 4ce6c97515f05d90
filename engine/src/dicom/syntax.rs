//! How a synthetic object's pixels are written: bits and transfer syntax.

use std::str::FromStr;

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::codec::{self, Coding};
use super::dx::{Elements, encode, encode_as};
use super::{DicomError, deflated};

/// Transfer syntaxes in which synthetic objects are written, all of them without a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TransferSyntax {
    /// Explicit VR Little Endian: what every program reads.
    #[default]
    Explicit,
    /// Deflated Explicit VR Little Endian (PS3.5 A.5): the header is compressed as well.
    Deflated,
    /// RLE Lossless (PS3.5 annex G).
    Rle,
    /// JPEG-LS Lossless (ITU-T T.87): the smallest.
    JpegLs,
}

impl TransferSyntax {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Explicit, Self::Deflated, Self::Rle, Self::JpegLs];

    /// Its word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Deflated => "deflated",
            Self::Rle => "rle",
            Self::JpegLs => "jpeg-ls",
        }
    }

    /// Its UID (PS3.6 table A-1).
    pub const fn uid(self) -> &'static str {
        match self {
            Self::Explicit => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            Self::Deflated => deflated::SYNTAX,
            Self::Rle => uids::RLE_LOSSLESS,
            Self::JpegLs => uids::JPEGLS_LOSSLESS,
        }
    }
}

impl FromStr for TransferSyntax {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = |syntax: &Self| syntax.name() == word || syntax.uid() == word;
        Self::ALL.into_iter().find(known).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("known are {names}, and their UIDs")
        })
    }
}

/// How a synthetic image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Bits Stored (0028,0101), from 12 to 16.
    pub bits: u16,
    /// The transfer syntax.
    pub transfer_syntax: TransferSyntax,
}

impl Default for WriteOptions {
    /// Twelve bits, what a detector gives and more than an eye can tell apart, and not compressed.
    fn default() -> Self {
        Self { bits: 12, transfer_syntax: TransferSyntax::Explicit }
    }
}

impl WriteOptions {
    /// Checks the bits.
    ///
    /// # Errors
    /// [`DicomError::Attribute`] of Bits Stored.
    pub fn check(&self) -> Result<(), DicomError> {
        if (12..=16).contains(&self.bits) {
            return Ok(());
        }
        Err(DicomError::attribute("BitsStored", "0028,0101", "must lie between 12 and 16"))
    }
}

/// Encodes a data set whose pixels are one frame of 16-bit words.
pub(super) fn encode_with(
    elements: Elements,
    options: WriteOptions,
    (columns, rows): (u16, u16),
) -> Result<Vec<u8>, DicomError> {
    let coding = match options.transfer_syntax {
        TransferSyntax::Explicit => return encode(elements),
        TransferSyntax::Deflated => return deflated::encode(elements.0),
        TransferSyntax::Rle => Coding::Rle,
        TransferSyntax::JpegLs => Coding::JpegLs,
    };
    let mut set = elements.0;
    let native = set.take(tags::PIXEL_DATA).map(DataElement::into_value);
    let Some(Value::Primitive(PrimitiveValue::U16(values))) = native else {
        return Err(DicomError::PixelData { cause: "no words to compress".to_owned() });
    };
    let mut stream = codec::encode(coding, &values, (columns, rows), options.bits)?;
    // A fragment has even length (PS3.5 A.4); behind the end of a stream its decoders read nothing.
    stream.resize(stream.len().next_multiple_of(2), 0);
    // One fragment of one frame needs no offset table.
    let fragments: Value<InMemDicomObject, Vec<u8>> =
        Value::PixelSequence(PixelFragmentSequence::new(vec![], vec![stream]));
    set.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
    encode_as(set, options.transfer_syntax.uid())
}
