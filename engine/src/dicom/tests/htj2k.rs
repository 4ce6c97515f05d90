//! High-throughput JPEG 2000 (ITU-T T.814), as OpenJPH writes it by the hands of imagecodecs. Where that is
//! not installed (`make standards`), it is said aloud.

use std::fs;
use std::path::Path;

use dicom_dictionary_std::{tags, uids};

use super::fixtures::{Object, deidentified, from_hex, pattern};
use super::peers::{python_with, run};
use crate::dicom::{inspect, native_frame, read, stored_frame};

/// `numpy.array([[(r*331+c*173)%1024 for c in range(16)] for r in range(12)], dtype="uint16")` by
/// imagecodecs 2026.3.6 (OpenJPH 0.26.3): `htj2k_encode(values, reversible=True, resolutions=1)`.
const STREAM: &str = "
ff4fff5100294000000000100000000c0000000000000000000000100000000c000000000000000000010f0101ff500008
000200000009ff52000c00020001000104044001ff5c00072088888888ff64001700014f70656e4a50482056657220302e
32362e332eff90000a00000000015c0001ff93c0002f6cff7f53fa0bfd1ffa0bfc5a7ff47fa37fe30fe7f7f5cffea3ff46
7cbf3ec27fcedfd79fd93fed7fe8a7f66bfd1ffdc57eb13fa0bfd9bff547f425fa9cfee3be9f7f4f3f857fdcafd6cfed83
fa5ffa06fe6a3f577fb52fe9b7ea77f703d7afd65fd7afd65d0800c6420031b101c0002f4480005e950000bd10ff7cf3cf
ff7fefef7f7fff7c63c5faf3efcf9f7f7ffef8f7e7cfbf3fff7e2b85e5cfbf7f7ffefcf9f3efdf9f3ffefcf14f2958fc0b
c7b5634ae6f42110070a01012c5001fef9e10f7ffefefaf5eb8f7ffdf9e7cfef5f7ffef5db9f3ffcf6c71f7efbf387dffe
fce1a75ffe51fa0765fea4e537e57f50e68fb4fca6fc7f4afe043d958d572f6843036c10c0b85f00ff7de7df7ffefdef9f
7fff79efbfff7cf7ff5f7fff7ffbf7ff3fff7cf7bf7ffefdefff7ffefdef9fff7ffbff6fbfff7ffbff7f005360f3fbd58d
588c606f1862039cb101ffd9";

#[test]
fn a_stream_of_high_throughput_is_read_in_each_of_its_syntaxes() {
    let plain = Object::words(16, &pattern()).short(tags::BITS_STORED, 10).short(tags::HIGH_BIT, 9);
    let expected = read(&plain.window("512", "1024").bytes()).unwrap().frame;
    for syntax in [uids::HTJ2K_LOSSLESS, uids::HTJ2K_LOSSLESS_RPCL, uids::HTJ2K] {
        let object = Object::compressed(16, 12, 10, syntax, vec![from_hex(STREAM)]);
        let bytes = object.window("512", "1024").bytes();
        assert_eq!(read(&bytes).unwrap().frame, expected, "{syntax}");
        assert_eq!(inspect(&bytes).unwrap().transfer_syntax_uid, syntax);
        // A clean file keeps the stream.
        let clean = deidentified(&bytes).unwrap();
        assert_eq!(inspect(&clean).unwrap().transfer_syntax_uid, syntax);
        assert_eq!(read(&clean).unwrap().frame, expected, "{syntax}");
    }
    // Cut off or damaged, it is an error or a picture, and never half of one that is cut off.
    let whole = from_hex(STREAM);
    for length in (60..whole.len() - 40).step_by(13) {
        let cut = vec![whole[..length].to_vec()];
        let object = Object::compressed(16, 12, 10, uids::HTJ2K_LOSSLESS, cut);
        assert!(read(&object.bytes()).is_err(), "{length} bytes");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xFF;
        let object = Object::compressed(16, 12, 10, uids::HTJ2K_LOSSLESS, vec![damaged]);
        let _ = read(&object.bytes());
    }
}

/// Streams of every `*.raw` with the options that its name tells, and what the same library reads of
/// those that lose something.
const ENCODE: &str = "
import pathlib, sys
import imagecodecs, numpy
for path in sorted(pathlib.Path(sys.argv[1]).glob('*.raw')):
    name, loss = path.stem.split('~')
    _, kind, columns, rows, levels, tile = name.split(',')
    values = numpy.fromfile(path, kind).reshape(int(rows), int(columns))
    how = {'reversible': True, 'resolutions': int(levels)}
    if int(tile):
        how['tile'] = (int(tile), int(tile))
    if int(loss):
        how = {**how, 'reversible': False, 'level': int(loss) / 10000}
    stream = imagecodecs.htj2k_encode(values, **how)
    path.with_suffix('.j2c').write_bytes(stream)
    if int(loss):
        imagecodecs.htj2k_decode(stream).astype(kind).tofile(path.with_suffix('.lossy'))
