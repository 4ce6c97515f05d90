//! A place in the bytes that moves on, and the headers of elements there (PS3.5 7.1).

use std::io::{Read, Seek, SeekFrom};

use dicom_dictionary_std::uids;

use crate::dicom::DicomError;
use crate::dicom::pixels::BIG_ENDIAN;

/// Representations whose length has two bytes (PS3.5 table 7.1-2); every other one, also one that is not
/// known yet, has two bytes of nothing and then four (7.1.2).
pub(super) const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

/// How data elements are encoded (PS3.5 chapter 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dicom) struct Encoding {
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

impl Encoding {
    /// What meta information is written in, and most data sets.
    pub(in crate::dicom) const EXPLICIT: Self = Self { explicit: true, big_endian: false };
    /// What every program must read, and values of unknown representation hold.
    pub(in crate::dicom) const IMPLICIT: Self = Self { explicit: false, big_endian: false };

    /// How a transfer syntax encodes elements; all but two do it explicitly, the low byte first.
    pub(super) fn of(transfer_syntax: &str) -> Self {
        match transfer_syntax {
            uids::IMPLICIT_VR_LITTLE_ENDIAN => Self::IMPLICIT,
            BIG_ENDIAN => Self { explicit: true, big_endian: true },
            _ => Self::EXPLICIT,
        }
    }

    pub(in crate::dicom) fn is_big_endian(self) -> bool {
        self.big_endian
    }

    /// The transfer syntax that is this encoding and nothing else.
    pub(in crate::dicom) fn plain(self) -> &'static str {
        match (self.explicit, self.big_endian) {
            (true, false) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            (false, _) => uids::IMPLICIT_VR_LITTLE_ENDIAN,
            (true, true) => BIG_ENDIAN,
        }
    }
}

/// A run of bytes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dicom) struct Run {
    pub(in crate::dicom) start: u64,
    pub(in crate::dicom) length: u32,
}

pub(super) type RawTag = (u16, u16);

pub(super) fn named((group, element): RawTag) -> String {
    format!("{group:04X},{element:04X}")
}

/// Where an element or item begins.
pub(super) struct Start {
    pub(super) tag: RawTag,
    pub(super) representation: [u8; 2],
    pub(super) length: u32,
}

/// Bytes from `at` to `end`; of one inside of another, the source is shared and both count from the
/// beginning of the file.
pub(super) struct Cursor<'a, R> {
    pub(super) source: &'a mut R,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl<R: Read + Seek> Cursor<'_, R> {
    pub(super) fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Goes to a place within the bytes.
    pub(super) fn go(&mut self, at: u64) -> Result<(), DicomError> {
        self.at = at.min(self.end);
        self.source.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }

    /// The next bytes, as many as there are up to `count`, without passing over them.
    pub(super) fn peek(&mut self, count: u64) -> Result<Vec<u8>, DicomError> {
        let mut bytes = vec![0; count.min(self.left()) as usize];
        self.source.read_exact(&mut bytes)?;
        self.source.seek_relative(-(bytes.len() as i64))?;
        Ok(bytes)
    }

    /// Whether nothing but zeros is left.
    pub(super) fn only_zeros(&mut self) -> Result<bool, DicomError> {
        // Nearly always the first few bytes tell.
        if self.peek(8)?.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let mut rest = self.left();
        let mut chunk = [0; 4096];
        let mut zeros = true;
        while rest > 0 && zeros {
            let part = &mut chunk[..rest.min(4096) as usize];
            self.source.read_exact(part)?;
            zeros = part.iter().all(|byte| *byte == 0);
            rest -= part.len() as u64;
        }
        self.go(self.at)?;
        Ok(zeros)
    }

    /// Counts `length` bytes as walked over.
    pub(super) fn pass(&mut self, tag: RawTag, length: u32) -> Result<Run, DicomError> {
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

    pub(super) fn skip(&mut self, tag: RawTag, length: u32) -> Result<Run, DicomError> {
        let run = self.pass(tag, length)?;
        self.source.seek_relative(i64::from(length))?;
        Ok(run)
    }

    pub(super) fn value(&mut self, tag: RawTag, length: u32) -> Result<Vec<u8>, DicomError> {
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
    pub(super) fn header(&mut self, encoding: Encoding) -> Result<Start, DicomError> {
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
        let length = if SHORT.contains(&&representation) {
            u32::from(self.short(tag, encoding)?)
        } else {
            self.bytes::<2>(tag)?;
            self.long(tag, encoding)?
        };
        Ok(Start { tag, representation, length })
    }
}
