//! Values of unknown representation (PS3.5 6.2.2) that the dictionary knows.
//!
//! Whoever passes an object on without knowing an attribute writes it as UN: the value as it would stand
//! in Implicit VR Little Endian. Taken for bytes, a slope of "2" would be the number 50, and a table for
//! the display would not be there at all.

use std::io::Cursor;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use super::attributes::texts;
use super::scan::{self, Encoding};

/// Reads every value of unknown representation again whose attribute the standard knows; what does not
/// read so stays as it is.
pub(super) fn resolve(set: &mut InMemDicomObject) {
    let character_set = character_set(set);
    resolve_in(set, &character_set);
}

fn resolve_in(set: &mut InMemDicomObject, character_set: &[u8]) {
    let touched: Vec<Tag> =
        set.iter().filter(|one| holds(one)).map(|one| one.header().tag).collect();
    for tag in touched {
        let Some(element) = set.take(tag) else { continue };
        let element = if element.vr() == VR::SQ {
            let mut items = element.into_value().into_items().unwrap_or_default();
            for item in &mut items {
                resolve_in(item, character_set);
            }
            DataElement::new(tag, VR::SQ, Value::from(DataSetSequence::from(items)))
        } else {
            known(&element, character_set).unwrap_or(element)
        };
        set.put(element);
    }
}

/// Whether an element is of unknown representation, or one is in it.
fn holds(element: &InMemElement) -> bool {
    match element.items() {
        Some(items) => items.iter().flat_map(InMemDicomObject::iter).any(holds),
        None => element.vr() == VR::UN,
    }
}

fn known(element: &InMemElement, character_set: &[u8]) -> Option<InMemElement> {
    let tag = element.header().tag;
    StandardDataDictionary.by_tag(tag).filter(|entry| entry.vr().relaxed() != VR::UN)?;
    let value = element.value().primitive()?.to_bytes();
    let length = u32::try_from(value.len()).ok()?;
    let header = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    let bytes = [character_set, &header, &length.to_le_bytes(), &value].concat();
    elements(&bytes)?.take(tag)
}

/// The elements of a data set in Implicit VR Little Endian; `None` where the bytes are none.
pub(super) fn elements(bytes: &[u8]) -> Option<InMemDicomObject> {
    scan::data_set(&mut Cursor::new(bytes), Encoding::IMPLICIT).ok()?;
    InMemDicomObject::read_dataset_with_ts(bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased()).ok()
}

/// Specific Character Set (0008,0005) of a data set, encoded so that others can stand behind it.
pub(super) fn character_set(set: &InMemDicomObject) -> Vec<u8> {
    let mut value = texts(set, tags::SPECIFIC_CHARACTER_SET).join("\\").into_bytes();
    if value.is_empty() {
        return value;
    }
    value.resize(value.len().next_multiple_of(2), b' ');
    let length = value.len() as u32;
    [&[8, 0, 5, 0], length.to_le_bytes().as_slice(), &value].concat()
}
