use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use skiagraph_compliance::deidentification::ProfileOption as P;

use super::planted::{SECRET_UID, SECRETS, clean, deidentifier, encoded, object, values};
use crate::dicom::attributes::{items, text, texts};
use crate::dicom::{Deidentified, read, source};

fn parsed(bytes: &[u8]) -> InMemDicomObject {
    source::open(std::io::Cursor::new(bytes)).unwrap().object
}

/// Every option but those that keep UIDs, full dates and identities, and those about pixels.
const SHARING: [P; 6] = [
    P::CleanGraphics,
    P::CleanStructuredContent,
    P::CleanDescriptors,
    P::RetainModifiedDates,
    P::RetainPatientCharacteristics,
    P::RetainSafePrivate,
];

#[test]
fn nothing_that_was_planted_is_left() {
    for options in [&[][..], &SHARING] {
        let bytes = clean(&deidentifier(options), &encoded(object()));
        for (tag, value) in values(&parsed(&bytes)) {
            for secret in SECRETS.iter().chain([&SECRET_UID]) {
                assert!(!value.contains(secret), "{tag} holds {secret} with {options:?}");
            }
        }
        let whole = String::from_utf8_lossy(&bytes);
        for secret in SECRETS.iter().chain([&SECRET_UID, &"99999"]) {
            assert!(!whole.contains(secret), "{secret} stands somewhere with {options:?}");
        }
        // It is still the radiograph.
        assert_eq!(read(&bytes).unwrap().frame, read(&encoded(object())).unwrap().frame);
    }
}

#[test]
fn the_same_bytes_give_the_same_bytes_and_a_second_run_changes_nothing() {
    for options in [&[][..], &SHARING, &[P::CleanPixelData], &[P::RetainUids, P::RetainFullDates]] {
        let once = clean(&deidentifier(options), &encoded(object()));
        assert!(once == clean(&deidentifier(options), &encoded(object())), "{options:?}");
        let twice = clean(&deidentifier(options), &once);
        let (one, two) = (values(&parsed(&once)), values(&parsed(&twice)));
        assert!(
            one == two,
            "{options:?}: {:?}",
            one.iter().zip(&two).find(|(one, two)| one != two)
        );
        assert!(once == twice, "{options:?}");
    }
}

#[test]
fn a_seal_that_was_made_up_saves_no_date() {
    let options = [P::RetainModifiedDates];
    let mut set = parsed(&clean(&deidentifier(&options), &encoded(object())));
    set.put(DataElement::new(tags::STUDY_DATE, VR::DA, PrimitiveValue::from("20240301")));
    let pixels = object().take(tags::PIXEL_DATA).unwrap();
    set.put(pixels);
    let after = parsed(&clean(&deidentifier(&options), &encoded(set)));
    assert_ne!(text(&after, tags::STUDY_DATE).unwrap(), "20240301");
}

#[test]
fn what_was_removed_once_is_not_said_to_be_kept() {
    let basic = clean(&deidentifier(&[]), &encoded(object()));
    let again = parsed(&clean(&deidentifier(&[P::RetainModifiedDates]), &basic));
    let temporal = text(&again, tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED).unwrap();
    assert_eq!(temporal, "REMOVED");
    let codes = items(&again, tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE);
    assert_eq!(codes.len(), 1);
}

#[test]
fn spans_between_dates_stay_and_patients_stay_together() {
    let options = [P::RetainModifiedDates];
    let first = parsed(&clean(&deidentifier(&options), &encoded(object())));
    let mut later = object();
    later.put(DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from("1.2.3.4")));
    later.put(DataElement::new(tags::STUDY_DATE, VR::DA, PrimitiveValue::from("20240331")));
    let later = parsed(&clean(&deidentifier(&options), &encoded(later)));
    let date = |set: &InMemDicomObject, tag| {
        chrono::NaiveDate::parse_from_str(&text(set, tag).unwrap(), "%Y%m%d").unwrap()
    };
    let days = (date(&later, tags::STUDY_DATE) - date(&first, tags::STUDY_DATE)).num_days();
    assert_eq!(days, 30);
    assert_eq!((date(&first, tags::SERIES_DATE) - date(&first, tags::STUDY_DATE)).num_days(), 1);
    for tag in [tags::PATIENT_ID, tags::STUDY_INSTANCE_UID] {
        assert_eq!(text(&later, tag), text(&first, tag));
    }
    assert_ne!(text(&later, tags::SOP_INSTANCE_UID), text(&first, tags::SOP_INSTANCE_UID));
    let mut other = object();
    other.put(DataElement::new(tags::PATIENT_ID, VR::LO, PrimitiveValue::from("somebody else")));
    let other = parsed(&clean(&deidentifier(&options), &encoded(other)));
    assert_ne!(text(&other, tags::PATIENT_ID), text(&first, tags::PATIENT_ID));
    assert_ne!(text(&other, tags::STUDY_DATE), text(&first, tags::STUDY_DATE));
}

