//! What a de-identified object says of itself (PS3.15 E.1.1), and the seal by which it is known again.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use skiagraph_compliance::deidentification::{
    BASIC_PROFILE, Policy, ProfileOption, Pseudonyms, SCHEME,
};

use crate::dicom::attributes::{items, text};
use crate::dicom::dx::{Elements, code};
use crate::dicom::provenance::{CREATOR, PRIVATE_CREATOR};

/// The seal, in our private block.
const SEAL: Tag = Tag(0x0071, 0x1002);

/// What an object of ours says of how it was made.
#[derive(Debug)]
pub(super) struct Before {
    codes: Vec<String>,
    temporal: Option<String>,
}

/// What is sealed: every UID and date, and whose object it is: what is left alone in an object that
/// comes a second time.
fn sealed(set: &InMemDicomObject, contents: &mut Vec<String>) {
    for element in set {
        let tag = element.header().tag;
        if let Some(items) = element.items() {
            for item in items {
                sealed(item, contents);
            }
            continue;
        }
        let own = [
            tags::PATIENT_NAME,
            tags::PATIENT_ID,
            tags::PATIENT_IDENTITY_REMOVED,
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
        ];
        if (matches!(element.vr(), VR::UI | VR::DA | VR::DT) || own.contains(&tag))
            && let Ok(value) = element.to_str()
        {
            let value = value.trim_matches([' ', '\0']);
            if !value.is_empty() {
                contents.push(format!("{:04x}{:04x}{value}", tag.0, tag.1));
            }
        }
    }
}

fn seal(set: &InMemDicomObject, pseudonyms: &Pseudonyms) -> String {
    let mut contents = Vec::new();
    sealed(set, &mut contents);
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    pseudonyms.seal(&contents)
}

/// How an object was made, where its seal says that it is one of ours under this key, unchanged in what
/// is sealed. A seal that somebody made up is none.
pub(super) fn before(set: &InMemDicomObject, pseudonyms: &Pseudonyms) -> Option<Before> {
    let ours = text(set, PRIVATE_CREATOR)? == CREATOR && text(set, SEAL)? == seal(set, pseudonyms);
    ours.then(|| Before {
        codes: items(set, tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
            .iter()
            .filter_map(|item| text(item, tags::CODE_VALUE))
            .collect(),
        temporal: text(set, tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED),
    })
}

/// Writes how the object was made, and seals it.
pub(super) fn state(
    set: &mut InMemDicomObject,
    policy: &Policy,
    before: Option<&Before>,
    pseudonyms: &Pseudonyms,
) {
    let mut elements = Elements(std::mem::replace(set, InMemDicomObject::new_empty()));
    elements.text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES");
    let method = format!("Skiagraph {}: PS3.15 {} Annex E", crate::VERSION, policy.edition());
    elements.text(tags::DEIDENTIFICATION_METHOD, VR::LO, &method);
    let (value, meaning) = BASIC_PROFILE;
    let mut codes = vec![code(value, SCHEME, meaning)];
    for option in ProfileOption::all() {
        // What an earlier run did not keep, a later one cannot; what it cleaned stays clean.
        let cleans = matches!(
            option,
            ProfileOption::CleanPixelData | ProfileOption::CleanRecognizableVisualFeatures
        );
        let chosen = match before {
            None => policy.has(option),
            Some(before) => {
                let earlier = before.codes.iter().any(|code| code == option.code());
                if cleans { earlier || policy.has(option) } else { earlier && policy.has(option) }
            }
        };
        if chosen {
            codes.push(code(option.code(), SCHEME, option.meaning()));
        }
    }
    elements.sequence(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, codes);
    let rank =
        |word: &&str| ["UNMODIFIED", "MODIFIED", "REMOVED"].iter().position(|one| one == word);
    let now = policy.temporal_information();
    let earlier = before.and_then(|before| before.temporal.as_deref());
    let temporal = earlier.into_iter().chain([now]).max_by_key(rank).unwrap_or(now).to_owned();
    elements.text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, &temporal);
    if policy.has(ProfileOption::CleanPixelData) {
        elements.text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    }
    if policy.has(ProfileOption::CleanRecognizableVisualFeatures) {
        elements.text(tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "NO");
    }
    elements.text(PRIVATE_CREATOR, VR::LO, CREATOR);
    let seal = PrimitiveValue::from(seal(&elements.0, pseudonyms));
    elements.0.put(DataElement::new(SEAL, VR::LO, seal));
    *set = elements.0;
}
