//! Objects that stand beside a synthetic image in its study: what its mask and a verdict on it have in
//! common.

use std::io::Cursor;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{text, texts};
use super::dx::Elements;
use super::source::open;
use super::synthetic::{PRODUCT, UTC, own_scheme};
use super::{DicomError, Header, header, uid};

/// What of patient and study every object of them repeats, with types as in PS3.3 C.7.1.1, C.7.2.1 and
/// C.7.2.2: what is empty where the image says nothing, and what is then absent.
const CONTEXT: [(Tag, VR, bool); 10] = [
    (tags::PATIENT_NAME, VR::PN, true),
    (tags::PATIENT_ID, VR::LO, true),
    (tags::PATIENT_BIRTH_DATE, VR::DA, true),
    (tags::PATIENT_SEX, VR::CS, true),
    (tags::PATIENT_AGE, VR::AS, false),
    (tags::STUDY_DATE, VR::DA, true),
    (tags::STUDY_TIME, VR::TM, true),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN, true),
    (tags::STUDY_ID, VR::SH, true),
    (tags::ACCESSION_NUMBER, VR::SH, true),
];

/// What tells one companion from another.
pub(super) struct Companion<'a> {
    pub(super) sop_class: &'a str,
    /// What the object's UID is made of beside the image's: the same content has the same UID.
    pub(super) identity: &'a [&'a [u8]],
    pub(super) modality: &'a str,
    pub(super) series_number: &'a str,
    pub(super) series_description: &'a str,
    /// `YYYYMMDD` and `HHMMSS` in UTC: when the content was made.
    pub(super) date: &'a str,
    pub(super) time: &'a str,
}

/// A synthetic image whose companion is written.
pub(super) struct Image {
    object: InMemDicomObject,
    pub(super) header: Header,
}

impl Image {
    /// Reads the header of an object.
    ///
    /// # Errors
    /// [`DicomError`] for what is no radiograph, does not say that it is synthetic, or names no study
    /// and series.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, DicomError> {
        let opened = open(Cursor::new(bytes))?;
        let header = header::header(&opened.object, &opened.transfer_syntax)?;
        if !header.synthetic {
            let cause = "not YES: masks and verdicts are written for synthetic images alone";
            return Err(DicomError::attribute("SyntheticData", "0008,001C", cause));
        }
        if header.frames != 1 {
            let cause = format!("{} frames; a synthetic image has one", header.frames);
            return Err(DicomError::attribute("NumberOfFrames", "0028,0008", cause));
        }
        if header.study_instance_uid.is_empty() {
            return Err(DicomError::attribute("StudyInstanceUID", "0020,000D", "absent"));
        }
        if header.series_instance_uid.is_empty() {
            return Err(DicomError::attribute("SeriesInstanceUID", "0020,000E", "absent"));
        }
        Ok(Self { object: opened.object, header })
    }

    /// An attribute's first value, or nothing.
    pub(super) fn text(&self, tag: Tag) -> String {
        text(&self.object, tag).unwrap_or_default()
    }

    /// All of its values.
    pub(super) fn texts(&self, tag: Tag) -> Vec<String> {
        texts(&self.object, tag)
    }

    /// The modules of patient, study, series, equipment and SOP instance (PS3.3 C.7.1 to C.7.5, C.12.1).
    /// What is made of synthetic data is synthetic, too.
    pub(super) fn elements(&self, companion: &Companion) -> Elements {
        let image = self.header.sop_instance_uid.as_bytes();
        let mut parts = vec![companion.sop_class.as_bytes(), image];
        parts.extend_from_slice(companion.identity);
        let instance = uid::derived(&parts);
        let mut e = Elements::new();
        e.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        e.text(tags::SYNTHETIC_DATA, VR::CS, "YES");
        e.text(tags::SOP_CLASS_UID, VR::UI, companion.sop_class);
        e.text(tags::SOP_INSTANCE_UID, VR::UI, &instance);
        e.text(tags::INSTANCE_NUMBER, VR::IS, "1");
        e.text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, UTC);
        e.sequence(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![own_scheme()]);
        for (tag, vr, empty) in CONTEXT {
            let value = self.text(tag);
            if empty || !value.is_empty() {
                e.text(tag, vr, &value);
            }
        }
        e.text(tags::STUDY_INSTANCE_UID, VR::UI, &self.header.study_instance_uid);
        e.text(tags::MODALITY, VR::CS, companion.modality);
        let series = uid::derived(&[b"series", instance.as_bytes()]);
        e.text(tags::SERIES_INSTANCE_UID, VR::UI, &series);
        e.text(tags::SERIES_NUMBER, VR::IS, companion.series_number);
        e.text(tags::SERIES_DESCRIPTION, VR::LO, companion.series_description);
        e.text(tags::CONTENT_DATE, VR::DA, companion.date);
        e.text(tags::CONTENT_TIME, VR::TM, companion.time);
        e.text(tags::MANUFACTURER, VR::LO, PRODUCT);
        e.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, PRODUCT);
        // Type 1 in the enhanced module (C.7.5.2), and a program has none.
        e.text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "NONE");
        e.text(tags::SOFTWARE_VERSIONS, VR::LO, crate::VERSION);
        e
    }

    /// The item that names the image (PS3.3 table 10-11).
    pub(super) fn reference(&self) -> Elements {
        let mut item = Elements::new();
        item.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &self.header.sop_class_uid);
        item.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &self.header.sop_instance_uid);
        item
    }

    /// The item that names the image's series, with the image in the sequence `instances`.
    pub(super) fn series_reference(&self, instances: Tag) -> Elements {
        let mut item = Elements::new();
        item.text(tags::SERIES_INSTANCE_UID, VR::UI, &self.header.series_instance_uid);
        item.sequence(instances, vec![self.reference().0]);
        item
    }
}
