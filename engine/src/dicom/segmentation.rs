//! The mask of a synthetic image as a Segmentation (PS3.3 A.51): binary, of one segment, the lungs.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::companion::{Companion, Image};
use super::dx::{Elements, code, encode};
use super::{DicomError, Frame, uid};
use crate::terms::Laterality;

/// Writes the lung mask that the synthetic `image`, a DICOM object, was made to follow, as a Segmentation
/// in the image's study. What is white in `mask` (from 0.5 up) is lung; it is brought to the image's size
/// where it has another. The same image and mask give the same bytes.
///
/// A radiograph has no frame of reference, so that the mask has none and no pixel spacing of its own: each
/// of its pixels is one of the image that it names (A.51.5.1). It was drawn and not computed, and its
/// pixels are not compressed.
///
/// # Errors
/// [`DicomError`] for an image that is no synthetic radiograph, and for a mask without lungs.
pub fn write_segmentation(image: &[u8], mask: &Frame) -> Result<Vec<u8>, DicomError> {
    let image = Image::of(image)?;
    let bits = packed(&image, mask)?;
    let (date, time) = (image.text(tags::CONTENT_DATE), image.text(tags::CONTENT_TIME));
    let mut e = image.elements(&Companion {
        sop_class: uids::SEGMENTATION_STORAGE,
        identity: &[&bits],
        modality: "SEG",
        series_number: "2",
        series_description: "SYNTHETIC - mask of the lungs",
        date: &date,
        time: &time,
    });
    let orientation = image.texts(tags::PATIENT_ORIENTATION);
    let orientation: Vec<&str> = orientation.iter().map(String::as_str).collect();
    e.texts(tags::PATIENT_ORIENTATION, VR::CS, &orientation);
    e.sequence(
        tags::REFERENCED_SERIES_SEQUENCE,
        vec![image.series_reference(tags::REFERENCED_INSTANCE_SEQUENCE).0],
    );
    segments(&mut e, &image);
    frames(&mut e, &image);
    pixels(&mut e, &image, bits);
    encode(e)
}

/// A bit a pixel, the first one lowest (PS3.5 8.1.1), in bytes of even number.
fn packed(image: &Image, mask: &Frame) -> Result<Vec<u8>, DicomError> {
    if mask.pixels.len() != mask.width as usize * mask.height as usize || mask.pixels.is_empty() {
        return Err(DicomError::Write {
            cause: format!("a mask of {} × {} pixels", mask.width, mask.height),
        });
    }
    let mask = mask.resized(image.header.columns, image.header.rows);
    let mut bytes = vec![0; mask.pixels.len().div_ceil(8).next_multiple_of(2)];
    for (index, _) in mask.pixels.iter().enumerate().filter(|(_, value)| **value >= 0.5) {
        bytes[index / 8] |= 1 << (index % 8);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(DicomError::Write { cause: "a mask without lungs: nothing is white".into() });
    }
    Ok(bytes)
}

/// What is marked (PS3.3 C.8.20.2, C.8.20.4).
fn segments(e: &mut Elements, image: &Image) {
    e.texts(tags::IMAGE_TYPE, VR::CS, &["DERIVED", "PRIMARY"]);
    e.text(tags::CONTENT_LABEL, VR::CS, "LUNGS");
    let description = "Lung mask that the synthetic image was made to follow";
    e.text(tags::CONTENT_DESCRIPTION, VR::LO, description);
    e.text(tags::CONTENT_CREATOR_NAME, VR::PN, "");
    e.text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY");
    e.text(tags::SEGMENTS_OVERLAP, VR::CS, "NO");
    // CID 7166, CID 7192.
    let mut lungs = Elements(code("39607008", "SCT", "Lung"));
    if matches!(image.header.view_position.as_deref(), Some("AP" | "PA")) {
        let (value, meaning) = Laterality::Bilateral.snomed();
        lungs.sequence(
            tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE,
            vec![code(value, "SCT", meaning)],
        );
    }
    let mut segment = Elements::new();
    segment.short(tags::SEGMENT_NUMBER, 1);
    segment.text(tags::SEGMENT_LABEL, VR::LO, "Lungs");
    segment.text(tags::SEGMENT_DESCRIPTION, VR::ST, description);
    segment.text(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "MANUAL");
    segment.sequence(
        tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
        vec![code("91723000", "SCT", "Anatomical Structure")],
    );
    segment.sequence(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, vec![lungs.0]);
    e.sequence(tags::SEGMENT_SEQUENCE, vec![segment.0]);
}

/// The one frame's functional groups, and what it is counted by (PS3.3 C.7.6.16, C.7.6.17).
fn frames(e: &mut Elements, image: &Image) {
    let dimension = uid::derived(&[b"dimension", image.header.sop_instance_uid.as_bytes()]);
    let mut organization = Elements::new();
    organization.text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &dimension);
    e.sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization.0]);
    let mut index = Elements::new();
    index.text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &dimension);
    index.tag(tags::DIMENSION_INDEX_POINTER, tags::REFERENCED_SEGMENT_NUMBER);
    index.tag(tags::FUNCTIONAL_GROUP_POINTER, tags::SEGMENT_IDENTIFICATION_SEQUENCE);
    index.text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, "Segment Number");
    e.sequence(tags::DIMENSION_INDEX_SEQUENCE, vec![index.0]);

    let mut content = Elements::new();
    let place = PrimitiveValue::from(1_u32);
    content.0.put(DataElement::new(tags::DIMENSION_INDEX_VALUES, VR::UL, place));
    let mut segment = Elements::new();
    segment.short(tags::REFERENCED_SEGMENT_NUMBER, 1);
    // The image was made after the mask and not the mask of it; both codes are those that A.51.5.1 asks
    // for wherever pixels correspond.
    let mut source = image.reference();
    source.text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES");
    source.sequence(
        tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
        vec![code("121322", "DCM", "Source image for image processing operation")],
    );
    let mut derivation = Elements::new();
    derivation.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![source.0]);
    derivation
        .sequence(tags::DERIVATION_CODE_SEQUENCE, vec![code("113076", "DCM", "Segmentation")]);
    let mut groups = Elements::new();
    groups.sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content.0]);
    groups.sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment.0]);
    groups.sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation.0]);
    e.sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![InMemDicomObject::new_empty()]);
    e.sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![groups.0]);
}

fn pixels(e: &mut Elements, image: &Image, bits: Vec<u8>) {
    e.short(tags::SAMPLES_PER_PIXEL, 1);
    e.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    e.text(tags::NUMBER_OF_FRAMES, VR::IS, "1");
    // A header's sides were read from 16 bits.
    e.short(tags::ROWS, image.header.rows as u16);
    e.short(tags::COLUMNS, image.header.columns as u16);
    e.short(tags::BITS_ALLOCATED, 1);
    e.short(tags::BITS_STORED, 1);
    e.short(tags::HIGH_BIT, 0);
    e.short(tags::PIXEL_REPRESENTATION, 0);
    e.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    e.0.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bits)));
}
