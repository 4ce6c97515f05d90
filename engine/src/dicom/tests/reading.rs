use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::fixtures::{Object, from_hex, pattern, run_lengths, table};
use crate::dicom::{inspect, read};
use crate::terms::Sex;

fn pixels(object: &Object) -> Vec<f32> {
    read(&object.bytes()).unwrap().frame.pixels
}

fn near(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (got_one, expected_one) in got.iter().zip(expected) {
        assert!((got_one - expected_one).abs() < 1e-4, "{got:?} is not {expected:?}");
    }
}

#[test]
fn a_linear_window_follows_the_clause() {
    // PS3.3 C.11.2.1.2.1: center 2048, width 4096 give 0 at 0 and 1 at 4095.
    let object = Object::words(2, &[0, 1000, 4095, 5000]).window("2048", "4096");
    near(&pixels(&object), &[0.0, 1000.0 / 4095.0, 1.0, 1.0]);
    let inverted = object.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    near(&pixels(&inverted), &[1.0, 3095.0 / 4095.0, 0.0, 0.0]);
}

#[test]
fn other_window_functions_follow_theirs() {
    let object = Object::words(2, &[0, 500, 1000, 1500]).window("500", "1000");
    let exact = object.clone().text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    near(&pixels(&exact), &[0.0, 0.5, 1.0, 1.0]);
    let sigmoid = object.clone().text(tags::VOILUT_FUNCTION, VR::CS, "SIGMOID");
    near(&pixels(&sigmoid), &[0.1192, 0.5, 0.8808, 0.982]);
    let unknown = object.text(tags::VOILUT_FUNCTION, VR::CS, "CUBIC");
    let error = read(&unknown.bytes()).unwrap_err().to_string();
    assert!(error.starts_with("VOILUTFunction (0028,1056)"), "{error}");
}

#[test]
fn rescale_comes_before_the_window() {
    let object = Object::words(2, &[0, 100, 200, 300])
        .text(tags::RESCALE_SLOPE, VR::DS, "2")
        .text(tags::RESCALE_INTERCEPT, VR::DS, "-100")
        .window("200", "400")
        .text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    near(&pixels(&object), &[0.0, 0.25, 0.75, 1.0]);
}

#[test]
fn look_up_tables_hold_beyond_their_ends() {
    let modality = Object::words(2, &[0, 10, 11, 99])
        .item(tags::MODALITY_LUT_SEQUENCE, table(10, 16, &[0, 600, 1000]))
        .window("500", "1000")
        .text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    near(&pixels(&modality), &[0.0, 0.0, 0.6, 1.0]);
    // A VOI LUT is taken before a window.
    let voi = Object::words(2, &[0, 10, 11, 99])
        .item(tags::VOILUT_SEQUENCE, table(10, 8, &[0, 51, 255]))
        .window("1", "2");
    near(&pixels(&voi), &[0.0, 0.0, 0.2, 1.0]);
}

#[test]
fn bits_lie_where_the_header_says() {
    // Ten bits under high bit 13, with rubbish around them.
    let words: Vec<u16> = [0, 512, 1023, 1].iter().map(|value| (value << 4) | 0xC00F).collect();
    let object = Object::words(2, &words)
        .short(tags::BITS_STORED, 10)
        .short(tags::HIGH_BIT, 13)
        .window("512", "1024");
    near(&pixels(&object), &[0.0, 512.0 / 1023.0, 1.0, 1.0 / 1023.0]);
    // Twelve signed bits: 0xF38 is -200.
    let signed = Object::words(2, &[0x0F38, 0, 200, 0x7FF])
        .short(tags::BITS_STORED, 12)
        .short(tags::HIGH_BIT, 11)
        .short(tags::PIXEL_REPRESENTATION, 1)
        .window("0", "400")
        .text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    near(&pixels(&signed), &[0.0, 0.5, 1.0, 1.0]);
}

