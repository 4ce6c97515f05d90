#![allow(clippy::unwrap_used)]

use super::*;

fn policy(options: &[ProfileOption]) -> Policy {
    Policy::new(Edition::E2026c, options.iter().copied()).unwrap()
}

fn action(tag: (u16, u16), options: &[ProfileOption], of: AttributeType) -> Option<Action> {
    Edition::E2026c.table().action(tag, &policy(options), of)
}

const PATIENT_NAME: (u16, u16) = (0x0010, 0x0010);
const PATIENT_AGE: (u16, u16) = (0x0010, 0x1010);
const STUDY_DATE: (u16, u16) = (0x0008, 0x0020);
const SERIES_DATE: (u16, u16) = (0x0008, 0x0021);
const STUDY_UID: (u16, u16) = (0x0020, 0x000D);
const STUDY_DESCRIPTION: (u16, u16) = (0x0008, 0x1030);
const CONTENT_DATE: (u16, u16) = (0x0008, 0x0023);
const SOURCE_IMAGES: (u16, u16) = (0x0008, 0x2112);

/// Rows of PS3.15 Table E.1-1, read there.
#[test]
fn the_basic_profile_is_the_standards() {
    use AttributeType::{Optional, Present, Unknown, Valued};
    for (tag, of, expected) in [
        (PATIENT_NAME, Present, Action::Empty),
        (PATIENT_AGE, Optional, Action::Remove),
        (STUDY_UID, Valued, Action::Uid),
        (STUDY_DATE, Present, Action::Empty),
        (STUDY_DESCRIPTION, Optional, Action::Remove),
        // X/D, Z/D, X/Z/U*: by the attribute's Type.
        (SERIES_DATE, Optional, Action::Remove),
        (SERIES_DATE, Valued, Action::Dummy),
        (SERIES_DATE, Unknown, Action::Dummy),
        (CONTENT_DATE, Present, Action::Empty),
        (CONTENT_DATE, Valued, Action::Dummy),
        (SOURCE_IMAGES, Optional, Action::Remove),
        (SOURCE_IMAGES, Present, Action::Empty),
        (SOURCE_IMAGES, Valued, Action::Uid),
        // Curves and overlays of every group, and everything private.
        ((0x5002, 0x3000), Optional, Action::Remove),
        ((0x601E, 0x3000), Optional, Action::Remove),
        ((0x0009, 0x1001), Optional, Action::Remove),
    ] {
        assert_eq!(action(tag, &[], of), Some(expected), "{tag:04x?} of {of:?}");
    }
    // Rows and Columns identify nobody.
    assert_eq!(action((0x0028, 0x0010), &[], Valued), None);
}

#[test]
fn options_keep_what_they_name_and_nothing_else() {
    use ProfileOption as P;
    let of = AttributeType::Optional;
    for (tag, option, expected) in [
        (PATIENT_AGE, P::RetainPatientCharacteristics, Action::Keep),
        (STUDY_DATE, P::RetainFullDates, Action::Keep),
        (STUDY_DATE, P::RetainModifiedDates, Action::Clean),
        (STUDY_UID, P::RetainUids, Action::Keep),
        (STUDY_DESCRIPTION, P::CleanDescriptors, Action::Clean),
        ((0x0018, 0x1000), P::RetainDeviceIdentity, Action::Keep),
        ((0x0008, 0x0080), P::RetainInstitutionIdentity, Action::Keep),
        ((0x0040, 0x0555), P::CleanStructuredContent, Action::Clean),
        ((0x6000, 0x3000), P::CleanGraphics, Action::Clean),
        ((0x0009, 0x1001), P::RetainSafePrivate, Action::Clean),
    ] {
        assert_eq!(action(tag, &[option], of), Some(expected), "{tag:04x?} with {}", option.name());
        let others: Vec<_> = P::all()
            .filter(|other| *other != option && *other != P::RetainFullDates)
            .filter(|other| !(tag == STUDY_DATE && *other == P::RetainModifiedDates))
            .collect();
        assert_ne!(
            action(tag, &others, of),
            Some(expected),
            "{tag:04x?} without {}",
            option.name()
        );
    }
    assert_eq!(action(PATIENT_NAME, &[P::RetainPatientCharacteristics], of), Some(Action::Empty));
    assert!(Policy::new(Edition::E2024b, [P::RetainFullDates, P::RetainModifiedDates]).is_err());
}

