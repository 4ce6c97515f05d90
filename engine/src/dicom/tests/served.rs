//! What viewers and archives are given of an object.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use serde_json::json;

use super::fixtures::Object;
use super::writing::{description, gradient};
use crate::dicom::{
    DisplayWindow, Picture, Show, WindowFunction, attribute_tag, bulk_value, describe, identify,
    native_frame, read, show, stored_frame, uncompressed, write_synthetic,
};

fn placed(object: Object) -> Object {
    object.text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.1").text(
        tags::SERIES_INSTANCE_UID,
        VR::UI,
        "1.2.2",
    )
}

#[test]
fn an_object_is_described_without_its_pixels() {
    let bytes = write_synthetic(&gradient(61, 40), &description()).unwrap();
    let described = describe(&bytes).unwrap();
    let header = read(&bytes).unwrap().header;
    assert_eq!(described.sop_instance_uid, header.sop_instance_uid);
    assert_eq!(described.study_instance_uid, header.study_instance_uid);
    assert!(described.synthetic);
    let attributes = &described.attributes;
    assert_eq!(attributes["00280010"], json!({ "vr": "US", "Value": [40] }));
    assert_eq!(attributes["0008001C"], json!({ "vr": "CS", "Value": ["YES"] }));
    assert_eq!(attributes["00281050"], json!({ "vr": "DS", "Value": [2048.0] }));
    assert_eq!(attributes["00080005"], json!({ "vr": "CS", "Value": ["ISO_IR 192"] }));
    assert_eq!(attributes["7FE00010"], json!({ "vr": "OW", "BulkDataURI": "7FE00010" }));
    let name = attributes["00100010"]["Value"][0]["Alphabetic"].as_str().unwrap();
    assert!(name.starts_with("Synthetic^"));
    assert!(attributes.as_object().unwrap().keys().all(|tag| !tag.starts_with("0002")));
    // By UIDs alone an object is found.
    let without = Object::words(2, &[1, 2]).bytes();
    assert!(describe(&without).unwrap_err().to_string().contains("StudyInstanceUID"));
    // By what it is known is read without its attributes, too.
    let known = identify(std::io::Cursor::new(&bytes)).unwrap();
    assert_eq!(known.sop_instance_uid, described.sop_instance_uid);
    assert_eq!(known.series_instance_uid, described.series_instance_uid);
    let error = identify(std::io::Cursor::new(&without)).unwrap_err();
    assert!(error.to_string().contains("StudyInstanceUID"));
}

#[test]
fn large_values_have_an_address() {
    let table = vec![7_u8; 3000];
    let object = placed(Object::words(2, &[1, 2, 3, 4]));
    let object = object.binary(tags::ICC_PROFILE, VR::OB, &table).binary(
        tags::PIXEL_PADDING_VALUE,
        VR::OB,
        &[1, 2],
    );
    let bytes = object.bytes();
    let attributes = describe(&bytes).unwrap().attributes;
    assert_eq!(attributes["00282000"], json!({ "vr": "OB", "BulkDataURI": "00282000" }));
    assert_eq!(attributes["00280120"], json!({ "vr": "OB", "InlineBinary": "AQI=" }));
    assert_eq!(bulk_value(&bytes, "00282000").unwrap(), Some(table));
    assert_eq!(bulk_value(&bytes, "7FE00010").unwrap().unwrap(), [1, 0, 2, 0, 3, 0, 4, 0]);
    assert_eq!(bulk_value(&bytes, "00100020").unwrap(), None);
    assert_eq!(attribute_tag("ICCProfile").as_deref(), Some("00282000"));
    assert_eq!(attribute_tag("0028200a").as_deref(), Some("0028200A"));
    assert_eq!(attribute_tag("NoAttribute"), None);
}

#[test]
fn frames_come_as_stored_and_as_they_are_shown_to_be() {
    let plain = Object::octets(2, 2, &[1, 2, 3, 4, 5, 6, 7, 8])
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
        .bytes();
    assert_eq!(native_frame(&plain, 2).unwrap(), [5, 6, 7, 8]);
    assert!(native_frame(&plain, 3).unwrap_err().to_string().contains("NumberOfFrames"));
    let stored = stored_frame(&plain, 1).unwrap();
    assert_eq!((stored.bytes, stored.media_type), (vec![1, 2, 3, 4], "application/octet-stream"));
    assert_eq!(bulk_value(&plain, "7FE00010").unwrap().unwrap().len(), 8);

    // RLE Lossless: a header of one segment, then a run of four different bytes (PS3.5 annex G).
    let mut stream = vec![0_u8; 64];
    (stream[0], stream[4]) = (1, 64);
    stream.extend([3, 9, 8, 7, 6]);
    stream.push(0);
    let packed =
        placed(Object::compressed(2, 2, 8, uids::RLE_LOSSLESS, vec![stream.clone()])).bytes();
    let stored = stored_frame(&packed, 1).unwrap();
    assert_eq!((stored.bytes, stored.media_type), (stream, "image/dicom-rle"));
    assert_eq!(stored.transfer_syntax_uid, uids::RLE_LOSSLESS);
    assert_eq!(native_frame(&packed, 1).unwrap(), [9, 8, 7, 6]);
    assert_eq!(describe(&packed).unwrap().attributes["7FE00010"]["vr"], "OB");
    let unpacked = uncompressed(&packed).unwrap();
    let (before, after) = (read(&packed).unwrap(), read(&unpacked).unwrap());
    assert_eq!(after.header.transfer_syntax_uid, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert_eq!(after.frame, before.frame);
    assert_eq!(after.header.sop_instance_uid, before.header.sop_instance_uid);
}

#[test]
fn a_window_is_that_of_the_standard() {
    // PS3.3 C.11.2.1.2.1 for a center of 100 and a width of 101: 50 is black, 150 white, and 75 a quarter
    // of the way, less half a value: (75 - 99.5) / 100 + 0.5 = 0.255.
    let bytes = Object::words(4, &[50, 75, 150, 400]).window("300", "50").bytes();
    let picture = |window, picture| {
        let how = Show { frame: 1, window, viewport: None, picture };
        let bytes = show(&bytes, &how).unwrap();
        image::load_from_memory(&bytes).unwrap().to_luma8().into_raw()
    };
    let function = WindowFunction::Linear;
    let window = Some(DisplayWindow { center: 100.0, width: 101.0, function });
    assert_eq!(picture(window, Picture::Png), [1, 65, 255, 255]);
    // The object's own.
    assert_eq!(picture(None, Picture::Png), [0, 0, 0, 255]);
    assert_eq!(picture(window, Picture::Jpeg(100)).len(), 4);
    let narrow = Some(DisplayWindow { center: 1.0, width: 0.5, function });
    let how = Show { frame: 1, window: narrow, viewport: None, picture: Picture::Png };
    assert!(show(&bytes, &how).unwrap_err().to_string().contains("WindowWidth"));
}

#[test]
fn a_picture_fits_its_viewport() {
    let bytes = write_synthetic(&gradient(60, 40), &description()).unwrap();
    for (viewport, size) in [((30, 30), (30, 20)), ((600, 40), (60, 40)), ((120, 200), (120, 80))] {
        let how =
            Show { frame: 1, window: None, viewport: Some(viewport), picture: Picture::Jpeg(80) };
        let picture = image::load_from_memory(&show(&bytes, &how).unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), size);
    }
}
