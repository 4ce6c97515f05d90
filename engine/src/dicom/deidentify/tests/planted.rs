//! An object in which every attribute of the table holds a planted string, private ones too, nested ones
//! too.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use skiagraph_compliance::deidentification::{Edition, Policy, ProfileOption, Pseudonyms};

use super::super::{Deidentified, Deidentifier};
use crate::dicom::dx::encode_as;

/// What must be found nowhere afterwards: a name, an identifier, and the parts of both.
pub(super) const SECRETS: [&str; 4] = ["ZZYXDOE", "QUUXJANE", "MRN7734155", "19590214"];
/// A UID of the hospital's root.
pub(super) const SECRET_UID: &str = "1.3.6.1.4.1.99999.7734";

pub(super) const KEY: &[u8] = b"a key that only the tests have";

pub(super) fn deidentifier(options: &[ProfileOption]) -> Deidentifier {
    let policy = Policy::new(Edition::default(), options.iter().copied()).unwrap();
    Deidentifier::new(policy, Pseudonyms::new(KEY).unwrap())
}

/// The clean bytes, or a panic with the reason.
pub(super) fn clean(deidentifier: &Deidentifier, bytes: &[u8]) -> Vec<u8> {
    match deidentifier.deidentify(std::io::Cursor::new(bytes)).unwrap() {
        Deidentified::Clean { bytes, .. } => bytes,
        Deidentified::Quarantined { reason, .. } => panic!("quarantined: {reason}"),
    }
}

/// A secret that fits a representation; nothing for numbers and bytes.
fn secret(vr: VR) -> PrimitiveValue {
    match vr {
        VR::PN => "ZZYXDOE^QUUXJANE".into(),
        VR::DA | VR::DT => "19590214".into(),
        VR::UI => SECRET_UID.into(),
        VR::AE | VR::CS | VR::LO | VR::SH | VR::UC => "MRN7734155".into(),
        VR::LT | VR::ST | VR::UT | VR::UR => "seen by ZZYXDOE QUUXJANE, MRN7734155".into(),
        VR::AS => "062Y".into(),
        VR::TM => "101112".into(),
        VR::DS | VR::IS => "1".into(),
        VR::US => 1_u16.into(),
        VR::SS => 1_i16.into(),
        VR::UL => 1_u32.into(),
        VR::SL => 1_i32.into(),
        VR::FL => 1_f32.into(),
        VR::FD => 1_f64.into(),
        VR::OB | VR::OW | VR::UN => PrimitiveValue::from(b"ZZYXDOE QUUXJANE".to_vec()),
        _ => PrimitiveValue::Empty,
    }
}

fn element(tag: Tag, vr: VR, depth: u32) -> InMemElement {
    if vr != VR::SQ {
        return DataElement::new(tag, vr, secret(vr));
    }
    let items = if depth == 0 { vec![] } else { vec![item(depth - 1)] };
    DataElement::new(tag, vr, DataSetSequence::from(items))
}

/// An item with a bit of everything, and an item of its own.
fn item(depth: u32) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    for (tag, vr) in [
        (tags::PATIENT_NAME, VR::PN),
        (tags::PATIENT_ID, VR::LO),
        (tags::STUDY_DATE, VR::DA),
        (tags::REFERENCED_SOP_INSTANCE_UID, VR::UI),
        (tags::CODE_VALUE, VR::SH),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH),
        (tags::CODE_MEANING, VR::LO),
        (tags::TEXT_VALUE, VR::UT),
        (tags::PERSON_NAME, VR::PN),
        (Tag(0x0009, 0x0010), VR::LO),
        (Tag(0x0009, 0x1001), VR::UN),
        (tags::REFERENCED_STUDY_SEQUENCE, VR::SQ),
        // An attribute that stays, with a sequence in it that does not.
        (tags::VIEW_CODE_SEQUENCE, VR::SQ),
    ] {
        item.put(element(tag, vr, depth));
    }
    item
}

/// The object: a DX image of 64 × 48 with twelve bits, and every attribute of the newest table.
pub(super) fn object() -> InMemDicomObject {
    let mut set = InMemDicomObject::new_empty();
    for (group, element_number) in Edition::default().table().tags() {
        let tag = Tag(group, element_number);
        // Commands and other files' meta information stand in no data set.
        let Some(entry) = StandardDataDictionary.by_tag(tag).filter(|_| group >= 8) else {
            continue;
        };
        set.put(element(tag, entry.vr().relaxed(), 2));
    }
    let text = |set: &mut InMemDicomObject, tag, vr, value: &str| {
        set.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    };
    for (tag, vr, value) in [
        (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        (tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION),
        (tags::SOP_INSTANCE_UID, VR::UI, "1.3.6.1.4.1.99999.7734.1"),
        (tags::STUDY_INSTANCE_UID, VR::UI, "1.3.6.1.4.1.99999.7734.2"),
        (tags::SERIES_INSTANCE_UID, VR::UI, "1.3.6.1.4.1.99999.7734.3"),
        (tags::MODALITY, VR::CS, "DX"),
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::VIEW_POSITION, VR::CS, "PA"),
        (tags::PATIENT_SEX, VR::CS, "F"),
        (tags::PATIENT_AGE, VR::AS, "062Y"),
        (tags::STUDY_DATE, VR::DA, "20240301"),
        (tags::SERIES_DATE, VR::DA, "20240302"),
        (tags::STUDY_DESCRIPTION, VR::LO, "Chest PA of ZZYXDOE"),
        // Where no table looks for a name.
        (tags::MANUFACTURER, VR::LO, "Works of ZZYXDOE"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        (tags::PATIENT_STATE, VR::LO, "MRN7734155"),
        (Tag(0x0009, 0x0010), VR::LO, "ACME 1.1"),
        (Tag(0x0009, 0x1001), VR::LO, "ZZYXDOE^QUUXJANE"),
        (Tag(0x0045, 0x0010), VR::LO, "GEMS_SENO_02"),
        (Tag(0x0045, 0x1006), VR::DS, "7.5"),
        (Tag(0x0045, 0x101B), VR::CS, "MRN7734155"),
        (Tag(0x6000, 0x4000), VR::LT, "ZZYXDOE"),
        (Tag(0x6000, 0x1500), VR::LO, "ZZYXDOE"),
    ] {
        text(&mut set, tag, vr, value);
    }
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, 48),
        (tags::COLUMNS, 64),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        set.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
    }
    set.put(DataElement::new(
        Tag(0x6000, 0x3000),
        VR::OW,
        PrimitiveValue::from(vec![0xFF_u8; 384]),
    ));
    let pixels: Vec<u16> = (0..48_u16 * 64).map(|at| (at % 64) * 30 + (at / 64) * 10).collect();
    set.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    set
}

pub(super) fn encoded(set: InMemDicomObject) -> Vec<u8> {
    encode_as(set, uids::EXPLICIT_VR_LITTLE_ENDIAN).unwrap()
}

/// Every value of a data set at any depth, with its tag, as text.
pub(super) fn values(set: &InMemDicomObject) -> Vec<(Tag, String)> {
    let mut found = Vec::new();
    for element in set {
        let tag = element.header().tag;
        if let Some(items) = element.items() {
            found.extend(items.iter().flat_map(values));
        } else if let Some(value) = element.value().primitive() {
            let bytes = String::from_utf8_lossy(&value.to_bytes()).into_owned();
            found.push((tag, bytes));
        }
    }
    found
}