#[test]
fn the_object_says_how_it_was_made() {
    let options = [P::CleanPixelData, P::RetainPatientCharacteristics];
    let after = parsed(&clean(&deidentifier(&options), &encoded(object())));
    assert_eq!(text(&after, tags::PATIENT_IDENTITY_REMOVED).as_deref(), Some("YES"));
    assert_eq!(text(&after, tags::BURNED_IN_ANNOTATION).as_deref(), Some("NO"));
    let method = text(&after, tags::DEIDENTIFICATION_METHOD).unwrap();
    assert!(method.contains("PS3.15 2026c") && method.len() <= 64, "{method}");
    let codes: Vec<_> = items(&after, tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
        .iter()
        .map(|item| text(item, tags::CODE_VALUE).unwrap())
        .collect();
    assert_eq!(codes, ["113100", "113101", "113108"]);
    assert_eq!(text(&after, tags::PATIENT_AGE).as_deref(), Some("062Y"));
    assert_eq!(text(&after, tags::PATIENT_SEX).as_deref(), Some("F"));
    // Basic alone leaves neither.
    let basic = parsed(&clean(&deidentifier(&[]), &encoded(object())));
    assert_eq!(text(&basic, tags::PATIENT_AGE), None);
    assert_eq!(text(&basic, tags::PATIENT_SEX), None);
}

#[test]
fn descriptions_and_safe_private_attributes_stay_where_they_may() {
    let after = parsed(&clean(&deidentifier(&SHARING), &encoded(object())));
    assert_eq!(text(&after, tags::STUDY_DESCRIPTION).as_deref(), Some("Chest PA of"));
    assert_eq!(text(&after, Tag(0x0045, 0x0010)).as_deref(), Some("GEMS_SENO_02"));
    assert_eq!(text(&after, Tag(0x0045, 0x1006)).as_deref(), Some("7.5"));
    // A creator's code that holds an identifier, whatever its creator is.
    assert_eq!(text(&after, Tag(0x0045, 0x101B)), None);
    assert_eq!(texts(&after, Tag(0x0009, 0x0010)), Vec::<String>::new());
    // A name where no table looks for one is found by the name itself.
    assert_eq!(text(&after, tags::MANUFACTURER), None);
}

#[test]
fn what_cannot_be_shown_clean_is_quarantined_with_its_reason() {
    let quarantined = |set: InMemDicomObject, options: &[P]| match deidentifier(options)
        .deidentify(std::io::Cursor::new(encoded(set)))
        .unwrap()
    {
        Deidentified::Quarantined { reason, .. } => reason,
        Deidentified::Clean { .. } => panic!("it is clean"),
    };
    let with = |tag, value: &str| {
        let mut set = object();
        set.put(DataElement::new(tag, VR::CS, PrimitiveValue::from(value)));
        set
    };
    let reason = quarantined(with(tags::BURNED_IN_ANNOTATION, "YES"), &[]);
    assert!(reason.starts_with("BurnedInAnnotation (0028,0301)"), "{reason}");
    let faces = [P::CleanRecognizableVisualFeatures];
    let reason = quarantined(with(tags::BODY_PART_EXAMINED, "SKULL"), &faces);
    assert!(reason.starts_with("BodyPartExamined (0018,0015)"), "{reason}");
    let after = parsed(&clean(&deidentifier(&faces), &encoded(object())));
    assert_eq!(text(&after, tags::RECOGNIZABLE_VISUAL_FEATURES).as_deref(), Some("NO"));
    // What is no radiograph is an error.
    let ct = with(tags::SOP_CLASS_UID, dicom_dictionary_std::uids::CT_IMAGE_STORAGE);
    assert!(deidentifier(&[]).deidentify(std::io::Cursor::new(encoded(ct))).is_err());
}