#[test]
fn padding_is_black_and_moves_no_window() {
    let object = Object::words(3, &[9999, 100, 200, 300, 9999, 9998])
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1")
        .short(tags::PIXEL_PADDING_VALUE, 9999)
        .short(tags::PIXEL_PADDING_RANGE_LIMIT, 9998);
    near(&pixels(&object), &[0.0, 1.0, 0.5, 0.0, 0.0, 0.0]);
    let signed = Object::words(2, &[0xF830, 0, 50, 100])
        .short(tags::PIXEL_REPRESENTATION, 1)
        .signed_short(tags::PIXEL_PADDING_VALUE, -2000);
    near(&pixels(&signed), &[0.0, 0.0, 0.5, 1.0]);
}

#[test]
fn without_a_window_the_robust_range_is_shown() {
    let mut values: Vec<u16> = (0..1000).collect();
    values[0] = 60_000;
    let got = pixels(&Object::words(100, &values));
    assert_eq!(got[0], 1.0);
    assert!((got[500] - 0.5).abs() < 0.01, "{}", got[500]);
    near(&pixels(&Object::words(2, &[7; 4])), &[0.5; 4]);
}

#[test]
fn pixels_become_square() {
    let object = Object::words(4, &[0, 0, 100, 100, 0, 0, 100, 100]).window("50", "100").text(
        tags::IMAGER_PIXEL_SPACING,
        VR::DS,
        "0.2\\0.1",
    );
    let frame = read(&object.bytes()).unwrap().frame;
    assert_eq!((frame.width, frame.height), (4, 4));
    let object = object.text(tags::IMAGER_PIXEL_SPACING, VR::DS, "0.1\\0.2");
    let frame = read(&object.bytes()).unwrap().frame;
    assert_eq!((frame.width, frame.height), (8, 2));
    assert!(frame.pixels[1] < 0.1 && frame.pixels[6] > 0.9);
    // A spacing of zero says nothing.
    let object = object.text(tags::IMAGER_PIXEL_SPACING, VR::DS, "0.0\\0.0");
    assert_eq!(read(&object.bytes()).unwrap().frame.width, 4);
}

/// `numpy.array([[(r*331+c*173)%1024 for c in range(16)] for r in range(12)], dtype="uint16")` by
/// Pillow 12: `.save(f, "JPEG2000", irreversible=False, no_jp2=True, num_resolutions=2)`.
const JPEG_2000: &str = "
ff4fff5100290000000000100000000c0000000000000000000000100000000c000000000000000000010f0101ff52000c
00000001000104040001ff5c00074080888890ff640025000143726561746564206279204f70656e4a5045472076657273
696f6e20322e352e34ff90000a0000000000d30001ff93dff8925012281a4d226d5803ff584525d712ca6a00fc15384426
330f6734f86c7e2b2e7b2a6816bf9621c1b39b0e3c3d33e1e5eedf3b4dfbcc10c27fba2b1aec1db7e3b9b59d582236fcba
2da04fc03f628807ec5d00fe4580821669ae3c20c97fdffbf9370779682b4ad925447cba321a6d4950703165e6fd317a26
416f94f25415f55f5e7b250cf94c9d8f9fae8e6604ad11005404955169bf9bdecdcc660c198be39101a890b78420ca23f8
78d83768b4d7fc71e3a7d355d8e10d4792928aa3e787e41fffd9";

/// The same array, by dcmtk 3.6.7: `dcmcjpeg +e1`.
const JPEG_LOSSLESS: &str = "
ffd8ffe000104a46494600010100000100010000ffc3000b10000c001001011100ffc40017000101010100000000000000
0000000000080a0910ffda0008010100010000e56ab55aad56c562b55aad56ab62b15aad56ea5ab55aad56c562b55aad56
c562b55aad56ab752d5aad8ac56ab55aad56c562b55aad56c562b752e2b15aad56ab55b158ad56ab55aad8ac56ab65295a
ad56ab62b15aad56ab55b158ad56ab55ba96ad56c562b55aad56ab62b15aad56ab55b159a97158ad56ab55aad8ac56ab55
aad56c562b55b294ad56ab55b158ad56ab55aad8ac56ab55aadd4b56ab62b15aad56ab55b158ad56ab55aad8acd4b8ac56
ab55aad56c562b55aad56ab62b15aad94a56ab55aad8ac56ab55aad56c562b55aad56ea5ab55b158ad56ab55aad8ac56ab
55aad56c567fffd9";

