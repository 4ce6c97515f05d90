//! An object's header as DICOM JSON (PS3.18 annex F), with what is large left where it lies.
//!
//! Not by dicom-json: it panics on values of another kind than their representation. To be looked at again when it
//! does not.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Header as _;
use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use serde_json::{Map, Number, Value, json};

use super::attributes::{integer, text};
use super::identity::identity;
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
    /// The data set as DICOM JSON, by ascending tag (F.2.2). Of a value that is bulk data, `BulkDataURI` is its tag
    /// alone, which whoever serves it puts behind the instance's own address.
    pub attributes: Value,
}

/// Reads what an index holds of an object. No pixels are decoded.
///
/// # Errors
/// [`DicomError`] where the object cannot be read, or one of its four UIDs is absent or none.
pub fn describe(bytes: &[u8]) -> Result<Described, DicomError> {
    let mut opened = open(Cursor::new(bytes))?;
    let identity = identity(&opened.object)?;
    let frames = integer(&opened.object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    let synthetic = text(&opened.object, tags::SYNTHETIC_DATA).as_deref() == Some("YES");
    let pixels = opened.pixels.as_ref().map(|located| match located {
        Located::Native { words: true, .. } => VR::OW,
        Located::Native { words: false, .. } | Located::Fragments(_) => VR::OB,
    });
    let mut set = std::mem::replace(&mut opened.object, InMemDicomObject::new_empty());
    set.convert_to_utf8();
    let mut bulk: Vec<(Tag, VR)> = set.iter().filter_map(bulk_element).collect();
    for (tag, _) in &bulk {
        set.remove_element(*tag);
    }
    bulk.extend(pixels.map(|vr| (tags::PIXEL_DATA, vr)));
    let mut attributes = data_set(&set);
    for (tag, vr) in bulk {
        let key = key(tag);
        let value = json!({ "vr": vr.to_string(), "BulkDataURI": key });
        attributes.insert(key, value);
    }
    attributes.sort_keys();
    Ok(Described {
        sop_class_uid: identity.sop_class_uid,
        sop_instance_uid: identity.sop_instance_uid,
        study_instance_uid: identity.study_instance_uid,
        series_instance_uid: identity.series_instance_uid,
        transfer_syntax_uid: opened.transfer_syntax.clone(),
        frames: u32::try_from(frames).unwrap_or(1).max(1),
        synthetic,
        attributes: Value::Object(attributes),
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
fn bulk_element(element: &InMemElement) -> Option<(Tag, VR)> {
    let binary =
        matches!(element.vr(), VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN);
    let large =
        || element.value().primitive().is_some_and(|value| value.to_bytes().len() > MOST_INLINE);
    (binary && large()).then(|| (element.tag(), element.vr()))
}

fn key(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.group(), tag.element())
}

/// A data set as an object (F.2.2). Lengths of groups say nothing (PS3.5 7.2) and are left out.
fn data_set(set: &InMemDicomObject) -> Map<String, Value> {
    let elements = set.iter().filter(|element| element.tag().element() != 0);
    elements.map(|element| (key(element.tag()), attribute(element))).collect()
}

/// An attribute with its values (F.2.3): nothing where there is none, and null for an empty one of
/// several.
fn attribute(element: &InMemElement) -> Value {
    let vr = element.vr();
    let name = vr.to_string();
    if let Some(items) = element.items() {
        let items: Vec<Value> = items.iter().map(|item| Value::Object(data_set(item))).collect();
        return valued(name, items);
    }
    let Some(value) = element.value().primitive() else { return json!({ "vr": name }) };
    match vr {
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => {
            let bytes = value.to_bytes();
            if bytes.is_empty() {
                return json!({ "vr": name });
            }
            json!({ "vr": name, "InlineBinary": BASE64.encode(bytes) })
        }
        VR::AT => {
            let PrimitiveValue::Tags(tags) = value else { return json!({ "vr": name }) };
            valued(name, tags.iter().map(|tag| Value::String(key(*tag))).collect())
        }
        VR::FL | VR::FD => valued(
            name,
            value.to_multi_float64().unwrap_or_default().into_iter().map(float).collect(),
        ),
        VR::SL | VR::SS | VR::SV | VR::UL | VR::US | VR::UV => valued(
            name,
            value.to_multi_int::<i128>().unwrap_or_default().into_iter().map(whole).collect(),
        ),
        _ => valued(name, value.to_multi_str().iter().map(|text| written(text, vr)).collect()),
    }
}

fn valued(vr: &str, values: Vec<Value>) -> Value {
    if values.iter().all(Value::is_null) {
        json!({ "vr": vr })
    } else {
        json!({ "vr": vr, "Value": values })
    }
}

/// Numbers that JSON has no form for are words (F.2.3.1).
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(
        || {
            let word = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "inf"
            } else {
                "-inf"
            };
            Value::String(word.to_owned())
        },
        Value::Number,
    )
}

/// Whole numbers that some readers would round are written as text.
fn whole(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(exact) if exact.unsigned_abs() < 1 << 53 => Value::from(exact),
        _ => Value::String(number.to_string()),
    }
}

