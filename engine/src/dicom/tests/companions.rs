//! Mask and verdict beside a synthetic image.

use chrono::{DateTime, Utc};
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject};

use super::writing::{description, gradient};
use crate::dicom::attributes::{integer, items, text, texts};
use crate::dicom::{
    Frame, Review, SyntheticDescription, Verdict, WrapOptions, inspect, wrap, write_report,
    write_segmentation, write_synthetic,
};

/// Two discs, as lungs lie, white on black.
pub(super) fn lungs(width: u32, height: u32) -> Frame {
    let inside = |x: u32, y: u32| {
        let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
        let disc = |centre: f32| (x - centre).powi(2) / 0.03 + (y - 0.5).powi(2) / 0.12 < 1.0;
        disc(0.27) || disc(0.73)
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels = pixels.map(|(x, y)| f32::from(u8::from(inside(x, y)))).collect();
    Frame { width, height, pixels }
}

pub(super) fn review() -> Review {
    Review {
        verdict: Verdict::Reject,
        reason: Some(
            "一根肋骨太多: a rib too many\nand \"its\" marker\u{7} <R> is \\ mirrored".into(),
        ),
        realism: Some(2),
        reviewer: "READER-00C0FFEE".into(),
        reviewed_at: DateTime::<Utc>::from_timestamp(1_795_860_001, 0).unwrap(),
    }
}

fn opened(bytes: &[u8]) -> DefaultDicomObject {
    dicom_object::from_reader(bytes).unwrap()
}

fn item(object: &InMemDicomObject, tag: Tag) -> &InMemDicomObject {
    let found = items(object, tag);
    assert_eq!(found.len(), 1, "{tag}");
    &found[0]
}

fn code_of(object: &InMemDicomObject, tag: Tag) -> String {
    text(item(object, tag), tags::CODE_VALUE).unwrap()
}

/// What every companion shares with its image, and what it does not.
fn belongs(companion: &InMemDicomObject, image: &[u8]) {
    let image = opened(image);
    for tag in [tags::STUDY_INSTANCE_UID, tags::PATIENT_ID, tags::PATIENT_NAME, tags::PATIENT_SEX] {
        assert_eq!(text(companion, tag), text(&image, tag), "{tag}");
        assert!(text(companion, tag).is_some(), "{tag}");
    }
    for tag in [tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID] {
        assert_ne!(text(companion, tag), text(&image, tag), "{tag}");
    }
    assert_eq!(text(companion, tags::SYNTHETIC_DATA).unwrap(), "YES");
    assert_eq!(text(companion, tags::TIMEZONE_OFFSET_FROM_UTC).unwrap(), "+0000");
}

#[test]
fn a_mask_is_a_segmentation_of_its_image() {
    let image = write_synthetic(&gradient(61, 40), &description()).unwrap();
    let mask = lungs(61, 40);
    let bytes = write_segmentation(&image, &mask).unwrap();
    let object = opened(&bytes);
    belongs(&object, &image);
    assert_eq!(text(&object, tags::SOP_CLASS_UID).unwrap(), uids::SEGMENTATION_STORAGE);
    for (tag, value) in [(tags::ROWS, 40), (tags::COLUMNS, 61), (tags::BITS_ALLOCATED, 1)] {
        assert_eq!(integer(&object, tag), Some(value), "{tag}");
    }
    let pixels = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(pixels.len(), (61 * 40_usize).div_ceil(8).next_multiple_of(2));
    for (index, value) in mask.pixels.iter().enumerate() {
        assert_eq!(f32::from(pixels[index / 8] >> (index % 8) & 1), *value, "pixel {index}");
    }
    let segment = item(&object, tags::SEGMENT_SEQUENCE);
    assert_eq!(code_of(segment, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE), "39607008");
    let lungs = item(segment, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE);
    let modifier = tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE;
    assert_eq!(code_of(lungs, modifier), "51440002");
    let frame = item(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let derivation = item(frame, tags::DERIVATION_IMAGE_SEQUENCE);
    assert_eq!(code_of(derivation, tags::DERIVATION_CODE_SEQUENCE), "113076");
    let source = item(derivation, tags::SOURCE_IMAGE_SEQUENCE);
    let header = inspect(&image).unwrap();
    let named = text(source, tags::REFERENCED_SOP_INSTANCE_UID).unwrap();
    assert_eq!(named, header.sop_instance_uid);
    assert_eq!(code_of(source, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE), "121322");
    let series = item(&object, tags::REFERENCED_SERIES_SEQUENCE);
    assert_eq!(text(series, tags::SERIES_INSTANCE_UID).unwrap(), header.series_instance_uid);
    // No frame of reference, and so no spacing of its own.
    assert!(object.get(tags::FRAME_OF_REFERENCE_UID).is_none());
    assert!(frame.get(tags::PIXEL_MEASURES_SEQUENCE).is_none());
    // The same pair is the same object; another mask is another.
    assert_eq!(write_segmentation(&image, &mask).unwrap(), bytes);
    let mut other = mask.clone();
    other.pixels[0] = 1.0;
    let other = write_segmentation(&image, &other).unwrap();
    let uid = |bytes: &[u8]| text(&opened(bytes), tags::SOP_INSTANCE_UID).unwrap();
    assert_ne!(uid(&other), uid(&bytes));
}

#[test]
fn a_mask_of_another_size_is_brought_to_the_images() {
    let image = write_synthetic(&gradient(64, 48), &description()).unwrap();
    let object = opened(&write_segmentation(&image, &lungs(256, 192)).unwrap());
    let pixels = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    let expected = lungs(64, 48).pixels;
    let wrong = expected
        .iter()
        .enumerate()
        .filter(|(index, value)| f32::from(pixels[index / 8] >> (index % 8) & 1) != **value);
    // Only where the outline runs through a pixel.
    assert!(wrong.count() < 64 * 48 / 50);
}

#[test]
fn a_side_view_has_no_left_and_right_lung() {
    let lateral = SyntheticDescription { view_position: Some("LL".into()), ..description() };
    let image = write_synthetic(&gradient(9, 9), &lateral).unwrap();
    let object = opened(&write_segmentation(&image, &lungs(9, 9)).unwrap());
    let segment = item(&object, tags::SEGMENT_SEQUENCE);
    let lungs = item(segment, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE);
    assert!(lungs.get(tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE).is_none());
}

#[test]
fn masks_without_lungs_are_refused() {
    let image = write_synthetic(&gradient(8, 8), &description()).unwrap();
    let refused = |mask: Frame| write_segmentation(&image, &mask).unwrap_err().to_string();
    let black = Frame { width: 8, height: 8, pixels: vec![0.0; 64] };
    assert!(refused(black).contains("nothing is white"));
    assert!(refused(Frame { width: 8, height: 8, pixels: vec![1.0; 3] }).contains("8 × 8"));
    assert!(refused(Frame { width: 0, height: 0, pixels: vec![] }).contains("0 × 0"));
}

/// The content items below the root, by the code of their concept.
fn content(object: &InMemDicomObject, concept: &str) -> Option<InMemDicomObject> {
    let about = |item: &&InMemDicomObject| {
        items(item, tags::CONCEPT_NAME_CODE_SEQUENCE)
            .first()
            .and_then(|concept| text(concept, tags::CODE_VALUE))
            .is_some_and(|code| code == concept)
    };
    items(object, tags::CONTENT_SEQUENCE).iter().find(about).cloned()
}

#[test]
fn a_verdict_is_a_report_on_its_image() {
    let image = write_synthetic(&gradient(61, 40), &description()).unwrap();
    let bytes = write_report(&image, &review()).unwrap();
    let object = opened(&bytes);
    belongs(&object, &image);
    assert_eq!(text(&object, tags::SOP_CLASS_UID).unwrap(), uids::ENHANCED_SR_STORAGE);
    let moment = [tags::CONTENT_DATE, tags::CONTENT_TIME].map(|tag| text(&object, tag).unwrap());
    assert_eq!(moment, ["20261128", "100001"]);
    let value =
        |concept: &str| code_of(&content(&object, concept).unwrap(), tags::CONCEPT_CODE_SEQUENCE);
    assert_eq!((value("VERDICT"), value("111050")), ("113001".into(), "111235".into()));
    let realism = content(&object, "REALISM").unwrap();
    let measured = item(&realism, tags::MEASURED_VALUE_SEQUENCE);
    assert_eq!(text(measured, tags::NUMERIC_VALUE).unwrap(), "2");
    let reason = content(&object, "121106").unwrap();
    assert_eq!(
        text(&reason, tags::TEXT_VALUE).unwrap(),
        "一根肋骨太多: a rib too many\r\nand \"its\" marker  <R> is \\ mirrored"
    );
    let name = content(&object, "121008").unwrap();
    assert_eq!(text(&name, tags::PERSON_NAME).unwrap(), "READER-00C0FFEE^");
    let uid = inspect(&image).unwrap().sop_instance_uid;
    let shown = items(&object, tags::CONTENT_SEQUENCE).last().unwrap();
    assert_eq!(text(shown, tags::VALUE_TYPE).unwrap(), "IMAGE");
    let named = item(shown, tags::REFERENCED_SOP_SEQUENCE);
    assert_eq!(text(named, tags::REFERENCED_SOP_INSTANCE_UID).unwrap(), uid);
    // Everything that is referred to stands in the evidence.
    let evidence = item(&object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE);
    let series = item(evidence, tags::REFERENCED_SERIES_SEQUENCE);
    let named = item(series, tags::REFERENCED_SOP_SEQUENCE);
    assert_eq!(text(named, tags::REFERENCED_SOP_INSTANCE_UID).unwrap(), uid);
    assert_eq!(write_report(&image, &review()).unwrap(), bytes);
}

#[test]
fn what_is_not_said_is_not_reported() {
    let image = write_synthetic(&gradient(4, 4), &description()).unwrap();
    let released = Review {
        verdict: Verdict::Release,
        reason: Some(" \n".into()),
        realism: None,
        reviewer: "Clara^\\Klein=MD".into(),
        ..review()
    };
    let object = opened(&write_report(&image, &released).unwrap());
    let value =
        |concept: &str| code_of(&content(&object, concept).unwrap(), tags::CONCEPT_CODE_SEQUENCE);
    assert_eq!((value("VERDICT"), value("111050")), ("RELEASED".into(), "111237".into()));
    assert!(content(&object, "REALISM").is_none() && content(&object, "121106").is_none());
    let author = item(&object, tags::AUTHOR_OBSERVER_SEQUENCE);
    assert_eq!(texts(author, tags::PERSON_NAME), ["Clara  Klein MD^"]);
}

#[test]
fn reports_that_would_be_wrong_are_refused() {
    let image = write_synthetic(&gradient(4, 4), &description()).unwrap();
    let refused = |review: Review| write_report(&image, &review).unwrap_err().to_string();
    assert!(refused(Review { reviewer: " ^ ".into(), ..review() }).starts_with("PersonName"));
    for realism in [0, 6] {
        let cause = refused(Review { realism: Some(realism), ..review() });
        assert!(cause.starts_with("NumericValue"), "{cause}");
    }
}

#[test]
fn real_radiographs_get_neither() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("images")).unwrap();
    image::GrayImage::new(9, 9).save(at("images/a.png")).unwrap();
    std::fs::write(at("labels.csv"), "file,findings,patient\na.png,normal,1\n").unwrap();
    let options = WrapOptions {
        images: at("images"),
        table: at("labels.csv"),
        out: at("out"),
        ..WrapOptions::default()
    };
    wrap(&options, &mut |_, _| ()).unwrap();
    let real = std::fs::read(at("out/a.dcm")).unwrap();
    let mask = write_segmentation(&real, &lungs(9, 9)).unwrap_err().to_string();
    let verdict = write_report(&real, &review()).unwrap_err().to_string();
    assert!(mask.starts_with("SyntheticData (0008,001C)"), "{mask}");
    assert_eq!(mask, verdict);
}
