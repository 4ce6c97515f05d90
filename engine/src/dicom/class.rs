//! Which storage classes are radiographs (PS3.4 B.5), and what the others are called when they are
//! refused.

use dicom_core::dictionary::UidDictionary;
use dicom_dictionary_std::{StandardSopClassDictionary, uids};

use super::DicomError;

/// Storage classes of plain radiographs.
const RADIOGRAPHS: [&str; 5] = [
    uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
    uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
];

/// Storage classes that hold radiographs among other things.
const CAPTURES: [&str; 3] = [
    uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
    uids::MULTI_FRAME_GRAYSCALE_BYTE_SECONDARY_CAPTURE_IMAGE_STORAGE,
    uids::MULTI_FRAME_GRAYSCALE_WORD_SECONDARY_CAPTURE_IMAGE_STORAGE,
];

/// Modalities that a Secondary Capture must have to be taken for a radiograph: RG is a film, IO and PX
/// are of the teeth.
const RADIOGRAPHIC: [&str; 6] = ["CR", "DX", "MG", "RG", "IO", "PX"];

/// Classes that are X-ray images and no radiographs, or that many hold for some, each with the reason.
const REFUSED: [(&str, &str); 6] = [
    (uids::X_RAY_ANGIOGRAPHIC_IMAGE_STORAGE, "a run of angiography, not a still radiograph"),
    (uids::X_RAY_RADIOFLUOROSCOPIC_IMAGE_STORAGE, "fluoroscopy, not a still radiograph"),
    (uids::BREAST_TOMOSYNTHESIS_IMAGE_STORAGE, "reconstructed slices, not a projection"),
    (
        uids::BREAST_PROJECTION_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
        "projections of a tomosynthesis, whose geometry stands in functional groups",
    ),
    (
        uids::DIGITAL_INTRA_ORAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
        "a film of the teeth, which no model here is about",
    ),
    (
        uids::DIGITAL_INTRA_ORAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
        "a film of the teeth, which no model here is about",
    ),
];

/// Every storage class of which objects may be radiographs.
pub(super) fn storage_classes() -> impl Iterator<Item = &'static str> {
    RADIOGRAPHS.into_iter().chain(CAPTURES)
}

/// Refuses what is no radiograph, with the class's name and the reason.
///
/// # Errors
/// [`DicomError::Attribute`] of SOP Class UID, or of Modality for a Secondary Capture.
pub(super) fn check(sop_class_uid: &str, modality: &str) -> Result<(), DicomError> {
    if RADIOGRAPHS.contains(&sop_class_uid) {
        return Ok(());
    }
    if CAPTURES.contains(&sop_class_uid) {
        if RADIOGRAPHIC.contains(&modality) {
            return Ok(());
        }
        return Err(DicomError::attribute(
            "Modality",
            "0008,0060",
            format!(
                "a Secondary Capture is read as a radiograph when its modality is one of {}",
                RADIOGRAPHIC.join(", ")
            ),
        ));
    }
    let reason = REFUSED
        .iter()
        .find(|(uid, _)| *uid == sop_class_uid)
        .map_or("DX, CR, MG and Secondary Capture of a radiograph are read", |(_, reason)| reason);
    // The standard's own name; a UID that it does not know may be anything, and is not repeated.
    let name = StandardSopClassDictionary
        .by_uid(sop_class_uid)
        .map_or("a class that the standard does not know", |entry| entry.name);
    Err(DicomError::attribute(
        "SOPClassUID",
        "0008,0016",
        format!("not a radiograph but {name}: {reason}"),
    ))
}
