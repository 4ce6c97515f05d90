//! A walk over the raw bytes before anything is parsed: every length must fit into what is there.
//!
//! The parser takes the memory that an element asks for before it reads; a file of a kilobyte may
//! ask for four gigabytes. Bytes that pass this walk ask for no more than they bring. On its way it
//! notes where the pixels lie, so that one frame can be read without the others.

mod cursor;
mod head;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek, SeekFrom};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::{DicomError, codec, deflated, pixels};
use cursor::{Cursor, RawTag, Start, named};

pub(super) use cursor::{Encoding, Run};
pub use head::is_dicom;

const UNDEFINED: u32 = u32::MAX;
const DEEPEST: u32 = 32;

/// What the walk has seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Transfer Syntax UID (0002,0010).
    pub(super) transfer_syntax: String,
    /// How the elements of the data set are encoded.
    pub(super) encoding: Encoding,
    /// Where the data set begins, behind the file's meta information.
    pub(super) data_set: u64,
    /// Where it ends: behind it some writers fill their last block.
    pub(super) end: u64,
    /// Where the pixels are, unless the data set has none.
    pub(super) pixels: Option<Located>,
    /// From where to where top elements go of unknown representation and without a length: what is in
    /// them is encoded otherwise than what is around them (PS3.5 6.2.2), and the parser does not know.
    pub(super) unknown: Vec<(u64, u64)>,
}

/// Where the value of Pixel Data (7FE0,0010) lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Located {
    /// Not compressed; `words` where the representation is OW, or not said.
    Native { run: Run, words: bool },
    /// The items of the encapsulated stream (PS3.5 A.4): the first is the Basic Offset Table.
    Fragments(Vec<Run>),
}

/// Walks over a file.
///
/// A deflated data set is not walked over: [`super::deflated`] makes it plain first, for [`data_set`].
///
/// # Errors
/// [`DicomError::NotDicom`] for what begins like no object or states no transfer syntax,
/// [`DicomError::Truncated`] where a length runs over the end, [`DicomError::Unsupported`] for pixels
/// that lie elsewhere and for a transfer syntax that encodes elements in a way of its own.
pub(super) fn scan<R: Read + Seek>(source: &mut R) -> Result<Scanned, DicomError> {
    let end = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut cursor = Cursor { source, at: 0, end };
    let head::Head { transfer_syntax, encoding } = head::head(&mut cursor)?;
    if transfer_syntax == deflated::SYNTAX {
        let (data_set, unknown) = (cursor.at, Vec::new());
        return Ok(Scanned { transfer_syntax, encoding, data_set, end, pixels: None, unknown });
    }
    let known = pixels::transfer_syntaxes().any(|known| known == transfer_syntax);
    walked(&mut cursor, transfer_syntax.clone(), encoding).map_err(|fault| {
        // How elements are encoded in a syntax of somebody's own, nobody knows.
        if known { fault } else { codec::no_decoder(&transfer_syntax) }
    })
}

/// Walks over a data set without anything before it.
///
/// # Errors
/// As [`scan`].
pub(super) fn data_set<R: Read + Seek>(
    source: &mut R,
    encoding: Encoding,
) -> Result<Scanned, DicomError> {
    let end = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    walked(&mut Cursor { source, at: 0, end }, encoding.plain().to_owned(), encoding)
}

fn walked<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    transfer_syntax: String,
    encoding: Encoding,
) -> Result<Scanned, DicomError> {
    let data_set = cursor.at;
    let mut seen = Seen::default();
    elements(cursor, Within::DataSet, encoding, 0, &mut seen)?;
    let Seen { pixels, unknown } = seen;
    Ok(Scanned { transfer_syntax, encoding, data_set, end: cursor.at, pixels, unknown })
}

/// What is noted on the way.
#[derive(Default)]
struct Seen {
    pixels: Option<Located>,
    unknown: Vec<(u64, u64)>,
}

/// What is being walked over; `open` is one that has no length and ends with its delimiter.
#[derive(Clone, Copy)]
enum Within {
    DataSet,
    Sequence { open: bool },
    Item { open: bool },
}

