//! What is taken out of a radiograph before the platform keeps it (PS3.15 Annex E).
//!
//! Age, sex and the findings' words are what a model learns from, and spans between dates what a study
//! of a disease's course does; everything else that identifies goes.

use serde::Serialize;
use skiagraph_compliance::deidentification::{Edition, Policy, ProfileOption, Pseudonyms};
use skiagraph_engine::dicom::{Deidentifier, ObjectReport};
use skiagraph_engine::quality::Frontal;

use super::{Checked, Examiner};

/// Options of the Basic Profile under which radiographs are kept.
const OPTIONS: [ProfileOption; 5] = [
    ProfileOption::CleanPixelData,
    ProfileOption::CleanStructuredContent,
    ProfileOption::CleanDescriptors,
    ProfileOption::RetainModifiedDates,
    ProfileOption::RetainPatientCharacteristics,
];

/// De-identification by the platform's policy under an installation's key, and quality control.
///
/// # Errors
/// Where the key is too short to protect anything.
pub fn examiner(key: &[u8]) -> std::io::Result<Examiner> {
    let policy = Policy::new(Edition::default(), OPTIONS).map_err(std::io::Error::other)?;
    let pseudonyms = Pseudonyms::new(key).map_err(std::io::Error::other)?;
    Ok(Examiner {
        deidentifier: Deidentifier::new(policy, pseudonyms),
        frontal: Frontal::bundled()?,
    })
}

/// What was done to the objects of an upload.
#[derive(Serialize)]
struct Report<'a> {
    edition: Edition,
    options: [ProfileOption; OPTIONS.len()],
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    /// Of the object that is kept.
    sha256: &'a str,
    #[serde(flatten)]
    report: &'a ObjectReport,
}

/// The report on an upload's objects, as JSON; no value of an attribute stands in it.
///
/// # Errors
/// Where it cannot be put into JSON.
pub(super) fn report(checked: &[Checked]) -> serde_json::Result<Vec<u8>> {
    let objects = checked.iter().map(|file| Object { sha256: &file.sha256, report: &file.report });
    let (edition, options) = (Edition::default(), OPTIONS);
    serde_json::to_vec(&Report { edition, options, objects: objects.collect() })
}
