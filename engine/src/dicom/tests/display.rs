//! What the header says of showing: polarity, several windows and tables, frames.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::fixtures::{Object, table};
use crate::dicom::{DicomError, ReadOptions, read, read_from};

fn shown(object: &Object, options: ReadOptions) -> Result<Vec<f32>, DicomError> {
    read_from(std::io::Cursor::new(object.bytes()), options).map(|read| read.frame.pixels)
}

fn window(number: u32) -> ReadOptions {
    ReadOptions { window: Some(number), ..ReadOptions::default() }
}

fn frame(number: u32) -> ReadOptions {
    ReadOptions { frame: Some(number), ..ReadOptions::default() }
}

#[test]
fn polarity_is_said_by_either_attribute() {
    let object = Object::words(2, &[0, 4095, 0, 4095]).window("2048", "4096");
    let inverse = object.clone().text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "INVERSE");
    let photometric = object.clone().text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    let both = photometric.clone().text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "INVERSE");
    for object in [inverse, photometric, both] {
        assert_eq!(shown(&object, ReadOptions::default()).unwrap()[..2], [1.0, 0.0]);
    }
    let identity = object.clone().text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY");
    assert_eq!(shown(&identity, ReadOptions::default()).unwrap()[..2], [0.0, 1.0]);
    let unknown = object.text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "LIN OD");
    let error = shown(&unknown, ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("PresentationLUTShape (2050,0020)"), "{error}");
}

#[test]
fn windows_are_counted_behind_the_tables() {
    let object = Object::words(2, &[0, 100, 200, 300]).window("100\\200", "200\\400").text(
        tags::VOILUT_FUNCTION,
        VR::CS,
        "LINEAR_EXACT",
    );
    let wide = [0.0, 0.25, 0.5, 0.75];
    let narrow = [0.0, 0.5, 1.0, 1.0];
    assert_eq!(shown(&object, ReadOptions::default()).unwrap(), narrow);
    assert_eq!(shown(&object, window(1)).unwrap(), narrow);
    assert_eq!(shown(&object, window(2)).unwrap(), wide);
    let with_table = object.item(tags::VOILUT_SEQUENCE, table(100, 8, &[255, 0]));
    assert_eq!(shown(&with_table, ReadOptions::default()).unwrap(), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(shown(&with_table, window(3)).unwrap(), wide);
    for beyond in [0, 4] {
        let error = shown(&with_table, window(beyond)).unwrap_err().to_string();
        assert!(error.contains("1 tables and 2 windows"), "{error}");
    }
}

#[test]
fn a_frame_is_chosen_and_not_guessed() {
    let object = Object::octets(2, 2, &[0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23])
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "3")
        .window("12.5", "25")
        .text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    for syntax in [uids::EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        let object = object.clone().syntax(syntax);
        assert!((shown(&object, frame(2)).unwrap()[3] - 13.0 / 25.0).abs() < 1e-6);
        assert!((shown(&object, frame(3)).unwrap()[0] - 20.0 / 25.0).abs() < 1e-6);
    }
    let error = read(&object.bytes()).unwrap_err().to_string();
    assert!(error.contains("3 frames; which one"), "{error}");
    for beyond in [0, 4] {
        assert!(shown(&object, frame(beyond)).is_err());
    }
}
