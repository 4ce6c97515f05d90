//! Descriptions, codes and structured content, cleaned (action C).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use skiagraph_compliance::deidentification::cleaned;

use crate::dicom::attributes;
use crate::dicom::dx::OWN_SCHEME;
use crate::terms::{findings, places, view_positions};

/// Coding schemes whose codes are published, and so name nobody (PS3.16 table 8-1).
const SCHEMES: [&str; 10] =
    ["DCM", "SCT", "SRT", "SNM3", "LN", "RADLEX", "UCUM", "I10", "I9C", OWN_SCHEME];
/// Value types of structured content that hold codes, numbers or other content, and no text
/// (PS3.3 C.17.3.2.1, table 10-2).
const WITHOUT_TEXT: [&str; 4] = ["CODE", "NUM", "NUMERIC", "CONTAINER"];

/// Words of the platform's own vocabulary.
fn known(word: &str) -> bool {
    static WORDS: OnceLock<BTreeSet<String>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        let findings = findings().iter().flat_map(|one| one.words().chain([one.meaning]));
        let places = places()
            .iter()
            .flat_map(|one| one.words().chain(one.region.map(|(_, meaning)| meaning)));
        let views = view_positions().iter().map(|view| view.snomed.1);
        let texts = findings.chain(places).chain(views);
        let split = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(str::to_lowercase).collect()
        };
        texts.flat_map(split).collect()
    });
    words.contains(word)
}

/// A text in the words that are known; `None` where none is left, or for what is no text.
pub(super) fn text(element: &InMemElement) -> Option<InMemElement> {
    let (tag, vr) = (element.header().tag, element.vr());
    let value: PrimitiveValue = match vr {
        VR::LO | VR::SH | VR::UC => {
            let values = element.to_multi_str().ok()?;
            let kept: Vec<String> =
                values.iter().filter_map(|value| cleaned(value, &known)).collect();
            if kept.is_empty() {
                return None;
            }
            PrimitiveValue::Strs(kept.into())
        }
        VR::ST | VR::LT | VR::UT => cleaned(&element.to_str().ok()?, &known)?.into(),
        _ => return None,
    };
    Some(DataElement::new(tag, vr, value))
}

/// The items of a sequence that may stay: codes of published schemes with their meanings cleaned, and
/// content that is no text. `None` where none may.
pub(super) fn items(items: &[InMemDicomObject]) -> Option<Vec<InMemDicomObject>> {
    let kept: Vec<InMemDicomObject> = items.iter().filter_map(item).collect();
    (!kept.is_empty()).then_some(kept)
}

fn item(item: &InMemDicomObject) -> Option<InMemDicomObject> {
    if let Some(kind) = attributes::text(item, tags::VALUE_TYPE)
        && !WITHOUT_TEXT.contains(&kind.as_str())
    {
        return None;
    }
    if attributes::text(item, tags::CODE_VALUE).is_some() {
        return code(item);
    }
    // An item of something else: every sequence of codes in it is cleaned, every text must be.
    let mut kept = InMemDicomObject::new_empty();
    for element in item {
        let after = match element.vr() {
            VR::SQ => {
                let Some(items) = items(element.items().unwrap_or_default()) else { continue };
                let items = dicom_core::value::DataSetSequence::from(items);
                DataElement::new(element.header().tag, VR::SQ, items)
            }
            VR::LO | VR::SH | VR::UC | VR::ST | VR::LT | VR::UT => {
                let Some(element) = text(element) else { continue };
                element
            }
            VR::PN | VR::UN | VR::UR => continue,
            _ => element.clone(),
        };
        kept.put(after);
    }
    (kept.iter().count() > 0).then_some(kept)
}

/// A code of a published scheme in the form that its codes have, with what its meaning says in words
/// that are known; modifiers are codes as well.
fn code(item: &InMemDicomObject) -> Option<InMemDicomObject> {
    let value = attributes::text(item, tags::CODE_VALUE)?;
    let scheme = attributes::text(item, tags::CODING_SCHEME_DESIGNATOR)?;
    let published = SCHEMES.contains(&scheme.as_str());
    let own =
        |value: &str| findings().iter().any(|finding| crate::dicom::dx::own_code(finding) == value);
    let formed = match scheme.as_str() {
        "DCM" | "SCT" => value.bytes().all(|byte| byte.is_ascii_digit()),
        OWN_SCHEME => own(&value),
        _ => value.len() <= 16 && value.bytes().any(|byte| byte.is_ascii_digit()),
    };
    if !published || !formed {
        return None;
    }
    let mut kept = InMemDicomObject::new_empty();
    for tag in [tags::CODE_VALUE, tags::CODING_SCHEME_DESIGNATOR] {
        kept.put(item.get(tag)?.clone());
    }
    let meaning = item.get(tags::CODE_MEANING).and_then(text);
    let removed = PrimitiveValue::from(super::values::REMOVED);
    kept.put(meaning.unwrap_or_else(|| DataElement::new(tags::CODE_MEANING, VR::LO, removed)));
    for tag in [tags::MODIFIER_CODE_SEQUENCE, tags::VIEW_MODIFIER_CODE_SEQUENCE] {
        let modifiers = item.get(tag).and_then(|element| element.items()).and_then(items);
        if let Some(modifiers) = modifiers {
            let modifiers = dicom_core::value::DataSetSequence::from(modifiers);
            kept.put(DataElement::new(tag, VR::SQ, modifiers));
        }
    }
    Some(kept)
}