/// A text without its padding: a name by its groups (F.2.2), decimal and integer strings as numbers
/// where they are such.
fn written(text: &str, vr: VR) -> Value {
    let text = text.trim_end_matches(['\0', ' ']);
    if text.is_empty() {
        return Value::Null;
    }
    let number = match vr {
        VR::PN => {
            let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(text.split('='));
            let filled = groups.filter(|(_, group)| !group.is_empty());
            return filled.map(|(name, group)| (name.to_owned(), Value::from(group))).collect();
        }
        VR::IS => text.trim().parse::<i32>().ok().map(Number::from),
        VR::DS => text.trim().parse::<f64>().ok().and_then(Number::from_f64),
        _ => None,
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, dicom_value};

    use super::*;

    fn element(tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) -> InMemElement {
        DataElement::new(tag, vr, value.into())
    }

    /// What each kind of value becomes, by the tables of PS3.18 F.2.
    #[test]
    fn values_are_those_of_the_standard_at_every_depth() {
        let item = InMemDicomObject::from_element_iter([element(
            tags::REFERENCED_SOP_INSTANCE_UID,
            VR::UI,
            "1.2\0",
        )]);
        let sequence = DataElement::new(
            tags::REFERENCED_IMAGE_SEQUENCE,
            VR::SQ,
            DataSetSequence::from(vec![item]),
        );
        let set = InMemDicomObject::from_element_iter([
            element(Tag(0x0008, 0x0000), VR::UL, PrimitiveValue::from(12_u32)),
            element(tags::ACCESSION_NUMBER, VR::SH, ""),
            element(tags::IMAGE_TYPE, VR::CS, dicom_value!(Strs, ["DERIVED", "", "X "])),
            element(tags::PATIENT_NAME, VR::PN, "Yamada^Tarou==\u{3084}"),
            element(tags::INSTANCE_NUMBER, VR::IS, "7 "),
            element(tags::WINDOW_CENTER, VR::DS, dicom_value!(Strs, ["2048", "1e3", "wide"])),
            element(tags::ROWS, VR::US, PrimitiveValue::from(40_u16)),
            element(tags::FRAME_INCREMENT_POINTER, VR::AT, dicom_value!(Tags, [tags::ROWS])),
            element(tags::RECOMMENDED_DISPLAY_FRAME_RATE_IN_FLOAT, VR::FL, f32::INFINITY),
            element(tags::SELECTOR_UV_VALUE, VR::UV, PrimitiveValue::from(u64::MAX)),
            element(tags::ICC_PROFILE, VR::OB, PrimitiveValue::from(vec![1_u8, 2])),
            sequence,
        ]);
        let expected = json!({
            "00080008": { "vr": "CS", "Value": ["DERIVED", null, "X"] },
            "00080050": { "vr": "SH" },
            "00081140": { "vr": "SQ", "Value": [{ "00081155": { "vr": "UI", "Value": ["1.2"] } }] },
            "00100010": {
                "vr": "PN",
                "Value": [{ "Alphabetic": "Yamada^Tarou", "Phonetic": "\u{3084}" }],
            },
            "00200013": { "vr": "IS", "Value": [7] },
            "00280009": { "vr": "AT", "Value": ["00280010"] },
            "00280010": { "vr": "US", "Value": [40] },
            "00281050": { "vr": "DS", "Value": [2048.0, 1000.0, "wide"] },
            "00282000": { "vr": "OB", "InlineBinary": "AQI=" },
            "00089459": { "vr": "FL", "Value": ["inf"] },
            "00720083": { "vr": "UV", "Value": ["18446744073709551615"] },
        });
        assert_eq!(Value::Object(data_set(&set)), expected);
    }
}
