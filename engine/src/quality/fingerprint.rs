//! Pictures that are nearly the same, by a hash of what they look like.

use crate::dicom::Frame;

/// Sides of the reduced picture of which a fingerprint is made.
const SIDE: usize = 16;
/// Bits of 256 by which two fingerprints of one picture differ, at most. Of the radiographs of 900 children (Kermany
/// et al.), reduced by a box filter, the nearest two differ by 15; of 60 that were saved anew at three quarters of
/// their size as JPEG of quality 60, the farthest from its source by 9.
pub const NEAR: u32 = 11;

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 64;
/// How far digits of one part lie from one another: three rows and a quarter of one, for what lies nearby is alike in many
/// pictures. Of 793 radiographs (ChestX-ray14) one has a part in common with 0.9 % of the others, of 1,500 of children
/// (Kermany et al.) with 2.1 %; were parts made of neighbours, with 5.3 % and 5.8 %.
const STEP: usize = 13;
/// Parts of a fingerprint: one more than bits by which near ones differ, so that these have one part at least in common
/// (by the pigeonhole principle), and an index over parts finds them.
pub const PARTS: usize = NEAR as usize + 1;

/// Whether each place of a reduced picture is darker than its neighbour to the right (Krawetz' difference hash, at
/// 16 × 16: at the usual 8 × 8 radiographs of different patients are the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u64; SIDE * SIDE / 64]);

impl Fingerprint {
    /// Of a picture in any size.
    pub fn of(frame: &Frame) -> Self {
        let reduced = frame.resized(SIDE as u32 + 1, SIDE as u32);
        let mut bits = [0u64; SIDE * SIDE / 64];
        for (row, line) in reduced.pixels.chunks_exact(SIDE + 1).enumerate() {
            for (column, pair) in line.windows(2).enumerate() {
                let bit = row * SIDE + column;
                bits[bit / 64] |= u64::from(pair[1] > pair[0]) << (bit % 64);
            }
        }
        Self(bits)
    }

    /// How many of 256 bits differ.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// Whether both are of one picture, or nearly.
    pub fn is_near(&self, other: &Self) -> bool {
        self.distance(other) <= NEAR
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0.map(u64::to_be_bytes).concat())
    }

    /// Which of the digits of [`Self::to_hex`], from 0, make up a part, from 0: five or six. Indices of databases are
    /// made by it.
    pub fn digits_of(part: usize) -> impl Iterator<Item = usize> {
        let start = |part: usize| part * DIGITS / PARTS;
        (start(part)..start(part + 1)).map(|place| place * STEP % DIGITS)
    }

    /// The parts, each as its digits.
    pub fn parts(self) -> [String; PARTS] {
        let digits: Vec<char> = self.to_hex().chars().collect();
        std::array::from_fn(|part| Self::digits_of(part).map(|digit| digits[digit]).collect())
    }

    /// From what [`Self::to_hex`] wrote; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != DIGITS || !text.is_ascii() {
            return None;
        }
        let mut bits = [0u64; SIDE * SIDE / 64];
        for (number, word) in bits.iter_mut().enumerate() {
            *word = u64::from_str_radix(text.get(16 * number..16 * (number + 1))?, 16).ok()?;
        }
        Some(Self(bits))
    }
}
