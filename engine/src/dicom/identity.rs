//! By what an object is known among others.

use std::io::{Read, Seek};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::text;
use super::source::open;
use super::{DicomError, uid};

/// The UIDs that name an object, and what kind of object it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: String,
}

/// Reads by what an object of any class is known; its header comes into memory, and nothing else.
///
/// # Errors
/// [`DicomError`] where the object cannot be read, or one of its four UIDs is absent or none.
pub fn identify<R: Read + Seek>(source: R) -> Result<Identity, DicomError> {
    identity(&open(source)?.object)
}

/// [`identify`] of an object whose header is in memory.
pub(super) fn identity(object: &InMemDicomObject) -> Result<Identity, DicomError> {
    let uid = |tag, keyword, name| {
        let value = text(object, tag).filter(|value| uid::is_valid(value));
        value.ok_or_else(|| DicomError::attribute(keyword, name, "absent, or no UID"))
    };
    Ok(Identity {
        sop_class_uid: uid(tags::SOP_CLASS_UID, "SOPClassUID", "0008,0016")?,
        sop_instance_uid: uid(tags::SOP_INSTANCE_UID, "SOPInstanceUID", "0008,0018")?,
        study_instance_uid: uid(tags::STUDY_INSTANCE_UID, "StudyInstanceUID", "0020,000D")?,
        series_instance_uid: uid(tags::SERIES_INSTANCE_UID, "SeriesInstanceUID", "0020,000E")?,
    })
}