#[test]
fn every_row_of_every_edition_has_an_action() {
    for (edition, rows) in [(Edition::E2024b, 617), (Edition::E2026c, 652)] {
        let table = edition.table();
        // Without curves, overlays and private attributes, which are named by a pattern.
        assert_eq!(table.tags().count(), rows, "{edition}");
        for tag in table.tags() {
            assert!(table.basic(tag, AttributeType::Unknown).is_some(), "{edition} {tag:04x?}");
            assert!(!table.name(tag).unwrap().is_empty(), "{edition} {tag:04x?}");
        }
    }
}

#[test]
fn attributes_that_are_new_are_kept_by_no_option() {
    let all = policy(
        &ProfileOption::all()
            .filter(|option| *option != ProfileOption::RetainFullDates)
            .collect::<Vec<_>>(),
    );
    let (older, newer) = (Edition::E2024b.table(), Edition::E2026c.table());
    let new: Vec<_> = newer.tags().filter(|tag| older.name(*tag).is_none()).collect();
    assert_eq!(new.len(), 35);
    for tag in new {
        let of = AttributeType::Unknown;
        assert_eq!(newer.action(tag, &all, of), newer.basic(tag, of));
    }
}

#[test]
fn types_are_those_of_the_image() {
    // Content Date is of Type 2C in the General Image Module, Acquisition Context of Type 2 in DX alone.
    assert_eq!(Image::Cr.attribute_type(CONTENT_DATE), AttributeType::Present);
    assert_eq!(Image::Dx.attribute_type((0x0040, 0x0555)), AttributeType::Present);
    assert_eq!(Image::Cr.attribute_type((0x0040, 0x0555)), AttributeType::Optional);
}

#[test]
fn dates_move_by_days_and_keep_their_precision() {
    assert_eq!(shifted_date("20240301", 1).as_deref(), Some("20240229"));
    assert_eq!(shifted_date("2024.03.01 ", 366).as_deref(), Some("20230301"));
    assert_eq!(
        shifted_datetime("20240301120000.5+0100", 1).as_deref(),
        Some("20240229120000.5+0100")
    );
    assert_eq!(shifted_datetime("202403", 1).as_deref(), Some("202402"));
    assert_eq!(shifted_datetime("2024", 1).as_deref(), Some("2023"));
    for text in
        ["", "2024030", "20241301", "Doe", "20240301Doe", "2024.5", "20240301 1", "１２３４"]
    {
        assert_eq!(shifted_date(text, 1), None, "{text}");
        assert_eq!(shifted_datetime(text, 1), None, "{text}");
    }
}

/// `hmac.new(b"0123456789abcdef", digestmod="sha256")` of Python 3.11, fed with the length (8 bytes,
/// little-endian) and the bytes of each part: `uid`, `1.2.3`, and so on.
#[test]
fn pseudonyms_are_those_of_the_key() {
    let key = Pseudonyms::new(b"0123456789abcdef").unwrap();
    assert_eq!(key.uid("1.2.3"), "2.25.144121428049503639105037841283776555344");
    assert_eq!(key.patient("\\P1"), "DEID-3047759801228BBA");
    assert_eq!(key.reader("u-1"), "READER-F83EFFE36771C7EC");
    assert_eq!(key.days("\\P1"), 1247);
    assert_eq!(key.seal(&["a", "bc"]), "411aeaf1e899f46879fa257d3cc49c96");
    assert_ne!(key.seal(&["ab", "c"]), key.seal(&["a", "bc"]));
    let other = Pseudonyms::new(b"0123456789abcdeg").unwrap();
    assert_ne!(other.uid("1.2.3"), key.uid("1.2.3"));
    assert!(key.uid("1.2.3").len() <= 64);
    assert_eq!(
        Pseudonyms::new(b"short").err().unwrap().to_string(),
        "key: 5 bytes; 16 are needed at least"
    );
}

#[test]
fn descriptions_keep_words_of_the_clinic_alone() {
    let nothing = |_: &str| false;
    let clean = |text| cleaned(text, &nothing);
    assert_eq!(clean("CHEST PA/LAT, Doe^Jane").as_deref(), Some("CHEST PA LAT"));
    assert_eq!(clean("Knee 2 views 19620415 room 12").as_deref(), Some("Knee 2 views"));
    assert_eq!(clean("Jane Doe"), None);
    assert_eq!(clean("1 2"), None);
    assert_eq!(cleaned("Gout", &|word| word == "gout").as_deref(), Some("Gout"));
}

#[test]
fn safe_private_attributes_are_known_by_their_creator() {
    assert!(safe_private("GEMS_SENO_02", 0x0045, 0x06).is_some());
    assert!(safe_private("GEMS_SENO_02", 0x0047, 0x06).is_none());
    assert!(safe_private("SOMEBODY", 0x0045, 0x06).is_none());
}
