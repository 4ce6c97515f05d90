//! Objects made on the spot: small, and different in one thing at a time.

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;
use skiagraph_compliance::deidentification::{Edition, Policy, Pseudonyms};

use crate::dicom::{Deidentified, Deidentifier};

/// An object under construction.
#[derive(Clone)]
pub(super) struct Object {
    set: InMemDicomObject,
    transfer_syntax: &'static str,
}

impl Object {
    /// A DX object of 16-bit words, as wide as it has to be.
    pub(super) fn words(columns: u16, values: &[u16]) -> Self {
        let rows = u16::try_from(values.len()).unwrap() / columns;
        let mut object = Self::without_pixels(columns, rows);
        object.set.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16(values.into()),
        ));
        object
    }

    /// Such an object of eight bits; of several frames where there are more values than one needs.
    pub(super) fn octets(columns: u16, rows: u16, values: &[u8]) -> Self {
        let mut object = Self::without_pixels(columns, rows)
            .short(tags::BITS_ALLOCATED, 8)
            .short(tags::BITS_STORED, 8)
            .short(tags::HIGH_BIT, 7);
        let values = PrimitiveValue::from(values.to_vec());
        object.set.put(DataElement::new(tags::PIXEL_DATA, VR::OB, values));
        object
    }

    /// An object of 8-bit pixels in a compressed stream.
    pub(super) fn compressed(
        columns: u16,
        rows: u16,
        bits: u16,
        transfer_syntax: &'static str,
        fragments: Vec<Vec<u8>>,
    ) -> Self {
        let mut object = Self::without_pixels(columns, rows)
            .short(tags::BITS_ALLOCATED, if bits > 8 { 16 } else { 8 })
            .short(tags::BITS_STORED, bits)
            .short(tags::HIGH_BIT, bits - 1);
        object.transfer_syntax = transfer_syntax;
        let sequence: Value<InMemDicomObject, Vec<u8>> =
            Value::PixelSequence(PixelFragmentSequence::new(vec![], fragments));
        object.set.put(DataElement::new(tags::PIXEL_DATA, VR::OB, sequence));
        object
    }

    pub(super) fn without_pixels(columns: u16, rows: u16) -> Self {
        Self {
            set: InMemDicomObject::new_empty(),
            transfer_syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN,
        }
        .text(tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION)
        .text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1")
        .text(tags::MODALITY, VR::CS, "DX")
        .text(tags::PATIENT_ID, VR::LO, "P1")
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .short(tags::SAMPLES_PER_PIXEL, 1)
        .short(tags::ROWS, rows)
        .short(tags::COLUMNS, columns)
        .short(tags::BITS_ALLOCATED, 16)
        .short(tags::BITS_STORED, 16)
        .short(tags::HIGH_BIT, 15)
        .short(tags::PIXEL_REPRESENTATION, 0)
    }

    pub(super) fn text(mut self, tag: Tag, vr: VR, value: &str) -> Self {
        self.set.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn short(mut self, tag: Tag, value: u16) -> Self {
        self.set.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn signed_short(mut self, tag: Tag, value: i16) -> Self {
        self.set.put(DataElement::new(tag, VR::SS, PrimitiveValue::from(value)));
        self
    }

    pub(super) fn binary(mut self, tag: Tag, vr: VR, value: &[u8]) -> Self {
        self.set.put(DataElement::new(tag, vr, PrimitiveValue::from(value.to_vec())));
        self
    }

    pub(super) fn window(self, center: &str, width: &str) -> Self {
        self.text(tags::WINDOW_CENTER, VR::DS, center).text(tags::WINDOW_WIDTH, VR::DS, width)
    }

    pub(super) fn item(mut self, tag: Tag, item: InMemDicomObject) -> Self {
        let sequence = DataSetSequence::from(vec![item]);
        self.set.put(DataElement::new(tag, VR::SQ, Value::from(sequence)));
        self
    }

    pub(super) fn put(mut self, element: InMemElement) -> Self {
        self.set.put(element);
        self
    }

    pub(super) fn without(mut self, tag: Tag) -> Self {
        self.set.remove_element(tag);
        self
    }

    pub(super) fn syntax(mut self, transfer_syntax: &'static str) -> Self {
        self.transfer_syntax = transfer_syntax;
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let meta = FileMetaTableBuilder::new().transfer_syntax(self.transfer_syntax);
        let mut bytes = Vec::new();
        self.set.clone().with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
        bytes
    }
}

/// A look-up table of 8-bit entries in 16-bit words.
pub(super) fn table(first: u16, bits: u16, values: &[u16]) -> InMemDicomObject {
    let count = u16::try_from(values.len()).unwrap();
    InMemDicomObject::from_element_iter([
        DataElement::new(
            tags::LUT_DESCRIPTOR,
            VR::US,
            PrimitiveValue::U16(vec![count, first, bits].into()),
        ),
        DataElement::new(tags::LUT_DATA, VR::OW, PrimitiveValue::U16(values.into())),
    ])
}

/// A value of every code that the reader's golden numbers use: 16 × 12, ten bits.
pub(super) fn pattern() -> Vec<u16> {
    (0..12_u16)
        .flat_map(|row| (0..16_u16).map(move |column| (row * 331 + column * 173) % 1024))
        .collect()
}

pub(super) fn from_hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

/// RLE of 16-bit words as literal runs (PS3.5 G): the high bytes' segment, then the low bytes'.
pub(super) fn run_lengths(values: &[u16]) -> Vec<u8> {
    let segment = |shift: u32| -> Vec<u8> {
        let bytes: Vec<u8> = values.iter().map(|value| (value >> shift) as u8).collect();
        let runs = bytes
            .chunks(128)
            .flat_map(|run| std::iter::once((run.len() - 1) as u8).chain(run.iter().copied()));
        let mut runs: Vec<u8> = runs.collect();
        runs.resize(runs.len().next_multiple_of(2), 0x80);
        runs
    };
    let (high, low) = (segment(8), segment(0));
    let mut header = [0_u32; 16];
    header[..3].copy_from_slice(&[2, 64, 64 + high.len() as u32]);
    let mut stream: Vec<u8> = header.iter().flat_map(|value| value.to_le_bytes()).collect();
    stream.extend(high);
    stream.extend(low);
    stream
}

/// Where an element's header begins in a file of explicit representations.
pub(super) fn element_at(bytes: &[u8], tag: Tag) -> usize {
    let header = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    let begins =
        |window: &[u8]| window[..4] == header && window[4..6].iter().all(u8::is_ascii_uppercase);
    bytes.windows(6).position(begins).unwrap()
}

/// The value of a sequence of one item, as it stands in Implicit VR Little Endian.
pub(super) fn implicit(item: &InMemDicomObject) -> Vec<u8> {
    let mut value = Vec::new();
    let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    item.write_dataset_with_ts(&mut value, &syntax).unwrap();
    let length = u32::try_from(value.len()).unwrap();
    [&[0xFE, 0xFF, 0, 0xE0], length.to_le_bytes().as_slice(), &value].concat()
}

/// The object without what identifies, under the basic profile; or why there is none.
pub(super) fn deidentified(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let policy = Policy::new(Edition::default(), []).unwrap();
    let deidentifier = Deidentifier::new(policy, Pseudonyms::new(&[7; 32]).unwrap());
    match deidentifier.deidentify(std::io::Cursor::new(bytes)) {
        Ok(Deidentified::Clean { bytes, .. }) => Ok(bytes),
        Ok(Deidentified::Quarantined { reason, .. }) => Err(reason),
        Err(error) => Err(error.to_string()),
    }
}
