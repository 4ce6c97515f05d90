//! Values in place of others: dummies by their representation, UIDs, dates.

use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use skiagraph_compliance::deidentification::{Pseudonyms, shifted_date, shifted_datetime};

use crate::dicom::dx::OWN_SCHEME;

/// What stands where a text was.
pub(super) const REMOVED: &str = "REMOVED";
/// Root of the UIDs that the standard itself defines: classes, syntaxes, well-known instances.
const STANDARD_ROOT: &str = "1.2.840.10008.";

/// The element without a value (action Z).
pub(super) fn emptied(element: &InMemElement) -> InMemElement {
    let (tag, vr) = (element.header().tag, element.vr());
    if vr == VR::SQ {
        return DataElement::new(tag, vr, Value::from(DataSetSequence::empty()));
    }
    DataElement::new(tag, vr, PrimitiveValue::Empty)
}

/// The element with a value that fits its representation and says nothing (action D). Of a sequence the
/// first item stays, everything in it a dummy.
pub(super) fn dummy(element: InMemElement, uid: &dyn Fn(&str) -> String) -> InMemElement {
    let (tag, vr) = (element.header().tag, element.vr());
    let value: PrimitiveValue = match vr {
        VR::SQ => {
            let first =
                element.into_value().into_items().and_then(|items| items.into_iter().next());
            let items = first.map(|item| {
                let known = item.into_iter().filter(|element| element.header().tag.0 % 2 == 0);
                InMemDicomObject::from_element_iter(known.map(|element| dummy(element, uid)))
            });
            let items: Vec<_> = items.into_iter().collect();
            return DataElement::new(tag, vr, Value::from(DataSetSequence::from(items)));
        }
        VR::UI => return with_uids(&element, uid),
        VR::DA => "19000101".into(),
        VR::DT => "19000101000000".into(),
        VR::TM => "000000".into(),
        VR::AS => "000Y".into(),
        VR::DS | VR::IS => "0".into(),
        VR::US => 0_u16.into(),
        VR::SS => 0_i16.into(),
        VR::UL => 0_u32.into(),
        VR::SL => 0_i32.into(),
        VR::UV => 0_u64.into(),
        VR::SV => 0_i64.into(),
        VR::FL => 0_f32.into(),
        VR::FD => 0_f64.into(),
        VR::AT | VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => {
            PrimitiveValue::Empty
        }
        _ if tag == tags::CODING_SCHEME_DESIGNATOR => OWN_SCHEME.into(),
        _ => REMOVED.into(),
    };
    DataElement::new(tag, vr, value)
}

/// Every value of a text element changed by a function.
fn mapped(element: &InMemElement, change: impl Fn(&str) -> Option<String>) -> Option<InMemElement> {
    let values = element.to_multi_str().ok()?;
    let changed: Option<Vec<String>> = values
        .iter()
        .map(|value| match value.trim_matches([' ', '\0']) {
            "" => Some(String::new()),
            value => change(value),
        })
        .collect();
    let changed = PrimitiveValue::Strs(changed?.into());
    Some(DataElement::new(element.header().tag, element.vr(), changed))
}

/// The element with other UIDs (action U); those of the standard stay.
pub(super) fn with_uids(element: &InMemElement, uid: &dyn Fn(&str) -> String) -> InMemElement {
    let change = |value: &str| {
        Some(if value.starts_with(STANDARD_ROOT) { value.to_owned() } else { uid(value) })
    };
    mapped(element, change).unwrap_or_else(|| emptied(element))
}

/// The element with its dates so many days earlier; times of day stay. `None` where a value is no date,
/// or the element none at all.
pub(super) fn moved(element: &InMemElement, days: u64) -> Option<InMemElement> {
    match element.vr() {
        VR::DA => mapped(element, |value| shifted_date(value, days)),
        VR::DT => mapped(element, |value| shifted_datetime(value, days)),
        // What is no time of day may be anything.
        VR::TM => mapped(element, |value| {
            let time = |c: char| c.is_ascii_digit() || matches!(c, '.' | ':');
            value.chars().all(time).then(|| value.to_owned())
        }),
        _ => None,
    }
}

/// The element with a patient's pseudonym.
pub(super) fn pseudonym(element: &InMemElement, patient: &str) -> InMemElement {
    DataElement::new(element.header().tag, element.vr(), PrimitiveValue::from(patient))
}

/// The UID in place of another under a key; as it is where the object has its UIDs already.
pub(super) fn uid_of(pseudonyms: &Pseudonyms, keep: bool) -> impl Fn(&str) -> String {
    move |uid| if keep { uid.to_owned() } else { pseudonyms.uid(uid) }
}
