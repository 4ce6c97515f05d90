//! A walk over the raw bytes before anything is parsed: every length must fit into what is there.
//!
//! The parser takes the memory that an element asks for before it reads; a file of a kilobyte may
//! ask for four gigabytes. Bytes that pass this walk ask for no more than they bring.

use super::DicomError;

const UNDEFINED: u32 = u32::MAX;
const DEEPEST: u32 = 32;

/// How data elements are encoded (PS3.5 chapter 7).
#[derive(Clone, Copy)]
struct Encoding {
    explicit: bool,
    big_endian: bool,
}

/// Walks over a Part 10 file.
///
/// # Errors
/// [`DicomError::NotDicom`] without preamble, prefix or transfer syntax,
/// [`DicomError::Truncated`] where a length runs over the end, [`DicomError::Unsupported`] for a
/// deflated data set.
pub(super) fn scan(bytes: &[u8]) -> Result<(), DicomError> {
    if bytes.get(128..132) != Some(b"DICM") {
        return Err(DicomError::NotDicom {
            cause: "no DICM prefix after the preamble of 128 bytes",
        });
    }
    let mut cursor = Cursor { bytes, at: 132 };
    let meta = Encoding { explicit: true, big_endian: false };
    let mut transfer_syntax = None;
    while cursor.peek_group() == Some(2) {
        let Start { tag, length, .. } = cursor.header(meta)?;
        let value = cursor.take(tag, length)?;
        if tag == (2, 0x10) {
            transfer_syntax =
                Some(String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned());
        }
    }
    let Some(transfer_syntax) = transfer_syntax else {
        return Err(DicomError::NotDicom { cause: "no Transfer Syntax UID (0002,0010)" });
    };
    let encoding = match transfer_syntax.as_str() {
        "1.2.840.10008.1.2" => Encoding { explicit: false, big_endian: false },
        "1.2.840.10008.1.2.2" => Encoding { explicit: true, big_endian: true },
        "1.2.840.10008.1.2.1.99" => {
            return Err(DicomError::Unsupported {
                cause: "a deflated data set may expand without bound".to_owned(),
            });
        }
        _ => Encoding { explicit: true, big_endian: false },
    };
    elements(&mut cursor, bytes.len(), encoding, 0)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

type RawTag = (u16, u16);

fn named((group, element): RawTag) -> String {
    format!("{group:04X},{element:04X}")
}

impl<'a> Cursor<'a> {
    fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    fn peek_group(&self) -> Option<u16> {
        let raw = self.bytes.get(self.at..self.at + 2)?;
        Some(u16::from_le_bytes([raw[0], raw[1]]))
    }

    fn take(&mut self, tag: RawTag, length: u32) -> Result<&'a [u8], DicomError> {
        let end = self.at.checked_add(length as usize).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(DicomError::Truncated {
                tag: named(tag),
                length: u64::from(length),
                left: self.left(),
            });
        };
        let value = &self.bytes[self.at..end];
        self.at = end;
        Ok(value)
    }

    fn short(&mut self, tag: RawTag, encoding: Encoding) -> Result<u16, DicomError> {
        let raw = self.take(tag, 2)?;
        let raw = [raw[0], raw[1]];
        Ok(if encoding.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    fn long(&mut self, tag: RawTag, encoding: Encoding) -> Result<u32, DicomError> {
        let raw = self.take(tag, 4)?;
        let raw = [raw[0], raw[1], raw[2], raw[3]];
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
        let raw = self.take(tag, 2)?;
        let representation = [raw[0], raw[1]];
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
            self.take(tag, 2)?;
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

/// Elements up to `end`, or up to a delimiter where the sequence or item has no length.
fn elements(
    cursor: &mut Cursor,
    end: usize,
    encoding: Encoding,
    depth: u32,
) -> Result<(), DicomError> {
    if depth > DEEPEST {
        return Err(DicomError::Damaged { cause: format!("sequences nest deeper than {DEEPEST}") });
    }
    while cursor.at < end {
        let Start { tag, representation, length } = cursor.header(encoding)?;
        // A value of unknown representation without length is encoded as implicit (PS3.5 6.2.2).
        let within =
            Encoding { explicit: encoding.explicit && &representation != b"UN", ..encoding };
        match (tag, length) {
            ((0xFFFE, 0xE00D | 0xE0DD), _) => return Ok(()),
            ((0x7FE0, 0x0010), UNDEFINED) => fragments(cursor, encoding)?,
            (_, UNDEFINED) => elements(cursor, cursor.bytes.len(), within, depth + 1)?,
            ((0xFFFE, 0xE000), _) => nested(cursor, tag, length, within, depth)?,
            _ if &representation == b"SQ" => nested(cursor, tag, length, within, depth)?,
            _ => {
                cursor.take(tag, length)?;
            }
        }
    }
    Ok(())
}

/// The elements of an item or a sequence that says its length.
fn nested(
    cursor: &mut Cursor,
    tag: RawTag,
    length: u32,
    encoding: Encoding,
    depth: u32,
) -> Result<(), DicomError> {
    let start = cursor.at;
    cursor.take(tag, length)?;
    let end = cursor.at;
    cursor.at = start;
    elements(cursor, end, encoding, depth + 1)
}

/// The fragments of encapsulated pixel data (PS3.5 A.4), which are bytes of a codec.
fn fragments(cursor: &mut Cursor, encoding: Encoding) -> Result<(), DicomError> {
    loop {
        let Start { tag, length, .. } = cursor.header(encoding)?;
        match tag {
            (0xFFFE, 0xE000) => {
                cursor.take(tag, length)?;
            }
            (0xFFFE, 0xE0DD) => return Ok(()),
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

    fn file(data_set: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        bytes.extend([2, 0, 0x10, 0]);
        bytes.extend(b"UI\x14\x001.2.840.10008.1.2.1\0");
        bytes.extend(data_set);
        bytes
    }

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

    #[test]
    fn nesting_without_end_stops() {
        let item = [0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
        let error = scan(&file(&item.repeat(1_000))).unwrap_err();
        assert!(error.to_string().contains("deeper"), "{error}");
    }
}
