//! What stands before a data set: preamble, prefix and meta information (PS3.10 chapter 7), and what is
//! made of files in which some of it is absent or wrong.
//!
//! Archives hold files from before Part 10, which begin with their first element, and files whose data
//! set is not encoded as their transfer syntax says. The group length (0002,0000) is never asked: the
//! group ends where another one begins.

use std::io::{Read, Seek};

use super::cursor::{Cursor, Encoding, SHORT, Start};
use crate::dicom::{DicomError, deflated};

/// Where the prefix stands, behind the preamble.
const PREFIX_AT: usize = 128;
/// Where the first element stands behind it.
const PART_10: usize = PREFIX_AT + 4;
const PREFIX: &[u8] = b"DICM";
/// How meta information begins that has neither preamble nor prefix: its group length.
const META: &[u8] = b"\x02\x00\x00\x00UL\x04\x00";
/// Bytes of the longest value that an object begins with whose elements say no representation: the
/// lengths of group and object, the character set, the image type.
const LONGEST_FIRST: u32 = 1 << 10;

/// Transfer syntaxes whose objects say where their pixels are, and hold none (PS3.5 A.6, A.7).
const ELSEWHERE: [&str; 4] = [
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
];

/// How the data set is encoded that the cursor stands before.
pub(super) struct Head {
    pub(super) transfer_syntax: String,
    pub(super) encoding: Encoding,
}

/// Whether a file that begins so is taken for a DICOM object; its first 132 bytes tell.
pub fn is_dicom(start: &[u8]) -> bool {
    first_element(start).is_some()
}

fn first_element(start: &[u8]) -> Option<u64> {
    if start.get(PREFIX_AT..PART_10) == Some(PREFIX) {
        return Some(PART_10 as u64);
    }
    if start.starts_with(PREFIX) {
        return Some(PREFIX.len() as u64);
    }
    (start.starts_with(META) || shown(start).is_some()).then_some(0)
}

/// How a data set is encoded by its first element, which an image has in group 0008.
fn shown(start: &[u8]) -> Option<Encoding> {
    let &[first, second, _, _, a, b, c, d] = start.first_chunk::<8>()?;
    // None of group 0008 begins with a longer representation than sequences have.
    let explicit = SHORT.contains(&&[a, b]) || [a, b] == *b"SQ";
    match ([first, second], explicit) {
        ([8, 0], true) => Some(Encoding::EXPLICIT),
        ([0, 8], true) => Some(Encoding { explicit: true, big_endian: true }),
        ([8, 0], false) => {
            (u32::from_le_bytes([a, b, c, d]) <= LONGEST_FIRST).then_some(Encoding::IMPLICIT)
        }
        _ => None,
    }
}

/// Reads everything up to the data set; the cursor then stands before it.
///
/// # Errors
/// [`DicomError::NotDicom`] where the bytes begin like no object, or nothing says how its data set is
/// encoded; [`DicomError::Unsupported`] for pixels that lie elsewhere.
pub(super) fn head<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<Head, DicomError> {
    let start = cursor.peek(PART_10 as u64)?;
    let at = first_element(&start).ok_or(DicomError::NotDicom {
        cause: "no DICM prefix after the preamble of 128 bytes, and no data set without one",
    })?;
    cursor.go(at)?;
    let stated = meta_information(cursor)?;
    let shown = shown(&cursor.peek(8)?);
    let Some(transfer_syntax) = stated else {
        let cause = "no Transfer Syntax UID (0002,0010)";
        let encoding = shown.ok_or(DicomError::NotDicom { cause })?;
        return Ok(Head { transfer_syntax: encoding.plain().to_owned(), encoding });
    };
    if ELSEWHERE.contains(&transfer_syntax.as_str()) {
        return Err(DicomError::Unsupported {
            cause: "the pixels lie on a server (JPIP) and not in the object".to_owned(),
        });
    }
    let said = Encoding::of(&transfer_syntax);
    let other = shown.filter(|shown| {
        let little = !shown.big_endian && !said.big_endian;
        little && *shown != said && transfer_syntax != deflated::SYNTAX
    });
    let Some(encoding) = other else { return Ok(Head { transfer_syntax, encoding: said }) };
    // Some writers say explicit representations and write none, or the other way round. What compresses
    // the pixels is not touched by that.
    let plain = [Encoding::EXPLICIT, Encoding::IMPLICIT].map(Encoding::plain);
    let native = plain.contains(&transfer_syntax.as_str());
    let transfer_syntax = if native { encoding.plain().to_owned() } else { transfer_syntax };
    Ok(Head { transfer_syntax, encoding })
}

/// Walks over group 0002; gives its transfer syntax, where it says one.
fn meta_information<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<Option<String>, DicomError> {
    let mut transfer_syntax = None;
    while cursor.peek(2)? == [2, 0] {
        let Start { tag, length, .. } = cursor.header(Encoding::EXPLICIT)?;
        if tag == (2, 0x10) {
            let value = cursor.value(tag, length)?;
            let text = String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned();
            transfer_syntax = Some(text).filter(|text| !text.is_empty());
        } else {
            cursor.skip(tag, length)?;
        }
    }
    Ok(transfer_syntax)
}
