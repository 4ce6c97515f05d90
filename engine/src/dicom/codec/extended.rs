//! JPEG Extended of twelve bits: sequential DCT with Huffman codes, one component (ITU-T T.81,
//! process 4).
//!
//! Our own: jpeg-decoder has eight bits for the DCT alone.

use super::marker::{Segments, short};

/// Where the coefficients of a block stand, in the order in which they come (T.81 figure A.6).
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
const BITS: u32 = 12;

/// A table of codes, by length (T.81 annex C and F.2.2.3).
#[derive(Default, Clone)]
struct Huffman {
    /// For each length: the first code, the first value's place, how many there are.
    lengths: [(u32, usize, u32); 16],
    values: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], values: &[u8]) -> Self {
        let mut table = Self { values: values.to_vec(), ..Self::default() };
        let (mut code, mut place) = (0, 0);
        for (length, count) in table.lengths.iter_mut().zip(counts) {
            *length = (code, place, u32::from(*count));
            code = (code + u32::from(*count)) << 1;
            place += usize::from(*count);
        }
        table
    }
}

/// The entropy-coded bits between two markers; a zero behind a byte of ones is stuffing.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    byte: u8,
    left: u32,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if self.byte == 0xFF {
                if *self.bytes.get(self.at)? != 0 {
                    return None;
                }
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left) & 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    fn symbol(&mut self, table: &Huffman) -> Option<u8> {
        let mut code = 0;
        for (first, place, count) in table.lengths {
            code = code << 1 | self.bit()?;
            if let Some(over) = code.checked_sub(first).filter(|over| *over < count) {
                return table.values.get(place + over as usize).copied();
            }
        }
        None
    }

    /// A signed value of so many bits (T.81 F.2.2.1).
    fn signed(&mut self, bits: u32) -> Option<i32> {
        if !(1..=16).contains(&bits) {
            return (bits == 0).then_some(0);
        }
        let value = self.take(bits)? as i32;
        Some(if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value })
    }

    /// Goes behind the next restart marker.
    fn restart(&mut self) -> Option<()> {
        self.left = 0;
        while !matches!(self.bytes.get(self.at..self.at + 2)?, [0xFF, 0xD0..=0xD7]) {
            self.at += 1;
        }
        self.at += 2;
        Some(())
    }
}

#[derive(Default)]
struct Tables {
    quantisers: [Option<[f32; 64]>; 4],
    huffman: [[Option<Huffman>; 4]; 2],
    restart: usize,
}

impl Tables {
    fn quantiser(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((head, rest)) = body.split_first() {
            let wide = head >> 4 == 1;
            let mut table = [0.0; 64];
            for (index, place) in ZIGZAG.iter().enumerate() {
                table[*place] = if wide {
                    f32::from(short(rest, 2 * index)?)
                } else {
                    f32::from(*rest.get(index)?)
                };
            }
            *self.quantisers.get_mut(usize::from(head & 15))? = Some(table);
            body = rest.get(if wide { 128 } else { 64 }..)?;
        }
        Some(())
    }

    fn codes(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((head, rest)) = body.split_first() {
            let (counts, rest) = rest.split_at_checked(16)?;
            let count: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let (values, rest) = rest.split_at_checked(count)?;
            *self.huffman.get_mut(usize::from(head >> 4))?.get_mut(usize::from(head & 15))? =
                Some(Huffman::new(counts, values));
            body = rest;
        }
        Some(())
    }
}

/// Whether a stream is one that [`decode`] is for: sequential DCT of twelve bits.
pub(super) fn is_ours(stream: &[u8]) -> bool {
    let mut segments = Segments::new(stream);
    while let Some((marker, body)) = segments.next() {
        if marker == 0xC1 {
            return body.first() == Some(&(BITS as u8));
        }
    }
    false
}

/// Decodes a stream of `columns × rows` values; `None` where it is damaged.
pub(super) fn decode(stream: &[u8], columns: usize, rows: usize) -> Option<Vec<u16>> {
    let mut segments = Segments::new(stream);
    let mut tables = Tables::default();
    let mut quantiser = None;
    let scan = loop {
        let (marker, body) = segments.next()?;
        match marker {
            0xDB => tables.quantiser(body)?,
            0xC4 => tables.codes(body)?,
            0xC1 => quantiser = Some(usize::from(*body.get(8)?)),
            0xDD => tables.restart = usize::from(short(body, 0)?),
            0xDA => break body,
            _ => {}
        }
    };
    let quantiser = tables.quantisers.get(quantiser?)?.as_ref()?;
    let which = *scan.get(2)?;
    let direct = tables.huffman[0].get(usize::from(which >> 4))?.as_ref()?;
    let others = tables.huffman[1].get(usize::from(which & 15))?.as_ref()?;
    let mut bits = Bits { bytes: segments.rest(), at: 0, byte: 0, left: 0 };
    let cosines = cosines();
    let mut values = vec![0; columns * rows];
    let mut direct_before = 0;
    let across = columns.div_ceil(8);
    for index in 0..across * rows.div_ceil(8) {
        if tables.restart > 0 && index > 0 && index % tables.restart == 0 {
            bits.restart()?;
            direct_before = 0;
        }
        let mut block = [0.0; 64];
        direct_before += bits.symbol(direct).and_then(|size| bits.signed(u32::from(size)))?;
        block[0] = direct_before as f32 * quantiser[0];
        let mut at = 1;
        while at < 64 {
            let symbol = bits.symbol(others)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                // Sixteen zeros, or none but zeros to the end.
                if zeros < 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            let place = *ZIGZAG.get(at)?;
            block[place] = bits.signed(size)? as f32 * quantiser[place];
            at += 1;
        }
        let (left, top) = (index % across * 8, index / across * 8);
        let pixels = inverse(&block, &cosines);
        for (row, line) in pixels.chunks_exact(8).enumerate().take(rows - top) {
            let start = (top + row) * columns + left;
            let width = 8.min(columns - left);
            for (value, pixel) in values[start..start + width].iter_mut().zip(line) {
                *value = (pixel + 2048.0).round().clamp(0.0, 4095.0) as u16;
            }
        }
    }
    Some(values)
}

/// `[frequency][place]` of one dimension of the transform (T.81 A.3.3).
fn cosines() -> [[f32; 8]; 8] {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|place| {
            let angle = (2 * place + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
            let scale = if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
            (0.5 * scale * angle.cos()) as f32
        })
    })
}

/// The inverse transform of a block, by rows and then by columns.
fn inverse(block: &[f32; 64], cosines: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut half = [0.0; 64];
    for row in 0..8 {
        for (frequency, cosine) in cosines.iter().enumerate() {
            let coefficient = block[row * 8 + frequency];
            if coefficient != 0.0 {
                for place in 0..8 {
                    half[row * 8 + place] += coefficient * cosine[place];
                }
            }
        }
    }
    let mut pixels = [0.0; 64];
    for place in 0..8 {
        for (frequency, cosine) in cosines.iter().enumerate() {
            for column in 0..8 {
                pixels[place * 8 + column] += half[frequency * 8 + column] * cosine[place];
            }
        }
    }
    pixels
}
