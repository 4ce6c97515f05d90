//! Look-up tables in every form in which they are written (PS3.3 C.11.1, C.11.2).

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::fixtures::Object;
use crate::dicom::read;

fn shown(object: &Object) -> Vec<f32> {
    let frame = read(&object.bytes()).unwrap_or_else(|error| panic!("{error}")).frame;
    frame.pixels.iter().map(|pixel| (pixel * 1e3).round() / 1e3).collect()
}

/// A table whose descriptor and data are as they are handed over.
fn table(descriptor: PrimitiveValue, vr: VR, data: (VR, PrimitiveValue)) -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        DataElement::new(tags::LUT_DESCRIPTOR, vr, descriptor),
        DataElement::new(tags::LUT_DATA, data.0, data.1),
    ])
}

fn unsigned(values: [u16; 3]) -> PrimitiveValue {
    PrimitiveValue::U16(values.as_slice().into())
}

const TENTHS: [u8; 3] = [0, 51, 255];

#[test]
fn entries_of_a_byte_come_in_bytes_in_pairs_and_in_words() {
    let object = Object::words(2, &[9, 10, 11, 12]);
    let words: Vec<u16> = TENTHS.iter().map(|byte| u16::from(*byte)).collect();
    let words = || PrimitiveValue::U16(words.as_slice().into());
    for data in [
        // Two entries a word, the first in its low byte; three take two words.
        (VR::OW, PrimitiveValue::U16([51 << 8, 255].as_slice().into())),
        (VR::OB, PrimitiveValue::from([&TENTHS[..], &[0]].concat())),
        (VR::OW, words()),
        (VR::US, words()),
    ] {
        let name = data.0;
        let item = table(unsigned([3, 10, 8]), VR::US, data);
        let object = object.clone().item(tags::VOILUT_SEQUENCE, item);
        assert_eq!(shown(&object), [0.0, 0.0, 0.2, 1.0], "{name}");
        let implicit = object.syntax("1.2.840.10008.1.2");
        assert_eq!(shown(&implicit), [0.0, 0.0, 0.2, 1.0], "{name}");
        let big_endian = implicit.syntax("1.2.840.10008.1.2.2");
        assert_eq!(shown(&big_endian), [0.0, 0.0, 0.2, 1.0], "{name}");
    }
}

#[test]
fn entries_of_two_bytes_come_in_bytes_as_well() {
    let bytes = PrimitiveValue::from(vec![0, 0, 0, 0x80, 0xFF, 0xFF]);
    let item = table(unsigned([3, 10, 16]), VR::US, (VR::OB, bytes));
    let object = Object::words(2, &[9, 10, 11, 12]).item(tags::VOILUT_SEQUENCE, item);
    assert_eq!(shown(&object), [0.0, 0.0, 0.5, 1.0]);
    // Ten bits of sixteen.
    let data = PrimitiveValue::U16([0, 512, 1023].as_slice().into());
    let item = table(unsigned([3, 10, 10]), VR::US, (VR::OW, data));
    let object = Object::words(2, &[9, 10, 11, 12]).item(tags::VOILUT_SEQUENCE, item);
    assert_eq!(shown(&object), [0.0, 0.0, 0.5, 1.0]);
}

/// Zero entries are 65536, for sixteen bits hold no such number.
#[test]
fn the_longest_table_says_that_it_has_no_entries() {
    let values: Vec<u16> = (0..=u16::MAX).rev().collect();
    let data = (VR::OW, PrimitiveValue::U16(values.into()));
    let item = table(unsigned([0, 0, 16]), VR::US, data);
    let object = Object::words(2, &[0, 16_384, 32_768, 65_535]).item(tags::VOILUT_SEQUENCE, item);
    assert_eq!(shown(&object), [1.0, 0.75, 0.5, 0.0]);
    let short = (VR::OW, PrimitiveValue::U16([1, 2, 3].as_slice().into()));
    let item = table(unsigned([0, 0, 16]), VR::US, short);
    let object = Object::words(2, &[0; 4]).item(tags::VOILUT_SEQUENCE, item);
    let error = read(&object.bytes()).unwrap_err().to_string();
    assert_eq!(error, "LUTData (0028,3006): 6 bytes for 65536 entries");
}

/// Twelve signed bits: -2, -1, 0 and 1.
fn signed() -> Object {
    Object::words(2, &[0x0FFE, 0x0FFF, 0, 1])
        .short(tags::BITS_STORED, 12)
        .short(tags::HIGH_BIT, 11)
        .short(tags::PIXEL_REPRESENTATION, 1)
}

