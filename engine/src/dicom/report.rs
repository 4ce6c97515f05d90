//! A reviewer's verdict on a synthetic image as a Structured Report: Enhanced SR (PS3.3 A.35.2), with
//! codes where PS3.16 has them.

use chrono::{DateTime, Utc};
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::DicomError;
use super::companion::{Companion, Image};
use super::dx::{Elements, OWN_SCHEME, code, encode};
use super::synthetic::{LONG_STRING, shortened};

/// Realism is told on a scale from 1 to this.
const MOST_REAL: u8 = 5;

/// What a reviewer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The image may leave.
    Release,
    /// The image must not be used.
    Reject,
}

impl Verdict {
    /// The verdict as a code, and what it says of the image's quality (PS3.16 CID 6044).
    fn codes(self) -> [InMemDicomObject; 2] {
        match self {
            Self::Release => [
                code("RELEASED", OWN_SCHEME, "Released"),
                code("111237", "DCM", "Usable - Meets the quality control standard"),
            ],
            // CID 7010's title of a rejection note.
            Self::Reject => [
                code("113001", "DCM", "Rejected for Quality Reasons"),
                code("111235", "DCM", "Unusable - Quality renders image unusable"),
            ],
        }
    }
}

/// A verdict, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in free words.
    pub reason: Option<String>,
    /// How real the image looks, from 1 to 5.
    pub realism: Option<u8>,
    /// Who decided. The report leaves with the image: a pseudonym does where nobody has to be asked.
    pub reviewer: String,
    /// When.
    pub reviewed_at: DateTime<Utc>,
}

/// Writes a verdict on the synthetic `image`, a DICOM object, as an Enhanced SR in the image's study. The
/// same image and review give the same bytes.
///
/// Below the title `Review of Synthetic Image` stand the observer (TID 1003), the verdict, Quality
/// Assessment, realism, the reason as a comment, and the image. The report is complete and not verified:
/// nobody has signed it.
///
/// # Errors
/// [`DicomError`] for an image that is no synthetic radiograph, a reviewer without a name, and a realism
/// that is not on the scale.
pub fn write_report(image: &[u8], review: &Review) -> Result<Vec<u8>, DicomError> {
    let reviewer = person(&review.reviewer);
    if reviewer.is_empty() {
        return Err(DicomError::attribute("PersonName", "0040,A123", "empty"));
    }
    if review.realism.is_some_and(|realism| !(1..=MOST_REAL).contains(&realism)) {
        let cause = format!("realism must lie between 1 and {MOST_REAL}");
        return Err(DicomError::attribute("NumericValue", "0040,A30A", cause));
    }
    let image = Image::of(image)?;
    let at = review.reviewed_at;
    let said = format!("{:?} {:?} {:?}", review.verdict, review.realism, review.reason);
    let mut e = image.elements(&Companion {
        sop_class: uids::ENHANCED_SR_STORAGE,
        identity: &[&at.timestamp_micros().to_le_bytes(), said.as_bytes(), reviewer.as_bytes()],
        modality: "SR",
        series_number: "3",
        series_description: "SYNTHETIC - review of the image",
        date: &at.format("%Y%m%d").to_string(),
        time: &at.format("%H%M%S").to_string(),
    });
    document(&mut e, &image, &reviewer);
    content(&mut e, &image, review, &reviewer);
    encode(e)
}

/// A name as the first component of a Person Name (PS3.5 6.2.1), whose delimiters it must not hold;
/// empty where there is none. The end of the component shows that it is no name of the form that ACR-NEMA had.
fn person(name: &str) -> String {
    let name: String = name.chars().map(|c| if matches!(c, '^' | '=') { ' ' } else { c }).collect();
    let name = shortened(name.trim(), LONG_STRING - 1);
    if name.is_empty() { name } else { format!("{}^", name.trim_end()) }
}

