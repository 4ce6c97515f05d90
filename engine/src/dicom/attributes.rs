//! Attributes as plain values: `None` where an attribute is absent, empty or not what it should be.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

/// The first value as text, without padding; `None` when empty.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    texts(object, tag).into_iter().next().filter(|value| !value.is_empty())
}

/// Every value as text, without padding.
pub(super) fn texts(object: &InMemDicomObject, tag: Tag) -> Vec<String> {
    object
        .get(tag)
        .and_then(|element| element.to_multi_str().ok())
        .map(|values| {
            values.iter().map(|value| value.trim_matches([' ', '\0']).to_owned()).collect()
        })
        .unwrap_or_default()
}

/// Every value as a finite number.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    object
        .get(tag)
        .and_then(|element| element.to_multi_float64().ok())
        .filter(|values| values.iter().all(|value| value.is_finite()))
        .unwrap_or_default()
}

/// The first value as a finite number.
pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied()
}

/// The first value as a whole number.
pub(super) fn integer(object: &InMemDicomObject, tag: Tag) -> Option<i64> {
    object.get(tag).and_then(|element| element.to_int::<i64>().ok())
}

/// The items of a sequence.
pub(super) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.get(tag).and_then(|element| element.items()).unwrap_or_default()
}
