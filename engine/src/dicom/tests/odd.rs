//! Files that are odd, and yet say what they hold: without their beginning, with lengths that are wrong,
//! with values of unknown representation.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::fixtures::{Object, deidentified, element_at, implicit, table};
use crate::dicom::{inspect, is_dicom, read};

const EXACT: &str = "LINEAR_EXACT";

/// Four values that a window of a thousand shows as 0, 0.25, 0.5 and 1.
fn object() -> Object {
    Object::words(2, &[0, 250, 500, 1000]).window("500", "1000").text(
        tags::VOILUT_FUNCTION,
        VR::CS,
        EXACT,
    )
}

fn shown(bytes: &[u8]) -> Vec<f32> {
    let frame = read(bytes).unwrap_or_else(|error| panic!("{error}")).frame;
    frame.pixels.iter().map(|pixel| (pixel * 1e4).round() / 1e4).collect()
}

const SHOWN: [f32; 4] = [0.0, 0.25, 0.5, 1.0];

/// Where the data set begins: behind the group whose length stands first (PS3.10 table 7.1-1).
fn data_set(bytes: &[u8]) -> usize {
    let length = <[u8; 4]>::try_from(&bytes[140..144]).unwrap();
    144 + u32::from_le_bytes(length) as usize
}

#[test]
fn a_file_may_lack_its_beginning() {
    let whole = object().bytes();
    for begin in [0, 128, 132, data_set(&whole)] {
        let bytes = &whole[begin..];
        assert!(is_dicom(&bytes[..132]), "from byte {begin}");
        assert_eq!(shown(bytes), SHOWN, "from byte {begin}");
    }
    for syntax in [uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        let whole = object().syntax(syntax).bytes();
        let bytes = &whole[data_set(&whole)..];
        assert!(is_dicom(&bytes[..132]), "{syntax}");
        assert_eq!(shown(bytes), SHOWN, "{syntax}");
        assert_eq!(inspect(bytes).unwrap().transfer_syntax_uid, syntax);
        // What comes out of it is whole.
        let clean = deidentified(bytes).unwrap();
        assert_eq!(clean.get(128..132), Some(&b"DICM"[..]));
        assert_eq!(shown(&clean), SHOWN);
    }
    for other in [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], b"PK\x03\x04", b"\x08\0", b"", &[0; 200]] {
        assert!(!is_dicom(other), "{other:?}");
        assert!(read(other).is_err());
    }
}

#[test]
fn an_encoding_that_is_not_what_was_said_is_seen() {
    let explicit = object().bytes();
    let implicit = object().syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes();
    let (e, i) = (data_set(&explicit), data_set(&implicit));
    for bytes in
        [[&explicit[..e], &implicit[i..]].concat(), [&implicit[..i], &explicit[e..]].concat()]
    {
        assert_eq!(shown(&bytes), SHOWN);
        assert_eq!(shown(&deidentified(&bytes).unwrap()), SHOWN);
    }
}

#[test]
fn the_groups_length_is_not_believed() {
    let whole = object().bytes();
    for length in [0_u32, 1, 10, 100_000, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[140..144].copy_from_slice(&length.to_le_bytes());
        assert_eq!(shown(&bytes), SHOWN, "a length of {length}");
    }
    let without = [&whole[..132], &whole[144..]].concat();
    assert_eq!(shown(&without), SHOWN);
}

#[test]
fn what_meta_information_calls_the_object_is_not_asked() {
    let mut bytes = object().bytes();
    let at = element_at(&bytes, tags::MEDIA_STORAGE_SOP_INSTANCE_UID) + 8;
    bytes[at] = b'x';
    assert_eq!(shown(&bytes), SHOWN);
    assert_eq!(inspect(&bytes).unwrap().sop_instance_uid, "2.25.1");
    assert_eq!(shown(&deidentified(&bytes).unwrap()), SHOWN);
}