#[test]
fn the_first_value_has_the_sign_of_what_is_looked_up() {
    let data = || (VR::OW, PrimitiveValue::U16([0, 100, 200, 400].as_slice().into()));
    let of_first = |vr, first: PrimitiveValue| table(first, vr, data());
    for item in [
        of_first(VR::SS, PrimitiveValue::I16([4, -2, 16].as_slice().into())),
        // The same bits, by whoever takes every descriptor for unsigned.
        of_first(VR::US, PrimitiveValue::U16([4, 0xFFFE, 16].as_slice().into())),
    ] {
        let modality = signed().item(tags::MODALITY_LUT_SEQUENCE, item).window("200", "400").text(
            tags::VOILUT_FUNCTION,
            VR::CS,
            "LINEAR_EXACT",
        );
        assert_eq!(shown(&modality), [0.0, 0.25, 0.5, 1.0]);
    }
    let voi = |first: PrimitiveValue| {
        let data = (VR::OW, PrimitiveValue::U16([0, 51, 102, 255].as_slice().into()));
        table(first, VR::US, data)
    };
    let below = || PrimitiveValue::U16([4, 0xFFFE, 8].as_slice().into());
    let object = signed().item(tags::VOILUT_SEQUENCE, voi(below()));
    assert_eq!(shown(&object), [0.0, 0.2, 0.4, 1.0]);
    // Unsigned values that an intercept makes negative.
    let moved = Object::words(2, &[998, 999, 1000, 1001])
        .text(tags::RESCALE_INTERCEPT, VR::DS, "-1000")
        .text(tags::RESCALE_SLOPE, VR::DS, "1")
        .item(tags::VOILUT_SEQUENCE, voi(below()));
    assert_eq!(shown(&moved), [0.0, 0.2, 0.4, 1.0]);
    // Values beyond half of sixteen bits that are not.
    let high = Object::words(2, &[0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF])
        .item(tags::VOILUT_SEQUENCE, voi(PrimitiveValue::U16([4, 0xFFFC, 8].as_slice().into())));
    assert_eq!(shown(&high), [0.0, 0.2, 0.4, 1.0]);
}

#[test]
fn a_table_for_the_display_follows_one_of_the_modality() {
    let modality =
        (VR::OW, PrimitiveValue::U16([40_000, 40_001, 40_002, 40_003].as_slice().into()));
    let modality = table(PrimitiveValue::I16([4, -2, 16].as_slice().into()), VR::SS, modality);
    // What a table gives is never negative, though the stored values are.
    let voi = (VR::OW, PrimitiveValue::U16([255, 102, 51, 0].as_slice().into()));
    let voi = table(PrimitiveValue::U16([4, 40_000, 8].as_slice().into()), VR::US, voi);
    let object =
        signed().item(tags::MODALITY_LUT_SEQUENCE, modality).item(tags::VOILUT_SEQUENCE, voi);
    assert_eq!(shown(&object), [1.0, 0.4, 0.2, 0.0]);
}

#[test]
fn a_slope_may_turn_values_round_and_must_be_a_number() {
    let object = Object::words(2, &[0, 250, 500, 1000]).window("-500", "1000").text(
        tags::VOILUT_FUNCTION,
        VR::CS,
        "LINEAR_EXACT",
    );
    let turned = object.clone().text(tags::RESCALE_SLOPE, VR::DS, "-1");
    assert_eq!(shown(&turned), [1.0, 0.75, 0.5, 0.0]);
    let silent = object.clone().text(tags::RESCALE_SLOPE, VR::DS, "").window("500", "1000");
    assert_eq!(shown(&silent), [0.0, 0.25, 0.5, 1.0]);
    for (tag, name) in [
        (tags::RESCALE_SLOPE, "RescaleSlope (0028,1053)"),
        (tags::RESCALE_INTERCEPT, "RescaleIntercept (0028,1052)"),
    ] {
        for value in ["1,5", "NaN", "x"] {
            let error = read(&object.clone().text(tag, VR::DS, value).bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("{name}: no number"), "{value}");
        }
    }
}

#[test]
fn the_narrowest_windows_are_steps() {
    let object = Object::words(2, &[99, 100, 101, 102]);
    // PS3.3 C.11.2.1.2.1: of width 1, all up to the center less a half is black.
    assert_eq!(shown(&object.clone().window("100.5", "1")), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(shown(&object.clone().window("100", "1")), [0.0, 1.0, 1.0, 1.0]);
    let exact = object.clone().text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    assert_eq!(shown(&exact.clone().window("100.5", "0.5")), [0.0, 0.0, 1.0, 1.0]);
    for (object, width) in [(&object, "0"), (&object, "0.9"), (&object, "-5"), (&exact, "0")] {
        let error = read(&object.clone().window("100", width).bytes()).unwrap_err().to_string();
        assert_eq!(error, "WindowWidth (0028,1051): too narrow", "{width}");
    }
}

#[test]
fn an_aspect_ratio_makes_pixels_square() {
    let object = Object::words(2, &[0, 0, 0, 0]).text(tags::PIXEL_ASPECT_RATIO, VR::IS, "2\\1");
    let frame = read(&object.bytes()).unwrap().frame;
    assert_eq!((frame.width, frame.height), (2, 4));
    let object = object.text(tags::PIXEL_ASPECT_RATIO, VR::IS, "20\\1");
    let error = read(&object.bytes()).unwrap_err().to_string();
    assert!(error.starts_with("PixelAspectRatio (0028,0034)"), "{error}");
}
