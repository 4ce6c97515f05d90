//! An opened object: its header parsed, its pixels still where they lie, to be read a frame at a
//! time.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};

use super::pixels::{BIG_ENDIAN, innermost};
use super::scan::{Located, Run, Scanned, scan};
use super::{DicomError, deflated};

/// Bytes that can be read and jumped about in.
trait Bytes: Read + Seek {}
impl<R: Read + Seek> Bytes for R {}

/// An object whose header is in memory.
pub(super) struct Opened<'a> {
    /// Everything that stands before Pixel Data (7FE0,0010).
    pub(super) object: DefaultDicomObject,
    /// The transfer syntax in which it came.
    pub(super) transfer_syntax: String,
    source: Box<dyn Bytes + 'a>,
    pub(super) pixels: Option<Located>,
}

fn unusable(cause: impl Into<String>) -> DicomError {
    DicomError::PixelData { cause: cause.into() }
}

/// Walks over an object and parses its header.
pub(super) fn open<'a, R: Read + Seek + 'a>(source: R) -> Result<Opened<'a>, DicomError> {
    let mut source = BufReader::new(source);
    let Scanned { transfer_syntax, data_set, pixels } = scan(&mut source)?;
    if transfer_syntax == deflated::SYNTAX {
        let mut source = Cursor::new(deflated::inflated(&mut source, data_set)?);
        let Scanned { pixels, .. } = scan(&mut source)?;
        return parse(Box::new(source), transfer_syntax, pixels);
    }
    parse(Box::new(source), transfer_syntax, pixels)
}

fn parse(
    mut source: Box<dyn Bytes + '_>,
    transfer_syntax: String,
    pixels: Option<Located>,
) -> Result<Opened<'_>, DicomError> {
    source.seek(SeekFrom::Start(0))?;
    let object = OpenFileOptions::new()
        .read_until(tags::PIXEL_DATA)
        .from_reader(&mut source)
        .map_err(|error| DicomError::Damaged { cause: innermost(&error) })?;
    Ok(Opened { object, transfer_syntax, source, pixels })
}

impl Opened<'_> {
    fn run(&mut self, Run { start, length }: Run) -> Result<Vec<u8>, DicomError> {
        self.source.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; length as usize];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Bytes of one frame (from 0) of pixels that are not compressed, little-endian.
    pub(super) fn native(&mut self, frame: u32, bytes: usize) -> Result<Vec<u8>, DicomError> {
        let Some(Located::Native { run, words }) = self.pixels else {
            return Err(unusable("not encoded as the transfer syntax says"));
        };
        let start = u64::from(frame) * bytes as u64;
        let end = start + bytes as u64;
        if end > u64::from(run.length) {
            return Err(unusable(format!("{end} bytes are needed, and {} are there", run.length)));
        }
        if self.transfer_syntax != BIG_ENDIAN || !words {
            return self.run(Run { start: run.start + start, length: bytes as u32 });
        }
        // Words of big-endian objects are turned as words, also where they hold two pixels of a byte.
        let (first, last) = (start & !1, (end + 1) & !1);
        let last = last.min(u64::from(run.length));
        let mut words =
            self.run(Run { start: run.start + first, length: (last - first) as u32 })?;
        words.chunks_exact_mut(2).for_each(|word| word.swap(0, 1));
        words.drain(..(start - first) as usize);
        words.truncate(bytes);
        Ok(words)
    }

    /// The compressed stream of one frame (from 0) of so many (PS3.5 A.4).
    ///
    /// A frame may lie in several fragments. Which are whose is told by the Extended Offset Table
    /// (7FE0,0001), the Basic Offset Table, or by there being as many as frames; and where nothing
    /// tells it, by the markers with which streams of the JPEG family begin.
    pub(super) fn stream(&mut self, frame: u32, frames: u32) -> Result<Vec<u8>, DicomError> {
        let Some(Located::Fragments(runs)) = self.pixels.clone() else {
            return Err(unusable("not encoded as the transfer syntax says"));
        };
        let (table, fragments) = runs.split_first().ok_or_else(|| unusable("no fragments"))?;
        let whose = self.whose(*table, fragments, frames)?;
        let mut stream = Vec::new();
        for run in &fragments[whose[frame as usize]..whose[frame as usize + 1]] {
            stream.extend(self.run(*run)?);
        }
        if stream.is_empty() {
            return Err(unusable("no fragments"));
        }
        Ok(stream)
    }

    /// Where each frame's fragments begin, and at last where those of the last frame end.
    fn whose(
        &mut self,
        table: Run,
        fragments: &[Run],
        frames: u32,
    ) -> Result<Vec<usize>, DicomError> {
        let frames = frames as usize;
        if frames == 1 {
            return Ok(vec![0, fragments.len()]);
        }
        if fragments.len() == frames {
            return Ok((0..=frames).collect());
        }
        let first = fragments.first().ok_or_else(|| unusable("no fragments"))?;
        let mut offsets: Vec<u64> = self.extended_offsets();
        if offsets.is_empty() {
            let table = self.run(table)?;
            let raw = table.chunks_exact(4);
            offsets = raw
                .map(|raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]).into())
                .collect();
        }
        let mut starts = Vec::with_capacity(frames + 1);
        if offsets.is_empty() {
            for (index, run) in fragments.iter().enumerate() {
                let begins = self.run(Run { start: run.start, length: run.length.min(2) })?;
                if begins == [0xFF, 0xD8] || begins == [0xFF, 0x4F] {
                    starts.push(index);
                }
            }
        } else {
            // Offsets count from the first fragment's item, whose tag and length are eight bytes.
            for offset in offsets {
                let at = |run: &Run| run.start - first.start == offset;
                starts.push(
                    fragments
                        .iter()
                        .position(at)
                        .ok_or_else(|| unusable("an offset table points between fragments"))?,
                );
            }
        }
        if starts.len() != frames || !starts.is_sorted() || starts.first() != Some(&0) {
            return Err(unusable(format!(
                "{} fragments, and nothing says which belong to which of {frames} frames",
                fragments.len()
            )));
        }
        starts.push(fragments.len());
        Ok(starts)
    }

    fn extended_offsets(&self) -> Vec<u64> {
        self.object
            .get(tags::EXTENDED_OFFSET_TABLE)
            .and_then(|element| element.value().primitive())
            .map(|value| {
                let raw = value.to_bytes();
                let offsets = raw.chunks_exact(8).map(|raw| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(raw);
                    u64::from_le_bytes(bytes)
                });
                offsets.collect()
            })
            .unwrap_or_default()
    }
}