/// The modules of series and document (PS3.3 C.17.1, C.17.2).
fn document(e: &mut Elements, image: &Image, reviewer: &str) {
    e.sequence(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    e.sequence(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    e.text(tags::COMPLETION_FLAG, VR::CS, "COMPLETE");
    e.text(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED");
    let mut author = Elements::new();
    author.text(tags::OBSERVER_TYPE, VR::CS, "PSN");
    author.text(tags::PERSON_NAME, VR::PN, reviewer);
    author.sequence(tags::PERSON_IDENTIFICATION_CODE_SEQUENCE, Vec::new());
    author.text(tags::INSTITUTION_NAME, VR::LO, "");
    author.sequence(tags::INSTITUTION_CODE_SEQUENCE, Vec::new());
    e.sequence(tags::AUTHOR_OBSERVER_SEQUENCE, vec![author.0]);
    let mut study = Elements::new();
    study.text(tags::STUDY_INSTANCE_UID, VR::UI, &image.header.study_instance_uid);
    let series = image.series_reference(tags::REFERENCED_SOP_SEQUENCE);
    study.sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![series.0]);
    e.sequence(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![study.0]);
}

/// A content item below the root: its relationship to it, its type and what it is about.
fn item(relationship: &str, value_type: &str, concept: Option<InMemDicomObject>) -> Elements {
    let mut item = Elements::new();
    item.text(tags::RELATIONSHIP_TYPE, VR::CS, relationship);
    item.text(tags::VALUE_TYPE, VR::CS, value_type);
    if let Some(concept) = concept {
        item.sequence(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![concept]);
    }
    item
}

fn coded(relationship: &str, concept: InMemDicomObject, value: InMemDicomObject) -> Elements {
    let mut item = item(relationship, "CODE", Some(concept));
    item.sequence(tags::CONCEPT_CODE_SEQUENCE, vec![value]);
    item
}

/// The tree of the document (PS3.3 C.17.3).
fn content(e: &mut Elements, image: &Image, review: &Review, reviewer: &str) {
    e.text(tags::VALUE_TYPE, VR::CS, "CONTAINER");
    e.text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    // At most 16 characters.
    let title = code("SYNTHETIC_REVIEW", OWN_SCHEME, "Review of Synthetic Image");
    e.sequence(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![title]);

    let context = "HAS OBS CONTEXT";
    let observer =
        coded(context, code("121005", "DCM", "Observer Type"), code("121006", "DCM", "Person"));
    let mut name = item(context, "PNAME", Some(code("121008", "DCM", "Person Observer Name")));
    name.text(tags::PERSON_NAME, VR::PN, reviewer);
    // CID 7453.
    let role = coded(
        context,
        code("121011", "DCM", "Person Observer's Role in this Procedure"),
        code("C54634", "NCIt", "Reviewer"),
    );
    let [verdict, quality] = review.verdict.codes();
    let mut items = vec![
        observer,
        name,
        role,
        coded("CONTAINS", code("VERDICT", OWN_SCHEME, "Verdict"), verdict),
        coded("CONTAINS", code("111050", "DCM", "Quality Assessment"), quality),
    ];
    if let Some(realism) = review.realism {
        let mut measured = Elements::new();
        measured.text(tags::NUMERIC_VALUE, VR::DS, &realism.to_string());
        let scale = code("{1:5}", "UCUM", "range: 1:5");
        measured.sequence(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![scale]);
        let concept = code("REALISM", OWN_SCHEME, "Realism of Image");
        let mut realism = item("CONTAINS", "NUM", Some(concept));
        realism.sequence(tags::MEASURED_VALUE_SEQUENCE, vec![measured.0]);
        items.push(realism);
    }
    if let Some(reason) = review.reason.as_deref().map(plain).filter(|reason| !reason.is_empty()) {
        let mut comment = item("CONTAINS", "TEXT", Some(code("121106", "DCM", "Comment")));
        comment.text(tags::TEXT_VALUE, VR::UT, &reason);
        items.push(comment);
    }
    let mut shown = item("CONTAINS", "IMAGE", None);
    shown.sequence(tags::REFERENCED_SOP_SEQUENCE, vec![image.reference().0]);
    items.push(shown);
    e.sequence(tags::CONTENT_SEQUENCE, items.into_iter().map(|item| item.0).collect());
}

/// Free words without control characters but the ends of lines, which are CR LF (PS3.5 6.1.3).
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| -> String {
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    });
    lines.collect::<Vec<_>>().join("\r\n").trim().to_owned()
}
