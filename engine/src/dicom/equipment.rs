//! Which equipment an object says it was synthesized by, whoever made it.

use std::io::Cursor;

use dicom_dictionary_std::tags;
use serde::Serialize;
use skiagraph_compliance::marking::SYNTHESIZING_EQUIPMENT;

use super::DicomError;
use super::attributes::{items, text};
use super::source::open;

/// What a Contributing Equipment Sequence (0018,A001) tells of the equipment that synthesized an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Equipment {
    /// Manufacturer (0008,0070).
    pub manufacturer: Option<String>,
    /// Manufacturer's Model Name (0008,1090).
    pub model: Option<String>,
    /// Software Versions (0018,1020).
    pub version: Option<String>,
}

/// The first item whose purpose is Synthesizing Equipment (DCM 109100, PS3.16 CID 7005); none where there is
/// none.
///
/// # Errors
/// As [`super::read`], for bytes that are no DICOM object.
pub fn synthesizing_equipment(bytes: &[u8]) -> Result<Option<Equipment>, DicomError> {
    let object = open(Cursor::new(bytes))?.object;
    let item = items(&object, tags::CONTRIBUTING_EQUIPMENT_SEQUENCE).iter().find(|item| {
        items(item, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE).iter().any(|code| {
            let (value, scheme, _) = SYNTHESIZING_EQUIPMENT;
            text(code, tags::CODE_VALUE).as_deref() == Some(value)
                && text(code, tags::CODING_SCHEME_DESIGNATOR).as_deref() == Some(scheme)
        })
    });
    Ok(item.map(|item| Equipment {
        manufacturer: text(item, tags::MANUFACTURER),
        model: text(item, tags::MANUFACTURER_MODEL_NAME),
        version: text(item, tags::SOFTWARE_VERSIONS),
    }))
}
