#![allow(clippy::unwrap_used)]
use super::*;

fn scan(bytes: &[u8]) -> Result<Scanned, DicomError> {
    super::scan(&mut std::io::Cursor::new(bytes))
}

fn file_in(transfer_syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([2, 0, 0x10, 0]);
    bytes.extend(b"UI");
    bytes.extend(u16::try_from(transfer_syntax.len()).unwrap().to_le_bytes());
    bytes.extend(transfer_syntax.as_bytes());
    bytes.extend(data_set);
    bytes
}

fn file(data_set: &[u8]) -> Vec<u8> {
    file_in("1.2.840.10008.1.2.1\0", data_set)
}

fn implicit(data_set: &[u8]) -> Vec<u8> {
    file_in("1.2.840.10008.1.2\0", data_set)
}

/// An element or item in implicit representation.
fn element(tag: [u8; 4], length: u32, value: &[u8]) -> Vec<u8> {
    [&tag[..], &length.to_le_bytes(), value].concat()
}

const ITEM: [u8; 4] = [0xFE, 0xFF, 0, 0xE0];
const ITEM_END: [u8; 4] = [0xFE, 0xFF, 0x0D, 0xE0];
const SEQUENCE_END: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
/// Content Sequence (0040,A730).
const SEQUENCE: [u8; 4] = [0x40, 0, 0x30, 0xA7];
/// Patient ID (0010,0020).
const PATIENT_ID: [u8; 4] = [0x10, 0, 0x20, 0];

#[test]
fn a_length_beyond_the_end_is_found_before_memory_is_taken() {
    let element = [0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF, 1, 2];
    let error = scan(&file(&element)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "truncated: element (7FE0,0010) says 4294967280 bytes and 2 are left"
    );
}

#[test]
fn what_is_not_dicom_is_said_to_be_so() {
    assert!(matches!(scan(b""), Err(DicomError::NotDicom { .. })));
    assert!(matches!(scan(&[0; 400]), Err(DicomError::NotDicom { .. })));
    let mut no_syntax = vec![0; 128];
    no_syntax.extend(b"DICM");
    assert!(matches!(scan(&no_syntax), Err(DicomError::NotDicom { .. })));
}

fn refused(bytes: &[u8], word: &str) {
    let error = scan(bytes).unwrap_err().to_string();
    assert!(error.contains(word), "{word}: {error}");
}

#[test]
fn nesting_without_end_stops() {
    let open = [element(SEQUENCE, UNDEFINED, &[]), element(ITEM, UNDEFINED, &[])].concat();
    refused(&implicit(&open.repeat(1_000)), "deeper");
    let mut said = Vec::new();
    for _ in 0..1_000 {
        said = element(ITEM, said.len() as u32, &said);
        said = element(SEQUENCE, said.len() as u32, &said);
    }
    refused(&implicit(&said), "deeper");
}

#[test]
fn sequences_of_either_kind_are_walked_through() {
    let value = element(PATIENT_ID, 2, b"7 ");
    let item = element(ITEM, value.len() as u32, &value);
    let open_item = [element(ITEM, UNDEFINED, &value), element(ITEM_END, 0, &[])].concat();
    let items = [item, open_item].concat();
    let said = element(SEQUENCE, items.len() as u32, &items);
    let open = [element(SEQUENCE, UNDEFINED, &items), element(SEQUENCE_END, 0, &[])].concat();
    scan(&implicit(&[said, open, value].concat())).unwrap();
}

#[test]
fn the_walk_never_parts_from_the_parser() {
    let beyond = element(PATIENT_ID, 3_000_000_000, &[]);
    // A delimiter of nothing, behind which nobody would look.
    refused(&implicit(&[element(ITEM_END, 0, &[]), beyond.clone()].concat()), "may not");
    refused(&implicit(&element(SEQUENCE_END, 0, &[])), "may not");
    refused(&implicit(&element(ITEM, 0, &[])), "may not");
    // An element in a sequence, an item that is not closed.
    let value = element(PATIENT_ID, 2, b"7 ");
    refused(&implicit(&element(SEQUENCE, value.len() as u32, &value)), "may not");
    refused(&implicit(&element(SEQUENCE, UNDEFINED, &[])), "no end");
    // What an item holds ends with it, whatever follows.
    let item = element(ITEM, beyond.len() as u32, &beyond);
    let sequence = element(SEQUENCE, item.len() as u32, &item);
    refused(&implicit(&[sequence, vec![0; 64]].concat()), "truncated");
}

#[test]
fn the_pixels_are_found_where_they_are() {
    let value = element(PATIENT_ID, 2, b"7 ");
    let pixels = element([0xE0, 0x7F, 0x10, 0], 4, &[1, 2, 3, 4]);
    let bytes = implicit(&[value.clone(), pixels.clone()].concat());
    let run = Run { start: bytes.len() as u64 - 4, length: 4 };
    assert_eq!(scan(&bytes).unwrap().pixels, Some(Located::Native { run, words: true }));
    // Those of an icon are not the image's.
    let item = element(ITEM, pixels.len() as u32, &pixels);
    let icon = element(SEQUENCE, item.len() as u32, &item);
    assert_eq!(scan(&implicit(&icon)).unwrap().pixels, None);
}
