//! A walk over the raw bytes before anything is parsed: every length must fit into what is there.
//!
//! The parser takes the memory that an element asks for before it reads; a file of a kilobyte may
//! ask for four gigabytes. Bytes that pass this walk ask for no more than they bring. On its way it
//! notes where the pixels lie, so that one frame can be read without the others.

use std::io::{Read, Seek, SeekFrom};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::DicomError;

const UNDEFINED: u32 = u32::MAX;
const DEEPEST: u32 = 32;

/// How data elements are encoded (PS3.5 chapter 7).
#[derive(Clone, Copy)]
struct Encoding {
    explicit: bool,
    big_endian: bool,
}

/// What the walk has seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Transfer Syntax UID (0002,0010).
    pub(super) transfer_syntax: String,
    /// Where the data set begins, behind the file's meta information.
    pub(super) data_set: u64,
    /// Where the pixels are, unless the data set has none.
    pub(super) pixels: Option<Located>,
}

/// A run of bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) length: u32,
}

/// Where the value of Pixel Data (7FE0,0010) lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Located {
    /// Not compressed; `words` where the representation is OW, or not said.
    Native { run: Run, words: bool },
    /// The items of the encapsulated stream (PS3.5 A.4): the first is the Basic Offset Table.
    Fragments(Vec<Run>),
}

/// Transfer syntaxes whose objects say where their pixels are, and hold none (PS3.5 A.6, A.7).
const ELSEWHERE: [&str; 4] = [
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
];

/// Walks over a Part 10 file.
///
/// A deflated data set is not walked over: [`super::deflated`] makes a file of its own of it first.
///
/// # Errors
/// [`DicomError::NotDicom`] without preamble, prefix or transfer syntax, [`DicomError::Truncated`]
/// where a length runs over the end, [`DicomError::Unsupported`] for pixels that lie elsewhere.
pub(super) fn scan<R: Read + Seek>(source: &mut R) -> Result<Scanned, DicomError> {
    let end = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut prefix = [0; 132];
    if end < 132 || source.read_exact(&mut prefix).is_err() || &prefix[128..] != b"DICM" {
        return Err(DicomError::NotDicom {
            cause: "no DICM prefix after the preamble of 128 bytes",
        });
    }
    let mut cursor = Cursor { source, at: 132, end };
    let meta = Encoding { explicit: true, big_endian: false };
    let mut transfer_syntax = None;
    while cursor.peek_group()? == Some(2) {
        let Start { tag, length, .. } = cursor.header(meta)?;
        if tag == (2, 0x10) {
            let value = cursor.value(tag, length)?;
            transfer_syntax =
                Some(String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned());
        } else {
            cursor.skip(tag, length)?;
        }
    }
    let Some(transfer_syntax) = transfer_syntax else {
        return Err(DicomError::NotDicom { cause: "no Transfer Syntax UID (0002,0010)" });
    };
    if ELSEWHERE.contains(&transfer_syntax.as_str()) {
        return Err(DicomError::Unsupported {
            cause: "the pixels lie on a server (JPIP) and not in the object".to_owned(),
        });
    }
    let data_set = cursor.at;
    let mut pixels = None;
    if transfer_syntax != super::deflated::SYNTAX {
        let encoding = match transfer_syntax.as_str() {
            "1.2.840.10008.1.2" => Encoding { explicit: false, big_endian: false },
            "1.2.840.10008.1.2.2" => Encoding { explicit: true, big_endian: true },
            _ => Encoding { explicit: true, big_endian: false },
        };
        elements(&mut cursor, Within::DataSet, encoding, 0, &mut pixels)?;
    }
    Ok(Scanned { transfer_syntax, data_set, pixels })
}

struct Cursor<'a, R> {
    source: &'a mut R,
    at: u64,
    end: u64,
}

type RawTag = (u16, u16);

fn named((group, element): RawTag) -> String {
    format!("{group:04X},{element:04X}")
}

