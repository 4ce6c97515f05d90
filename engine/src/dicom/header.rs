//! From attributes to [`Header`], and the check that the object is a radiograph we read.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{integer, items, text, texts};
use super::dx::{OWN_SCHEME, own_code};
use super::{DicomError, Header, class};
use crate::terms::{
    self, Described, Finding, NORMAL, Severity, Sex, finding, finding_by_code, place_of,
};

/// Pixels of the largest radiograph that is read; the largest mammograms have 30 million.
const MOST_PIXELS: u64 = 64 << 20;

/// Frames of an object that are told apart; a cine of fluoroscopy is no radiograph.
const MOST_FRAMES: i64 = 1_000;

/// Reads the header of an object and refuses what is no radiograph.
pub(super) fn header(
    object: &InMemDicomObject,
    transfer_syntax: &str,
) -> Result<Header, DicomError> {
    let get = |tag: Tag| text(object, tag);
    let sop_class_uid = get(tags::SOP_CLASS_UID)
        .ok_or_else(|| DicomError::attribute("SOPClassUID", "0008,0016", "absent"))?;
    let modality = get(tags::MODALITY)
        .ok_or_else(|| DicomError::attribute("Modality", "0008,0060", "absent"))?;
    class::check(&sop_class_uid, &modality)?;
    let frames = integer(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if !(1..=MOST_FRAMES).contains(&frames) {
        return Err(DicomError::attribute(
            "NumberOfFrames",
            "0028,0008",
            format!("{frames} frames; 1 to {MOST_FRAMES} are read"),
        ));
    }
    let (rows, columns) = size(object)?;
    let described = described(object);
    let mut findings: Vec<String> = Vec::new();
    for one in &described {
        if !findings.iter().any(|name| name == one.finding.name) {
            findings.push(one.finding.name.to_owned());
        }
    }
    Ok(Header {
        sop_class_uid,
        sop_instance_uid: get(tags::SOP_INSTANCE_UID)
            .ok_or_else(|| DicomError::attribute("SOPInstanceUID", "0008,0018", "absent"))?,
        study_instance_uid: get(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        series_instance_uid: get(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        transfer_syntax_uid: transfer_syntax.to_owned(),
        modality,
        patient_id: get(tags::PATIENT_ID).unwrap_or_default(),
        age_years: age(object),
        sex: get(tags::PATIENT_SEX).and_then(|code| Sex::parse(&code)),
        view_position: get(tags::VIEW_POSITION),
        laterality: get(tags::IMAGE_LATERALITY).or_else(|| get(tags::LATERALITY)),
        body_part: get(tags::BODY_PART_EXAMINED),
        findings,
        described: described.iter().map(Described::named).collect(),
        rows,
        columns,
        frames: frames as u32,
        bits_stored: integer(object, tags::BITS_STORED)
            .and_then(|bits| u16::try_from(bits).ok())
            .ok_or_else(|| DicomError::attribute("BitsStored", "0028,0101", "absent"))?,
        photometric_interpretation: get(tags::PHOTOMETRIC_INTERPRETATION).ok_or_else(|| {
            DicomError::attribute("PhotometricInterpretation", "0028,0004", "absent")
        })?,
        deviation_index: get(tags::DEVIATION_INDEX)
            .and_then(|value| value.parse::<f32>().ok())
            .filter(|index| index.is_finite()),
        burned_in_annotation: get(tags::BURNED_IN_ANNOTATION).map(|value| value == "YES"),
        synthetic: get(tags::SYNTHETIC_DATA).is_some_and(|value| value == "YES"),
    })
}

fn size(object: &InMemDicomObject) -> Result<(u32, u32), DicomError> {
    let side = |tag, keyword, name| {
        integer(object, tag)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .ok_or_else(|| DicomError::attribute(keyword, name, "absent, or no positive number"))
    };
    let rows = side(tags::ROWS, "Rows", "0028,0010")?;
    let columns = side(tags::COLUMNS, "Columns", "0028,0011")?;
    if u64::from(rows) * u64::from(columns) > MOST_PIXELS {
        return Err(DicomError::Unsupported {
            cause: format!("{columns} × {rows} pixels; at most {MOST_PIXELS} are read"),
        });
    }
    Ok((rows, columns))
}

/// Age in years from Patient's Age, or from birth date and study date where that says none.
fn age(object: &InMemDicomObject) -> Option<f32> {
    let said = text(object, tags::PATIENT_AGE).and_then(|age| age_string(&age));
    said.or_else(|| {
        let date = |tag| {
            let text = text(object, tag)?;
            chrono::NaiveDate::parse_from_str(&text, "%Y%m%d").ok()
        };
        let (birth, study) = (date(tags::PATIENT_BIRTH_DATE)?, date(tags::STUDY_DATE)?);
        let years = study.years_since(birth)?;
        (years < 130).then_some(years as f32)
    })
}

/// An Age String (PS3.5 6.2) in years; fewer digits than its three are read as well.
fn age_string(age: &str) -> Option<f32> {
    let (digits, unit) = age.split_at_checked(age.len().checked_sub(1)?)?;
    if !(1..=3).contains(&digits.len()) {
        return None;
    }
    let count: f32 = digits.parse::<u16>().ok()?.into();
    match unit {
        "Y" => Some(count),
        "M" => Some(count / 12.0),
        "W" => Some(count * 7.0 / 365.25),
        "D" => Some(count / 365.25),
        _ => None,
    }
}

/// Findings by their codes with the codes' modifiers, then by the words of the description; in the
/// words of the vocabulary, each once at each place. Diagnoses that the vocabulary does not know are
/// left out.
fn described(object: &InMemDicomObject) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    for item in items(object, tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE) {
        let value = text(item, tags::CODE_VALUE);
        let known = match (text(item, tags::CODING_SCHEME_DESIGNATOR).as_deref(), value) {
            (Some("SCT"), Some(value)) => finding_by_code(&value),
            (Some(OWN_SCHEME), Some(value)) => {
                terms::findings().iter().find(|finding| own_code(finding) == value)
            }
            _ => None,
        };
        if let Some(finding) = known {
            let described = modified(finding, item);
            let same = |other: &Described| {
                other.finding == described.finding && other.place == described.place
            };
            if !found.iter().any(same) {
                found.push(described);
            }
        }
    }
    for word in texts(object, tags::ADMITTING_DIAGNOSES_DESCRIPTION) {
        if let Some(finding) = finding(&word)
            && !found.iter().any(|other| other.finding == finding)
        {
            found.push(finding.into());
        }
    }
    found
}

/// A finding with the side, region and severity that its code's modifiers say, where the vocabulary
/// knows them; `normal` has none.
fn modified(finding: &'static Finding, item: &InMemDicomObject) -> Described {
    let mut described = Described::from(finding);
    if finding.slug == NORMAL {
        return described;
    }
    let codes: Vec<String> = items(item, tags::MODIFIER_CODE_SEQUENCE)
        .iter()
        .filter(|code| text(code, tags::CODING_SCHEME_DESIGNATOR).as_deref() == Some("SCT"))
        .filter_map(|code| text(code, tags::CODE_VALUE))
        .collect();
    described.severity = codes.iter().find_map(|code| Severity::of_code(code));
    let region = |code: &str| {
        let mut regions = terms::places().iter().filter_map(|place| place.region);
        regions.any(|(known, _)| known == code)
    };
    let region = codes.iter().map(String::as_str).find(|code| region(code));
    described.place = codes.iter().find_map(|code| place_of(code, region));
    described
}
