//! What a file says of itself, for what it is worth.

use serde::Serialize;

use crate::dicom::{
    DicomError, Equipment, Header, SyntheticDescription, TRAINED_ALGORITHMIC_MEDIA,
    read_provenance, synthesizing_equipment,
};

/// What an XMP packet in a JPEG begins with (XMP specification part 3, 1.1.3).
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// What a file says of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Said {
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic_data: bool,
    /// The equipment that its Contributing Equipment Sequence (0018,A001) says it was synthesized by.
    pub equipment: Option<Equipment>,
    /// IPTC's digital source type in its metadata is that of a trained model.
    pub source_type: bool,
    /// How it was made, as our own files say.
    pub provenance: Option<Box<SyntheticDescription>>,
}

impl Said {
    /// Whether any of it says that the image is synthetic.
    pub fn says_synthetic(&self) -> bool {
        self.synthetic_data
            || self.equipment.is_some()
            || self.source_type
            || self.provenance.is_some()
    }

    /// Of a DICOM object.
    pub(super) fn of_object(bytes: &[u8], header: &Header) -> Result<Self, DicomError> {
        Ok(Self {
            synthetic_data: header.synthetic,
            equipment: synthesizing_equipment(bytes)?,
            source_type: false,
            provenance: provenance(bytes),
        })
    }

    /// Of a PNG or JPEG.
    pub(super) fn of_picture(bytes: &[u8]) -> Self {
        Self {
            source_type: xmp(bytes).is_some_and(|packet| holds(packet, TRAINED_ALGORITHMIC_MEDIA)),
            provenance: provenance(bytes),
            ..Self::default()
        }
    }
}

/// Our own description; a damaged one is none.
fn provenance(bytes: &[u8]) -> Option<Box<SyntheticDescription>> {
    read_provenance(bytes).ok().map(Box::new)
}

fn holds(packet: &[u8], word: &str) -> bool {
    packet.windows(word.len()).any(|part| part == word.as_bytes())
}

/// The XMP packet of a picture, where it stands uncompressed, as it must for readers that know no more.
fn xmp(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(b"\x89PNG") { xmp_of_png(bytes) } else { xmp_of_jpeg(bytes) }
}

/// The chunk `iTXt` with the keyword of XMP (PNG, third edition, 11.3.3.4; XMP specification part 3, 1.1.5).
fn xmp_of_png(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let chunk = bytes.get(at + 4..at.checked_add(8)?.checked_add(length)?)?;
        if let Some(text) = chunk.strip_prefix(b"iTXt")
            && text.starts_with(b"XML:com.adobe.xmp\0")
        {
            return Some(text);
        }
        at += 12 + length;
    }
}

/// The APP1 segment with XMP, before the image's data.
fn xmp_of_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        let [0xFF, marker, high, low] = *bytes.get(at..at + 4)? else { return None };
        // Start of scan: what follows is the image.
        if marker == 0xDA {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = bytes.get(at + 4..at + 2 + length)?;
        if marker == 0xE1 && segment.starts_with(XMP) {
            return Some(segment);
        }
        at += 2 + length;
    }
}