print('done')
";

/// A picture to be encoded, and how.
struct Case {
    bits: u16,
    signed: bool,
    sides: (u16, u16),
    levels: u8,
    /// Sides of a tile; 0 is one tile.
    tile: u16,
    /// Step of the quantiser in ten-thousandths; 0 is lossless.
    loss: u16,
}

impl Case {
    const fn lossless(bits: u16, signed: bool, sides: (u16, u16)) -> Self {
        Self { bits, signed, sides, levels: 5, tile: 0, loss: 0 }
    }

    /// Slopes with an edge and the grain of a detector, down to the lowest bit.
    fn words(&self) -> Vec<u16> {
        let (columns, rows) = self.sides;
        let mut state = 7_u32;
        let mask = (1_u32 << self.bits) - 1;
        let mut words = Vec::new();
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |c| (row, c))) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let slope = (u32::from(row) * 3 + u32::from(column) * 5) << (self.bits - 8);
            let edge = if row > column { mask / 3 } else { 0 };
            let word = (slope + edge + (state >> 28)) & mask;
            // What loses something swings beyond an edge: away from the ends, for these streams have sixteen bits
            // whatever is stored of them, and nothing holds a number below 4,096.
            words.push(if self.loss == 0 { word } else { mask / 4 + word / 2 } as u16);
        }
        words
    }

    /// As numbers of the representation that they have.
    fn raw(&self) -> Vec<u8> {
        let unused = 16 - self.bits;
        let number = |word: &u16| {
            if self.signed { (((word << unused) as i16) >> unused) as u16 } else { *word }
        };
        match self.bits {
            8 => self.words().iter().map(|word| *word as u8).collect(),
            _ => self.words().iter().flat_map(|word| number(word).to_ne_bytes()).collect(),
        }
    }

    fn name(&self) -> String {
        let kind = match (self.bits, self.signed) {
            (8, _) => "uint8",
            (_, false) => "uint16",
            (_, true) => "int16",
        };
        let (columns, rows) = self.sides;
        let Self { bits, levels, tile, loss, .. } = self;
        format!("{bits},{kind},{columns},{rows},{levels},{tile}~{loss}")
    }

    fn object(&self, syntax: &'static str, stream: Vec<u8>) -> Object {
        Object::compressed(self.sides.0, self.sides.1, self.bits, syntax, vec![stream])
            .short(tags::PIXEL_REPRESENTATION, u16::from(self.signed))
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (bits, signed) in [(8, false), (12, false), (16, false), (12, true), (16, true)] {
        for sides in [(61, 53), (1, 1), (257, 3), (200, 180)] {
            cases.push(Case::lossless(bits, signed, sides));
        }
    }
    for (levels, tile) in [(1, 0), (2, 64), (3, 48), (5, 64)] {
        cases.push(Case { levels, tile, ..Case::lossless(12, false, (130, 90)) });
    }
    for loss in [5, 100] {
        cases.push(Case { loss, ..Case::lossless(12, false, (130, 90)) });
    }
    cases
}

fn masked(bytes: &[u8], mask: u16) -> Vec<u16> {
    bytes.chunks_exact(2).map(|raw| u16::from_le_bytes([raw[0], raw[1]]) & mask).collect()
}

fn check(case: &Case, folder: &Path) {
    let file = |ending: &str| fs::read(folder.join(format!("{}.{ending}", case.name()))).unwrap();
    let stream = file("j2c");
    // Its streams are ordered by resolution first, as .202 asks; .201 takes any order.
    let syntax = match (case.loss, case.levels) {
        (0, 5) => uids::HTJ2K_LOSSLESS_RPCL,
        (0, _) => uids::HTJ2K_LOSSLESS,
        _ => uids::HTJ2K,
    };
    let bytes = case.object(syntax, stream).bytes();
    assert_eq!(stored_frame(&bytes, 1).unwrap().media_type, "image/jphc");
    let got = native_frame(&bytes, 1).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
    if case.bits == 8 {
        assert_eq!(got, case.raw(), "{}", case.name());
        return;
    }
    let mask = ((1_u32 << case.bits) - 1) as u16;
    let got = masked(&got, mask);
    if case.loss == 0 {
        assert!(got == case.words(), "{}", case.name());
        return;
    }
    // Two decoders of what lost something differ by rounding alone.
    let expected = masked(&file("lossy"), mask);
    let apart = got.iter().zip(&expected).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(apart.unwrap() <= 1, "{}: {apart:?}", case.name());
    assert!(got != case.words(), "{}: nothing was lost", case.name());
}

#[test]
fn what_openjph_wrote_is_read_to_the_last_bit() {
    let Some(python) = python_with("imagecodecs") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    for case in &cases {
        fs::write(folder.path().join(format!("{}.raw", case.name())), case.raw()).unwrap();
    }
    run(&python, ENCODE, folder.path());
    for case in &cases {
        check(case, folder.path());
    }
}