#[test]
fn zeros_behind_the_pixels_are_filling_and_nothing_else_is() {
    for syntax in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN] {
        for count in [1, 3, 8, 511, 5000] {
            let mut bytes = object().syntax(syntax).bytes();
            bytes.resize(bytes.len() + count, 0);
            assert_eq!(shown(&bytes), SHOWN, "{count} zeros");
        }
    }
    let mut rubbish = object().bytes();
    rubbish.extend([0, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert!(read(&rubbish).is_err());
    // What PS3.10 7.2 has for the purpose.
    let padded = object().binary(tags::DATA_SET_TRAILING_PADDING, VR::OB, &[0; 64]).bytes();
    assert_eq!(shown(&padded), SHOWN);
}

#[test]
fn sizes_at_the_edge_are_read() {
    let one =
        Object::words(1, &[700]).window("500", "1000").text(tags::VOILUT_FUNCTION, VR::CS, EXACT);
    assert_eq!(shown(&one.bytes()), [0.7]);
    // Three bytes, with the length of three and without the filling that makes it even.
    let odd = Object::octets(3, 1, &[0, 51, 255]).window("127.5", "255");
    let odd = odd.text(tags::VOILUT_FUNCTION, VR::CS, EXACT).short(tags::PLANAR_CONFIGURATION, 1);
    let mut bytes = odd.bytes();
    assert_eq!(shown(&bytes), [0.0, 0.2, 1.0]);
    let end = bytes.len();
    bytes[end - 8..end - 4].copy_from_slice(&3_u32.to_le_bytes());
    bytes.truncate(end - 1);
    assert_eq!(shown(&bytes), [0.0, 0.2, 1.0]);
    assert_eq!(shown(&deidentified(&bytes).unwrap()), [0.0, 0.2, 1.0]);
    // More than the rows need.
    let longer = Object::octets(2, 1, &[0, 255, 9, 9, 9, 9]).window("127.5", "255");
    assert_eq!(shown(&longer.text(tags::VOILUT_FUNCTION, VR::CS, EXACT).bytes()), [0.0, 1.0]);
}

#[test]
fn a_number_of_frames_that_is_empty_is_one() {
    let bytes = object().text(tags::NUMBER_OF_FRAMES, VR::IS, "").bytes();
    assert_eq!(shown(&bytes), SHOWN);
    assert_eq!(inspect(&bytes).unwrap().frames, 1);
    let padded = object().text(tags::NUMBER_OF_FRAMES, VR::IS, " 1 ").bytes();
    assert_eq!(inspect(&padded).unwrap().frames, 1);
}

/// Implicit Little Endian is how a value of unknown representation stands (PS3.5 6.2.2).
#[test]
fn values_of_unknown_representation_are_what_they_are_in_the_dictionary() {
    let tabled = Object::words(2, &[10, 11, 12, 13]);
    let item = implicit(&table(10, 8, &[0, 51, 204, 255]));
    let sequence = tabled.clone().binary(tags::VOILUT_SEQUENCE, VR::UN, &item);
    assert_eq!(shown(&sequence.bytes()), [0.0, 0.2, 0.8, 1.0]);
    assert_eq!(shown(&deidentified(&sequence.bytes()).unwrap()), [0.0, 0.2, 0.8, 1.0]);

    let bytes = Object::words(2, &[0, 100, 200, 300])
        .binary(tags::ROWS, VR::UN, &[2, 0])
        .binary(tags::RESCALE_SLOPE, VR::UN, b"2 ")
        .binary(tags::RESCALE_INTERCEPT, VR::UN, b"-100")
        .binary(tags::WINDOW_CENTER, VR::UN, b"200 ")
        .binary(tags::WINDOW_WIDTH, VR::UN, b"400 ")
        .text(tags::VOILUT_FUNCTION, VR::CS, EXACT)
        .bytes();
    assert_eq!(shown(&bytes), [0.0, 0.25, 0.75, 1.0]);
    assert_eq!(shown(&deidentified(&bytes).unwrap()), [0.0, 0.25, 0.75, 1.0]);
    // Bytes that are no sequence stay bytes, and the radiograph is read without them.
    let broken = tabled.binary(tags::VOILUT_SEQUENCE, VR::UN, &[1, 2, 3, 4]);
    assert!(read(&broken.bytes()).is_ok());
}

#[test]
fn a_name_of_unknown_representation_does_not_stay() {
    let mut item = InMemDicomObject::new_empty();
    let name = PrimitiveValue::from("Secret^Name".as_bytes().to_vec());
    item.put(DataElement::new(tags::PATIENT_NAME, VR::UN, name.clone()));
    let object = object()
        .binary(tags::PATIENT_NAME, VR::UN, "Secret^Näme ".as_bytes())
        .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
        .item(tags::VIEW_CODE_SEQUENCE, item);
    let clean = deidentified(&object.bytes()).unwrap();
    assert!(!String::from_utf8_lossy(&clean).contains("Secret"));
    let set = dicom_object::from_reader(clean.as_slice()).unwrap();
    assert_eq!(set.get(tags::PATIENT_NAME).unwrap().vr(), VR::PN);
}

#[test]
fn a_sequence_of_unknown_representation_needs_no_length() {
    let bytes = Object::words(2, &[10, 11, 12, 13]).bytes();
    let content = implicit(&table(10, 8, &[0, 51, 204, 255]));
    let mut sequence = vec![0x28, 0, 0x10, 0x30, b'U', b'N', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    sequence.extend(content);
    sequence.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    let at = element_at(&bytes, tags::PIXEL_DATA);
    let bytes = [&bytes[..at], &sequence, &bytes[at..]].concat();
    assert_eq!(shown(&bytes), [0.0, 0.2, 0.8, 1.0]);
    assert_eq!(shown(&deidentified(&bytes).unwrap()), [0.0, 0.2, 0.8, 1.0]);
}

/// A representation that is yet to come has the long form (PS3.5 7.1.2), to the walk as to the parser.
#[test]
fn a_representation_of_a_later_edition_is_passed_over() {
    let bytes = object().bytes();
    let at = element_at(&bytes, tags::PIXEL_DATA);
    let with = |length: u32| {
        let mut element = vec![0xD1, 0x7F, 0x01, 0x10, b'Z', b'Z', 0, 0];
        element.extend(length.to_le_bytes());
        element.extend([1, 2, 3, 4]);
        [&bytes[..at], &element, &bytes[at..]].concat()
    };
    assert_eq!(shown(&with(4)), SHOWN);
    let error = read(&with(4_000_000_000)).unwrap_err().to_string();
    assert!(error.starts_with("truncated: element (7FD1,1001) says 4000000000"), "{error}");
}

#[test]
fn character_sets_that_nobody_knows_hide_no_pixels() {
    for name in [
        "ISO_IR 999",
        "\\ISO 2022 IR 87",
        "iso_ir 100",
        "",
        "GB18030",
        "ISO_IR 192",
        "ISO 2022 IR 6\\ISO 2022 IR 159",
    ] {
        let object = object()
            .binary(tags::PATIENT_NAME, VR::PN, b"M\xFCller^\xE4\x84\x1B$B;3ED")
            .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, name)
            .bytes();
        assert_eq!(shown(&object), SHOWN, "{name:?}");
        let clean = deidentified(&object).unwrap_or_else(|cause| panic!("{name:?}: {cause}"));
        assert_eq!(shown(&clean), SHOWN, "{name:?}");
    }
}

#[test]
fn pixels_of_another_kind_are_named() {
    for (tag, vr, name) in [
        (tags::FLOAT_PIXEL_DATA, VR::OF, "FloatPixelData (7FE0,0008)"),
        (tags::DOUBLE_FLOAT_PIXEL_DATA, VR::OD, "DoubleFloatPixelData (7FE0,0009)"),
    ] {
        let object = Object::without_pixels(2, 1).short(tags::BITS_ALLOCATED, 16);
        let bytes = object.binary(tag, vr, &[0; 16]).bytes();
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
        assert_eq!(inspect(&bytes).unwrap_err().to_string(), error);
    }
    // Native pixels without a length are none.
    let mut bytes = object().bytes();
    let end = bytes.len();
    bytes[end - 12..end - 8].copy_from_slice(&[0xFF; 4]);
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("PixelData (7FE0,0010)"), "{error}");
    // A syntax of somebody's own, in which nobody knows how elements are encoded.
    let whole = object().bytes();
    let at = element_at(&whole, tags::TRANSFER_SYNTAX_UID);
    let own = b"\x02\0\x10\0UI\x14\x001.2.840.113619.5.2\0\0";
    let begin = [&whole[..at], own].concat();
    let bytes = [begin.as_slice(), &[0x08, 0, 0x16, 0, 9, 9, 0, 0, 1]].concat();
    let error = read(&bytes).unwrap_err().to_string();
    assert_eq!(error, "unsupported object: no decoder for transfer syntax 1.2.840.113619.5.2");
}