#[test]
fn compressed_pixels_are_those_that_were_compressed() {
    let expected = pixels(&Object::words(16, &pattern()).window("512", "1024"));
    let whole = from_hex(JPEG_2000);
    let (first, second) = whole.split_at(100);
    for (syntax, fragments) in [
        (uids::JPEG2000_LOSSLESS, vec![whole.clone()]),
        (uids::JPEG2000_LOSSLESS, vec![first.to_vec(), second.to_vec()]),
        (uids::JPEG_LOSSLESS_SV1, vec![from_hex(JPEG_LOSSLESS)]),
        (uids::RLE_LOSSLESS, vec![run_lengths(&pattern())]),
    ] {
        let object = Object::compressed(16, 12, 10, syntax, fragments).window("512", "1024");
        near(&pixels(&object), &expected);
    }
}

#[test]
fn jpeg_baseline_is_near_what_was_compressed() {
    let grey: Vec<u8> = (0..32 * 24).map(|i| ((i % 32) * 4 + (i / 32) * 5) as u8).collect();
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut stream, 95)
        .encode(&grey, 32, 24, image::ExtendedColorType::L8)
        .unwrap();
    let object =
        Object::compressed(32, 24, 8, uids::JPEG_BASELINE8_BIT, vec![stream]).window("128", "256");
    for (got, expected) in pixels(&object).iter().zip(&grey) {
        assert!((got * 255.0 - f32::from(*expected)).abs() < 6.0);
    }
}

#[test]
fn implicit_and_big_endian_objects_are_read() {
    let object = Object::words(2, &[0, 1000, 2000, 4095]).window("2048", "4096");
    let expected = pixels(&object);
    for syntax in [uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        near(&pixels(&object.clone().syntax(syntax)), &expected);
    }
}

#[test]
fn the_header_is_in_the_platforms_words() {
    let diagnosis = InMemDicomObject::from_element_iter([
        DataElement::new(tags::CODE_VALUE, VR::SH, PrimitiveValue::from("53084003")),
        DataElement::new(tags::CODING_SCHEME_DESIGNATOR, VR::SH, PrimitiveValue::from("SCT")),
        DataElement::new(tags::CODE_MEANING, VR::LO, PrimitiveValue::from("Bacterial pneumonia")),
    ]);
    let object = Object::words(2, &[0; 4])
        .text(tags::PATIENT_AGE, VR::AS, "018M")
        .text(tags::PATIENT_SEX, VR::CS, "F")
        .text(tags::VIEW_POSITION, VR::CS, "PA")
        .text(tags::IMAGE_LATERALITY, VR::CS, "U")
        .text(tags::BODY_PART_EXAMINED, VR::CS, "CHEST")
        .item(tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE, diagnosis)
        .text(tags::ADMITTING_DIAGNOSES_DESCRIPTION, VR::LO, "Pleural_Thickening\\Gout");
    let header = inspect(&object.bytes()).unwrap();
    assert_eq!(header.age_years, Some(1.5));
    assert_eq!(header.sex, Some(Sex::Female));
    assert_eq!(header.view_position.as_deref(), Some("PA"));
    assert_eq!(header.laterality.as_deref(), Some("U"));
    assert_eq!(header.findings, ["bacterial pneumonia", "pleural thickening"]);
    assert!(!header.synthetic);
    let birth = Object::words(2, &[0; 4]).text(tags::PATIENT_BIRTH_DATE, VR::DA, "20000615").text(
        tags::STUDY_DATE,
        VR::DA,
        "20240101",
    );
    assert_eq!(inspect(&birth.bytes()).unwrap().age_years, Some(23.0));
}
