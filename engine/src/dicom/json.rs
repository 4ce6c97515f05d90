//! An object's header as DICOM JSON (PS3.18 annex F), with what is large left where it lies.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Header as _;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use serde_json::{Map, Number, Value, json};

use super::attributes::{integer, text};
use super::pixels::innermost;
use super::scan::Located;
use super::source::open;
use super::{DicomError, frames};

/// Bytes of a value that still stands in the JSON itself; a larger one is bulk data.
const MOST_INLINE: usize = 1 << 10;

/// An object as an index of objects holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: String,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax_uid: String,
    /// Number of Frames (0028,0008); 1 where the object does not say.
    pub frames: u32,
    /// Synthetic Data (0008,001C) is YES.
    pub synthetic: bool,
    /// The data set as DICOM JSON. Of a value that is bulk data, `BulkDataURI` is its tag alone, which
    /// whoever serves it puts behind the instance's own address.
    pub attributes: Value,
}

/// Reads what an index holds of an object. No pixels are decoded.
///
/// # Errors
/// [`DicomError`] where the object cannot be read, or one of its four UIDs is absent or none.
pub fn describe(bytes: &[u8]) -> Result<Described, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let uid = |tag, keyword, name| {
        let value = text(&opened.object, tag).filter(|value| super::uid::is_valid(value));
        value.ok_or_else(|| DicomError::attribute(keyword, name, "absent, or no UID"))
    };
    let sop_class_uid = uid(tags::SOP_CLASS_UID, "SOPClassUID", "0008,0016")?;
    let sop_instance_uid = uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID", "0008,0018")?;
    let study_instance_uid = uid(tags::STUDY_INSTANCE_UID, "StudyInstanceUID", "0020,000D")?;
    let series_instance_uid = uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID", "0020,000E")?;
    let frames = integer(&opened.object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    let synthetic = text(&opened.object, tags::SYNTHETIC_DATA).as_deref() == Some("YES");
    let pixels = opened.pixels.as_ref().map(|located| match located {
        Located::Native { words: true, .. } => VR::OW,
        Located::Native { words: false, .. } | Located::Fragments(_) => VR::OB,
    });
    let mut set = std::mem::replace(&mut *opened.object, InMemDicomObject::new_empty());
    set.convert_to_utf8();
    let mut bulk: Vec<(Tag, VR)> = set.iter().filter_map(bulk_element).collect();
    for (tag, _) in &bulk {
        set.remove_element(*tag);
    }
    bulk.extend(pixels.map(|vr| (tags::PIXEL_DATA, vr)));
    // Others' code on anybody's values, and it says that it panics on some.
    let written = catch_unwind(AssertUnwindSafe(|| dicom_json::to_value(&set)));
    let mut attributes = written
        .map_err(|_| DicomError::Damaged {
            cause: "a value of another kind than its VR".to_owned(),
        })?
        .map_err(|error| DicomError::Write { cause: innermost(&error) })?;
    if let Some(attributes) = attributes.as_object_mut() {
        tidy(attributes);
        for (tag, vr) in bulk {
            let key = key(tag);
            let value = json!({ "vr": vr.to_string(), "BulkDataURI": key });
            attributes.insert(key, value);
        }
    }
    Ok(Described {
        sop_class_uid,
        sop_instance_uid,
        study_instance_uid,
        series_instance_uid,
        transfer_syntax_uid: opened.transfer_syntax.clone(),
        frames: u32::try_from(frames).unwrap_or(1).max(1),
        synthetic,
        attributes,
    })
}

/// The value of an element that [`describe`] left out, by its tag as eight hexadecimal digits; of
/// pixels all frames, not compressed. `None` where the object has no such element, or it is no bulk data.
///
/// # Errors
/// [`DicomError`] where the object or its pixels cannot be read.
pub fn bulk_value(bytes: &[u8], tag: &str) -> Result<Option<Vec<u8>>, DicomError> {
    if tag == key(tags::PIXEL_DATA) {
        return frames::native(bytes).map(Some);
    }
    let opened = open(Cursor::new(bytes))?;
    let found = opened
        .object
        .iter()
        .find(|element| bulk_element(element).is_some_and(|(found, _)| key(found) == tag));
    let value = found.and_then(|element| element.value().primitive());
    Ok(value.map(|value| value.to_bytes().into_owned()))
}

/// The tag of an attribute as eight hexadecimal digits, by its digits or by its keyword in PS3.6.
pub fn attribute_tag(name: &str) -> Option<String> {
    if name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(name.to_uppercase());
    }
    StandardDataDictionary.by_name(name).map(|entry| key(entry.tag()))
}

/// Tag and representation of a top element whose value is bulk data.
fn bulk_element(element: &dicom_object::mem::InMemElement) -> Option<(Tag, VR)> {
    let binary =
        matches!(element.vr(), VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN);
    let large =
        || element.value().primitive().is_some_and(|value| value.to_bytes().len() > MOST_INLINE);
    (binary && large()).then(|| (element.tag(), element.vr()))
}

fn key(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.group(), tag.element())
}

/// Values as readers want them: padding gone, decimal and integer strings as numbers where they are
/// such, and nothing where there is no value.
fn tidy(attributes: &mut Map<String, Value>) {
    // Lengths of groups say nothing here (PS3.5 7.2).
    attributes.retain(|key, _| !key.ends_with("0000"));
    for attribute in attributes.values_mut().filter_map(Value::as_object_mut) {
        let vr = attribute.get("vr").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(values) = attribute.get_mut("Value").and_then(Value::as_array_mut) else {
            continue;
        };
        for value in &mut *values {
            match value {
                Value::Object(item) if vr == "SQ" => tidy(item),
                Value::Object(name) if name.is_empty() => *value = Value::Null,
                Value::String(text) => *value = tidied(text, &vr),
                _ => {}
            }
        }
        if values.iter().all(Value::is_null) {
            attribute.remove("Value");
        }
    }
}

fn tidied(text: &str, vr: &str) -> Value {
    let text = text.trim_end_matches(['\0', ' ']);
    if text.is_empty() {
        return Value::Null;
    }
    let number = match vr {
        "IS" => text.trim().parse::<i32>().ok().map(Number::from),
        "DS" => text.trim().parse::<f64>().ok().and_then(Number::from_f64),
        _ => None,
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_are_tidied_at_every_depth() {
        let mut attributes = json!({
            "00080000": { "vr": "UL", "Value": [12] },
            "00080018": { "vr": "UI", "Value": ["1.2.3\u{0}"] },
            "00080050": { "vr": "SH", "Value": [""] },
            "00080090": { "vr": "PN", "Value": [{}] },
            "00200013": { "vr": "IS", "Value": ["7 "] },
            "00281050": { "vr": "DS", "Value": ["2048", "1e3", "wide"] },
            "00081140": { "vr": "SQ", "Value": [{ "00081155": { "vr": "UI", "Value": ["1.2\u{0}"] } }] },
        });
        tidy(attributes.as_object_mut().unwrap());
        let expected = json!({
            "00080018": { "vr": "UI", "Value": ["1.2.3"] },
            "00080050": { "vr": "SH" },
            "00080090": { "vr": "PN" },
            "00200013": { "vr": "IS", "Value": [7] },
            "00281050": { "vr": "DS", "Value": [2048.0, 1000.0, "wide"] },
            "00081140": { "vr": "SQ", "Value": [{ "00081155": { "vr": "UI", "Value": ["1.2"] } }] },
        });
        assert_eq!(attributes, expected);
    }
}
