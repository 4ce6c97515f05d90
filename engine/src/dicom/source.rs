//! An opened object: its header parsed, its pixels still where they lie, to be read a frame at a
//! time.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, OpenFileOptions};

use super::pixels::{BIG_ENDIAN, innermost};
use super::scan::{Encoding, Located, Run, Scanned, data_set, scan};
use super::{DicomError, deflated, meta, unknown};

/// Bytes that can be read and jumped about in.
trait Bytes: Read + Seek {}
impl<R: Read + Seek> Bytes for R {}

/// An object whose header is in memory.
pub(super) struct Opened<'a> {
    /// Everything that stands before Pixel Data (7FE0,0010).
    pub(super) object: InMemDicomObject,
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
    let scanned = scan(&mut source)?;
    if scanned.transfer_syntax == deflated::SYNTAX {
        let mut source = Cursor::new(deflated::inflated(&mut source, scanned.data_set)?);
        let plain = data_set(&mut source, Encoding::EXPLICIT)?;
        return parse(Box::new(source), plain, scanned.transfer_syntax);
    }
    let transfer_syntax = scanned.transfer_syntax.clone();
    parse(Box::new(source), scanned, transfer_syntax)
}

/// Parses what was walked over. The parser is handed meta information of ours: what a file's own says
/// wrongly, lengths and UIDs, is nothing to its data set.
fn parse(
    mut source: Box<dyn Bytes + '_>,
    scanned: Scanned,
    transfer_syntax: String,
) -> Result<Opened<'_>, DicomError> {
    let Scanned { encoding, data_set, pixels, unknown, .. } = scanned;
    let mut begin = meta::for_parser(encoding.plain())?;
    let mut apart = Vec::new();
    let mut at = data_set;
    for (from, to) in unknown {
        begin.extend(bytes(&mut source, at, from)?);
        // Twelve bytes of header here are eight where no representation is said.
        let mut element = bytes(&mut source, from, to)?;
        if encoding.is_big_endian() {
            element[..4].swap(0, 1);
            element[..4].swap(2, 3);
        }
        apart.extend_from_slice(&element[..4]);
        apart.extend_from_slice(&element[8..]);
        at = to;
    }
    source.seek(SeekFrom::Start(at))?;
    let mut object = OpenFileOptions::new()
        .read_until(tags::PIXEL_DATA)
        .from_reader(Cursor::new(begin).chain(&mut source))
        .map_err(|error| DicomError::Damaged { cause: innermost(&error) })?
        .into_inner();
    if !apart.is_empty() {
        let character_set = unknown::character_set(&object);
        let found = unknown::elements(&[character_set, apart].concat());
        let cause = "a value of unknown representation".to_owned();
        for element in found.ok_or(DicomError::Damaged { cause })? {
            object.put(element);
        }
    }
    if !encoding.is_big_endian() {
        unknown::resolve(&mut object);
    }
    Ok(Opened { object, transfer_syntax, source, pixels })
}

fn bytes(source: &mut dyn Bytes, from: u64, to: u64) -> Result<Vec<u8>, DicomError> {
    source.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; (to - from) as usize];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Opened<'_> {
    fn run(&mut self, Run { start, length }: Run) -> Result<Vec<u8>, DicomError> {
        bytes(&mut self.source, start, start + u64::from(length))
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
    /// tells it, or a table points between fragments, by the markers with which streams of the JPEG family
    /// begin.
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
        let table = self.run(table)?;
        let basic = table.chunks_exact(4);
        let basic = basic.map(|raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]).into());
        for offsets in [self.extended_offsets(), basic.collect()] {
            if let Some(starts) =
                pointed(fragments, &offsets).and_then(|s| bounds(s, fragments, frames))
            {
                return Ok(starts);
            }
        }
        // No table, or one that was not written anew when the streams were.
        let mut starts = Vec::new();
        for (index, run) in fragments.iter().enumerate() {
            let begins = self.run(Run { start: run.start, length: run.length.min(2) })?;
            if begins == [0xFF, 0xD8] || begins == [0xFF, 0x4F] {
                starts.push(index);
            }
        }
        bounds(starts, fragments, frames).ok_or_else(|| {
            unusable(format!(
                "{} fragments, and nothing says which belong to which of {frames} frames",
                fragments.len()
            ))
        })
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

/// The fragments that offsets point to: they count from the first fragment's item, whose tag and length
/// are eight bytes. `None` where one points to none.
fn pointed(fragments: &[Run], offsets: &[u64]) -> Option<Vec<usize>> {
    let first = fragments.first()?.start;
    let at = |offset: &u64| fragments.iter().position(|run| run.start - first == *offset);
    offsets.iter().map(at).collect()
}

/// The starts of so many frames and the end of the last one, where they are that.
fn bounds(mut starts: Vec<usize>, fragments: &[Run], frames: usize) -> Option<Vec<usize>> {
    let fit = starts.len() == frames
        && starts.first() == Some(&0)
        && starts.windows(2).all(|pair| pair[0] < pair[1]);
    starts.push(fragments.len());
    fit.then_some(starts)
}
