//! Frames in fragments (PS3.5 A.4), with offset tables that are right, absent or wrong.

use dicom_core::value::{PixelFragmentSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::fixtures::{Object, run_lengths};
use crate::dicom::{DicomError, native_frame, read};

const SIDE: u32 = 16;

/// A frame of one grey as a JPEG stream.
fn stream(grey: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut stream, 100)
        .encode(&[grey; 256], SIDE, SIDE, image::ExtendedColorType::L8)
        .unwrap();
    stream.resize(stream.len().next_multiple_of(2), 0);
    stream
}

/// Three frames of 40, 90 and 200, the second in two fragments.
fn fragments() -> Vec<Vec<u8>> {
    let second = stream(90);
    let (begin, end) = second.split_at(100);
    vec![stream(40), begin.to_vec(), end.to_vec(), stream(200)]
}

/// Where the frames begin, from the first fragment's item.
fn offsets() -> [u32; 3] {
    let lengths: Vec<u32> = fragments().iter().map(|one| one.len() as u32 + 8).collect();
    [0, lengths[0], lengths[..3].iter().sum()]
}

fn object(table: &[u32], fragments: Vec<Vec<u8>>, frames: &str) -> Object {
    let sequence = PixelFragmentSequence::new(table.to_vec(), fragments);
    let sequence: Value<InMemDicomObject, Vec<u8>> = Value::PixelSequence(sequence);
    Object::compressed(SIDE as u16, SIDE as u16, 8, uids::JPEG_BASELINE8_BIT, vec![])
        .put(DataElement::new(tags::PIXEL_DATA, VR::OB, sequence))
        .text(tags::NUMBER_OF_FRAMES, VR::IS, frames)
}

fn greys(object: &Object) -> Result<Vec<u8>, DicomError> {
    let bytes = object.bytes();
    (1..=3).map(|frame| Ok(native_frame(&bytes, frame)?[0])).collect()
}

fn near(greys: &[u8]) -> bool {
    greys.iter().zip([40_u8, 90, 200]).all(|(got, expected)| got.abs_diff(expected) < 3)
}

#[test]
fn tables_tell_which_fragments_are_whose() {
    let extended = |offsets: &[u64]| PrimitiveValue::U64(offsets.into());
    let right = offsets().map(u64::from);
    let with = |offsets: &[u64]| {
        let table = DataElement::new(tags::EXTENDED_OFFSET_TABLE, VR::OV, extended(offsets));
        object(&[], fragments(), "3").put(table)
    };
    for (name, object) in [
        ("a basic table", object(&offsets(), fragments(), "3")),
        ("no table", object(&[], fragments(), "3")),
        ("an extended table", with(&right)),
        ("a basic table between fragments", object(&[0, 10, 20], fragments(), "3")),
        ("a basic table of too few", object(&offsets()[..2], fragments(), "3")),
        ("a basic table of zeros", object(&[0, 0, 0], fragments(), "3")),
        (
            "a basic table that turns back",
            object(&[0, offsets()[2], offsets()[1]], fragments(), "3"),
        ),
        ("an extended table between fragments", with(&[0, 10, u64::MAX])),
    ] {
        let greys = greys(&object).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(near(&greys), "{name}: {greys:?}");
    }
}

#[test]
fn where_nothing_tells_it_nothing_is_guessed() {
    // Two streams begin among four fragments of three frames.
    let mut lost = fragments();
    lost[3][0] = 0;
    let error = greys(&object(&[], lost, "3")).unwrap_err().to_string();
    assert!(error.contains("4 fragments, and nothing says which belong to which of 3 frames"));
    let fewer = greys(&object(&[], fragments()[..2].to_vec(), "3")).unwrap_err().to_string();
    assert!(fewer.contains("2 fragments"), "{fewer}");
    // As many as frames: each has its own, whatever a table says.
    let own = vec![stream(40), stream(90), stream(200)];
    assert!(near(&greys(&object(&[0, 4, 8], own, "3")).unwrap()));
}

#[test]
fn a_single_frame_is_all_there_is() {
    let words: Vec<u16> = (0..256).collect();
    let coded = run_lengths(&words);
    let object = |table: &[u32]| {
        let sequence = PixelFragmentSequence::new(table.to_vec(), vec![coded.clone()]);
        let sequence: Value<InMemDicomObject, Vec<u8>> = Value::PixelSequence(sequence);
        Object::compressed(16, 16, 16, uids::RLE_LOSSLESS, vec![]).put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            sequence,
        ))
    };
    let expected = read(&object(&[]).bytes()).unwrap().frame;
    for table in [&[0][..], &[77], &[0, 4, 8]] {
        assert_eq!(read(&object(table).bytes()).unwrap().frame, expected, "{table:?}");
    }
    let none = Object::compressed(16, 16, 16, uids::RLE_LOSSLESS, vec![]);
    let error = read(&none.bytes()).unwrap_err().to_string();
    assert_eq!(error, "PixelData (7FE0,0010): no fragments");
}
