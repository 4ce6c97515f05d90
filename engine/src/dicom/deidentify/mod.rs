//! De-identification of an object by PS3.15 Annex E: attributes, pixels, streams, and what cannot be
//! shown clean.
//!
//! The table and the rules of replacement are `skiagraph_compliance::deidentification`'s; here they are
//! applied to data sets and pixels. An object comes out clean, or it does not come out: it is
//! quarantined with the reason.

mod clean;
mod finish;
mod folder;
mod glyphs;
mod lines;
mod pixels;
mod report;
mod residue;
mod shown;
mod stream;
mod summary;
mod tophat;
mod values;
mod walk;

#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use skiagraph_compliance::deidentification::{Image, Policy, ProfileOption, Pseudonyms};

use super::attributes::text;
use super::dx::encode_as;
use super::pixels::Stored;
use super::source::{Opened, open};
use super::{DicomError, Header, header, meta};

pub use folder::{DeidentifyFault, DeidentifyOptions, deidentify_folder};
pub use report::{Change, ObjectReport, Region};
pub use shown::Shown;
pub use summary::Summary;

/// An object that was looked at.
#[derive(Debug)]
pub enum Deidentified {
    /// It is clean.
    Clean {
        /// The object, encoded.
        bytes: Vec<u8>,
        /// Its new SOP Instance UID.
        sop_instance_uid: String,
        /// What was done.
        report: ObjectReport,
    },
    /// It could not be shown clean.
    Quarantined {
        /// Why.
        reason: String,
        /// What was seen up to there.
        report: ObjectReport,
    },
}

/// Is shown the clean data set before it is encoded, its transfer syntax, and the values of its frame
/// where it has one alone and they were decoded.
type Look<'a> = dyn FnMut(&InMemDicomObject, &str, Option<Stored>) -> Result<(), DicomError> + 'a;

/// De-identification under one policy and one key.
#[derive(Clone)]
pub struct Deidentifier {
    policy: Policy,
    pseudonyms: Pseudonyms,
}

/// Regions of the body that show no face (PS3.16 CID 4031, defined terms of Body Part Examined).
const WITHOUT_FACE: [&str; 30] = [
    "ABDOMEN",
    "ANKLE",
    "ARM",
    "BREAST",
    "CALCANEUS",
    "CHEST",
    "CLAVICLE",
    "COCCYX",
    "CSPINE",
    "ELBOW",
    "EXTREMITY",
    "FEMUR",
    "FINGER",
    "FOOT",
    "FOREARM",
    "HAND",
    "HEEL",
    "HIP",
    "HUMERUS",
    "KNEE",
    "LEG",
    "LSPINE",
    "PELVIS",
    "RIB",
    "SCAPULA",
    "SHOULDER",
    "SSPINE",
    "STERNUM",
    "THORAX",
    "WRIST",
];

impl Deidentifier {
    /// De-identification under a policy; the key's pseudonyms are the same in every object.
    pub fn new(policy: Policy, pseudonyms: Pseudonyms) -> Self {
        Self { policy, pseudonyms }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// De-identifies an object. The same bytes give the same bytes; an object that this has made under
    /// the same key keeps its UIDs and its dates.
    ///
    /// # Errors
    /// [`DicomError`] where the object is not a radiograph that can be read: nothing is known of it then,
    /// and it may not leave either.
    pub fn deidentify<R: Read + Seek>(&self, source: R) -> Result<Deidentified, DicomError> {
        self.apply(source, &mut |_, _, _| Ok(()))
    }

    /// [`Self::deidentify`], with somebody who looks.
    fn apply<R: Read + Seek>(
        &self,
        source: R,
        look: &mut Look<'_>,
    ) -> Result<Deidentified, DicomError> {
        let mut opened = open(source)?;
        let header = header::header(&opened.object, &opened.transfer_syntax)?;
        let mut report = ObjectReport::new(&header);
        if let Some(reason) = self.refusal(&opened, &header) {
            return Ok(Deidentified::Quarantined { reason, report });
        }
        let image = match header.sop_class_uid.as_str() {
            uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE => Image::Cr,
            uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
            | uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING => Image::Mg,
            uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION
            | uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PROCESSING => Image::Dx,
            _ => Image::Sc,
        };
        let find_text = self.policy.has(ProfileOption::CleanPixelData);
        let mut pixels = match pixels::clean(&mut opened, &header, find_text)? {
            Ok(pixels) => pixels,
            Err(reason) => return Ok(Deidentified::Quarantined { reason, report }),
        };
        report.regions.clone_from(&pixels.regions);
        let before = finish::before(&opened.object, &self.pseudonyms);
        let mut walk = walk::Walk::new(&self.policy, &self.pseudonyms, image, before.is_some());
        let set = std::mem::replace(&mut opened.object, InMemDicomObject::new_empty());
        walk.patient(&set);
        let mut set = walk.data_set(set, &mut Vec::new());
        residue::empty(&mut set, &walk.removed, &mut walk.changes);
        report.changes = walk.changes.into_list();
        let decoded = pixels.decoded.take();
        let transfer_syntax = pixels.put(&mut set);
        finish::state(&mut set, &self.policy, before.as_ref(), &self.pseudonyms);
        let sop_instance_uid = match meta::named(&set) {
            Ok((_, instance)) => instance,
            Err(fault) => {
                return Ok(Deidentified::Quarantined { reason: fault.to_string(), report });
            }
        };
        report.sop_instance_uid.clone_from(&sop_instance_uid);
        look(&set, transfer_syntax, decoded)?;
        let bytes = encode_as(set, transfer_syntax)?;
        Ok(Deidentified::Clean { bytes, sop_instance_uid, report })
    }

    /// What stands against the object before anything is done.
    fn refusal(&self, opened: &Opened, header: &Header) -> Option<String> {
        let burned_in = text(&opened.object, tags::BURNED_IN_ANNOTATION);
        if burned_in.as_deref() == Some("YES") && !self.policy.has(ProfileOption::CleanPixelData) {
            return Some(
                "BurnedInAnnotation (0028,0301): YES, and the pixels are not to be cleaned"
                    .to_owned(),
            );
        }
        if self.policy.has(ProfileOption::CleanRecognizableVisualFeatures) {
            let shows_none = header
                .body_part
                .as_deref()
                .is_some_and(|part| WITHOUT_FACE.contains(&part.to_uppercase().as_str()));
            if !shows_none {
                return Some(
                    "BodyPartExamined (0018,0015): may show a face, which is not cleaned"
                        .to_owned(),
                );
            }
        }
        None
    }
}