impl<R: Read + Seek> Cursor<'_, R> {
    fn left(&self) -> u64 {
        self.end - self.at
    }

    fn peek_group(&mut self) -> Result<Option<u16>, DicomError> {
        if self.left() < 2 {
            return Ok(None);
        }
        let mut raw = [0; 2];
        self.source.read_exact(&mut raw)?;
        self.source.seek_relative(-2)?;
        Ok(Some(u16::from_le_bytes(raw)))
    }

    /// Counts `length` bytes as walked over.
    fn pass(&mut self, tag: RawTag, length: u32) -> Result<Run, DicomError> {
        let length_here = u64::from(length);
        if length_here > self.left() {
            return Err(DicomError::Truncated {
                tag: named(tag),
                length: length_here,
                left: self.left(),
            });
        }
        let run = Run { start: self.at, length };
        self.at += length_here;
        Ok(run)
    }

    fn skip(&mut self, tag: RawTag, length: u32) -> Result<Run, DicomError> {
        let run = self.pass(tag, length)?;
        self.source.seek_relative(i64::from(length))?;
        Ok(run)
    }

    fn value(&mut self, tag: RawTag, length: u32) -> Result<Vec<u8>, DicomError> {
        self.pass(tag, length)?;
        let mut value = vec![0; length as usize];
        self.source.read_exact(&mut value)?;
        Ok(value)
    }

    fn bytes<const N: usize>(&mut self, tag: RawTag) -> Result<[u8; N], DicomError> {
        self.pass(tag, N as u32)?;
        let mut value = [0; N];
        self.source.read_exact(&mut value)?;
        Ok(value)
    }

    fn short(&mut self, tag: RawTag, encoding: Encoding) -> Result<u16, DicomError> {
        let raw = self.bytes(tag)?;
        Ok(if encoding.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    fn long(&mut self, tag: RawTag, encoding: Encoding) -> Result<u32, DicomError> {
        let raw = self.bytes(tag)?;
        Ok(if encoding.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }

    /// The next element or item (PS3.5 7.1, 7.5).
    fn header(&mut self, encoding: Encoding) -> Result<Start, DicomError> {
        let group = self.short((0, 0), encoding)?;
        let element = self.short((group, 0), encoding)?;
        let tag = (group, element);
        if group == 0xFFFE || !encoding.explicit {
            return Ok(Start { tag, representation: *b"  ", length: self.long(tag, encoding)? });
        }
        let representation: [u8; 2] = self.bytes(tag)?;
        if !representation.iter().all(u8::is_ascii_uppercase) {
            return Err(DicomError::Damaged {
                cause: format!("element ({}) has no value representation", named(tag)),
            });
        }
        let long_form = matches!(
            &representation,
            b"OB"
                | b"OD"
                | b"OF"
                | b"OL"
                | b"OV"
                | b"OW"
                | b"SQ"
                | b"SV"
                | b"UC"
                | b"UN"
                | b"UR"
                | b"UT"
                | b"UV"
        );
        let length = if long_form {
            self.bytes::<2>(tag)?;
            self.long(tag, encoding)?
        } else {
            u32::from(self.short(tag, encoding)?)
        };
        Ok(Start { tag, representation, length })
    }
}

/// Where an element or item begins.
struct Start {
    tag: RawTag,
    representation: [u8; 2],
    length: u32,
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
    pixels: &mut Option<Located>,
) -> Result<(), DicomError> {
    if depth > DEEPEST {
        return Err(damaged(format!("sequences nest deeper than {DEEPEST}")));
    }
    while cursor.left() > 0 {
        let Start { tag, representation, length } = cursor.header(encoding)?;
        match (tag, within) {
            ((0xFFFE, 0xE00D), Within::Item { open: true })
            | ((0xFFFE, 0xE0DD), Within::Sequence { open: true }) => return Ok(()),
            ((0xFFFE, 0xE000), Within::Sequence { .. }) => {
                nested(
                    cursor,
                    (tag, length),
                    |open| Within::Item { open },
                    encoding,
                    depth,
                    pixels,
                )?;
            }
            // The parser would read on where this walk has stopped, or the other way round.
            ((0xFFFE, _), _) | (_, Within::Sequence { .. }) => {
                return Err(damaged(format!("({}) stands where it may not", named(tag))));
            }
            ((0x7FE0, 0x0010), _) if length == UNDEFINED => {
                let runs = fragments(cursor, encoding)?;
                if depth == 0 {
                    *pixels = Some(Located::Fragments(runs));
                }
            }
            _ if length == UNDEFINED || is_sequence(tag, representation, encoding) => {
                // A value of unknown representation without length is encoded as implicit (PS3.5
                // 6.2.2).
                let explicit = encoding.explicit && &representation != b"UN";
                let encoding = Encoding { explicit, ..encoding };
                let within = |open| Within::Sequence { open };
                nested(cursor, (tag, length), within, encoding, depth, pixels)?;
            }
            _ => {
                let run = cursor.skip(tag, length)?;
                if tag == (0x7FE0, 0x0010) && depth == 0 {
                    *pixels = Some(Located::Native { run, words: &representation != b"OB" });
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
    pixels: &mut Option<Located>,
) -> Result<(), DicomError> {
    if length == UNDEFINED {
        return elements(cursor, within(true), encoding, depth + 1, pixels);
    }
    let Run { start, .. } = cursor.pass(tag, length)?;
    let mut inner = Cursor { source: &mut *cursor.source, at: start, end: cursor.at };
    elements(&mut inner, within(false), encoding, depth + 1, pixels)
}

/// The fragments of encapsulated pixel data (PS3.5 A.4), which are bytes of a codec.
fn fragments<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    encoding: Encoding,
) -> Result<Vec<Run>, DicomError> {
    let mut runs = Vec::new();
    loop {
        let Start { tag, length, .. } = cursor.header(encoding)?;
        match tag {
            (0xFFFE, 0xE000) => runs.push(cursor.skip(tag, length)?),
            (0xFFFE, 0xE0DD) => return Ok(runs),
            _ => {
                return Err(DicomError::PixelData {
                    cause: "a fragment is no item of a sequence".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