/// Everything up to the end of the cursor's bytes, or up to the delimiter of what is open.
fn elements<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    within: Within,
    encoding: Encoding,
    depth: u32,
    seen: &mut Seen,
) -> Result<(), DicomError> {
    if depth > DEEPEST {
        return Err(damaged(format!("sequences nest deeper than {DEEPEST}")));
    }
    while cursor.left() > 0 {
        if depth == 0 && seen.pixels.is_some() && cursor.only_zeros()? {
            break;
        }
        let begin = cursor.at;
        let Start { tag, representation, length } = cursor.header(encoding)?;
        match (tag, within) {
            ((0xFFFE, 0xE00D), Within::Item { open: true })
            | ((0xFFFE, 0xE0DD), Within::Sequence { open: true }) => return Ok(()),
            ((0xFFFE, 0xE000), Within::Sequence { .. }) => {
                nested(cursor, (tag, length), |open| Within::Item { open }, encoding, depth, seen)?;
            }
            // The parser would read on where this walk has stopped, or the other way round.
            ((0xFFFE, _), _) | (_, Within::Sequence { .. }) => {
                return Err(damaged(format!("({}) stands where it may not", named(tag))));
            }
            ((0x7FE0, 0x0010), _) if length == UNDEFINED => {
                let runs = fragments(cursor, encoding)?;
                if depth == 0 {
                    seen.pixels = Some(Located::Fragments(runs));
                }
            }
            _ if length == UNDEFINED || is_sequence(tag, representation, encoding) => {
                let within = |open| Within::Sequence { open };
                // A value of unknown representation without length is encoded as implicit (PS3.5
                // 6.2.2).
                let unknown = encoding.explicit && &representation == b"UN";
                if unknown && depth > 0 {
                    return Err(damaged(format!(
                        "({}) inside of a sequence says neither representation nor length",
                        named(tag)
                    )));
                }
                let inner = if unknown { Encoding::IMPLICIT } else { encoding };
                nested(cursor, (tag, length), within, inner, depth, seen)?;
                if unknown {
                    seen.unknown.push((begin, cursor.at));
                }
            }
            _ => {
                let run = cursor.skip(tag, length)?;
                if tag == (0x7FE0, 0x0010) && depth == 0 {
                    seen.pixels = Some(Located::Native { run, words: &representation != b"OB" });
                }
            }
        }
    }
    match within {
        Within::Sequence { open: true } | Within::Item { open: true } => {
            Err(damaged("a sequence or an item has no end".to_owned()))
        }
        Within::DataSet | Within::Sequence { open: false } | Within::Item { open: false } => Ok(()),
    }
}

fn damaged(cause: String) -> DicomError {
    DicomError::Damaged { cause }
}

/// Whether the parser will look for items in this value: where the bytes do not say the
/// representation, it asks the dictionary.
fn is_sequence(tag: RawTag, representation: [u8; 2], encoding: Encoding) -> bool {
    if encoding.explicit {
        return &representation == b"SQ";
    }
    StandardDataDictionary
        .by_tag(Tag(tag.0, tag.1))
        .is_some_and(|entry| entry.vr().exact() == Some(VR::SQ))
}

/// A sequence or an item. One that says its length is walked within its own bytes: nothing in it
/// may reach beyond.
fn nested<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    (tag, length): (RawTag, u32),
    within: impl Fn(bool) -> Within,
    encoding: Encoding,
    depth: u32,
    seen: &mut Seen,
) -> Result<(), DicomError> {
    if length == UNDEFINED {
        return elements(cursor, within(true), encoding, depth + 1, seen);
    }
    let Run { start, .. } = cursor.pass(tag, length)?;
    let mut inner = Cursor { source: &mut *cursor.source, at: start, end: cursor.at };
    elements(&mut inner, within(false), encoding, depth + 1, seen)
}

/// The fragments of encapsulated pixel data (PS3.5 A.4), which are bytes of a codec.
fn fragments<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    encoding: Encoding,
) -> Result<Vec<Run>, DicomError> {
    let mut runs = Vec::new();
    loop {
        let fault =
            || DicomError::PixelData { cause: "a fragment is no item of a sequence".to_owned() };
        let Start { tag, length, .. } = cursor.header(encoding).map_err(|error| {
            // Pixels that are not compressed stand where an item should.
            if matches!(error, DicomError::Damaged { .. }) { fault() } else { error }
        })?;
        match tag {
            (0xFFFE, 0xE000) => runs.push(cursor.skip(tag, length)?),
            (0xFFFE, 0xE0DD) => return Ok(runs),
            _ => return Err(fault()),
        }
    }
}
