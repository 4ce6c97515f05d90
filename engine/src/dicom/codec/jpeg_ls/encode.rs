//! The other way: values of one component become a lossless stream, with the default parameters.

use super::{CONTEXTS, Context, Parameters, RUN_ORDERS, edge};

/// The bits of a scan under construction; behind a byte of ones the next one's highest bit is
/// stuffing (T.87 A.1).
struct Bits {
    bytes: Vec<u8>,
    buffer: u64,
    held: u32,
}

impl Bits {
    /// The lowest `count` bits of `value`; 32 at most.
    fn put(&mut self, value: u32, count: u32) {
        self.buffer = self.buffer << count | u64::from(value);
        self.held += count;
        loop {
            let width = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
            let Some(held) = self.held.checked_sub(width) else { return };
            self.held = held;
            self.bytes.push((self.buffer >> held) as u8 & (0xFF >> (8 - width)));
            self.buffer &= (1 << held) - 1;
        }
    }

    /// A code of limited length (A.5.3).
    fn golomb(&mut self, value: i32, order: u32, limit: u32, error_bits: u32) {
        let longest = limit - error_bits - 1;
        let value = value as u32;
        let high = value >> order;
        let mut zeros = high.min(longest);
        while zeros > 0 {
            let some = zeros.min(32);
            self.put(0, some);
            zeros -= some;
        }
        self.put(1, 1);
        if high < longest {
            self.put(value & ((1 << order) - 1), order);
        } else {
            self.put(value - 1, error_bits);
        }
    }

    /// The last byte is filled by zeros, and is none of ones: a marker follows.
    fn finish(mut self) -> Vec<u8> {
        if self.held > 0 {
            let width = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
            self.put(0, width - self.held);
        }
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.push(0);
        }
        self.bytes
    }
}

struct Scan {
    parameters: Parameters,
    bits: Bits,
    contexts: Vec<Context>,
    run_index: usize,
}

/// A stream of `columns × rows` values of `bits` bits, 2 to 16; `None` where that is no image, or a
/// value has more bits.
pub(in crate::dicom::codec) fn encode(
    values: &[u16],
    columns: u16,
    rows: u16,
    bits: u16,
) -> Option<Vec<u8>> {
    let size = usize::from(columns) * usize::from(rows);
    if size == 0 || values.len() != size || !(2..=16).contains(&bits) {
        return None;
    }
    if values.iter().any(|value| u32::from(*value) >> bits != 0) {
        return None;
    }
    let parameters = Parameters::new((1 << bits) - 1, 0, None)?;
    let mut stream = vec![0xFF, 0xD8];
    // Frame header (C.2.2): depth, size, one component of its own size.
    stream.extend([0xFF, 0xF7, 0, 11, bits as u8]);
    stream.extend(rows.to_be_bytes());
    stream.extend(columns.to_be_bytes());
    stream.extend([1, 1, 0x11, 0]);
    // Scan header (C.2.3): that component, lossless, not interleaved.
    stream.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0]);
    let mut scan = Scan {
        bits: Bits { bytes: Vec::new(), buffer: 0, held: 0 },
        contexts: parameters.contexts(),
        run_index: 0,
        parameters,
    };
    let columns = usize::from(columns);
    // One value more on either side, as in decoding.
    let mut above = vec![0; columns + 2];
    let mut line = vec![0; columns + 2];
    for row in values.chunks_exact(columns) {
        line[0] = above[1];
        line[1..=columns].copy_from_slice(row);
        above[columns + 1] = above[columns];
        scan.line(&above, &line)?;
        std::mem::swap(&mut above, &mut line);
    }
    stream.extend(scan.bits.finish());
    stream.extend([0xFF, 0xD9]);
    Some(stream)
}

impl Scan {
    /// Encodes a line; both have a value more on either side.
    fn line(&mut self, above: &[u16], line: &[u16]) -> Option<()> {
        let end = line.len() - 1;
        let mut at = 1;
        while at < end {
            let (a, b) = (i32::from(line[at - 1]), i32::from(above[at]));
            let (c, d) = (i32::from(above[at - 1]), i32::from(above[at + 1]));
            let regions = [d - b, b - c, c - a].map(|gradient| self.parameters.region(gradient));
            if regions == [0; 3] {
                at = self.run(at, above, line)?;
            } else {
                let context = (regions[0] * 9 + regions[1]) * 9 + regions[2];
                self.regular(context, [a, b, c], i32::from(line[at]))?;
                at += 1;
            }
        }
        Some(())
    }

    /// An error within half the range around zero (A.4.5).
    fn wrapped(&self, error: i32) -> i32 {
        let range = self.parameters.range;
        let error = error.rem_euclid(range);
        if error >= (range + 1) / 2 { error - range } else { error }
    }

    /// A value of regular mode (A.4, A.5).
    fn regular(&mut self, signed_context: i32, [a, b, c]: [i32; 3], value: i32) -> Option<()> {
        let sign = signed_context.signum();
        let index = signed_context.unsigned_abs() as usize;
        let context = *self.contexts.get(index)?;
        let largest = self.parameters.largest;
        let prediction = (edge([a, b, c]) + sign * context.correction).clamp(0, largest);
        let error = self.wrapped(sign * (value - prediction));
        let order = context.order(context.sizes);
        let coded = match (context.inverted(order), error < 0) {
            (false, false) => 2 * error,
            (false, true) => -2 * error - 1,
            (true, false) => 2 * error + 1,
            (true, true) => -2 * error - 2,
        };
        self.bits.golomb(coded, order, self.parameters.limit, self.parameters.error_bits);
        self.contexts.get_mut(index)?.learn(error, &self.parameters);
        Some(())
    }

    /// A run, and the value that ends it unless the line does (A.7). Returns where to go on.
    fn run(&mut self, mut at: usize, above: &[u16], line: &[u16]) -> Option<usize> {
        let end = line.len() - 1;
        let value = line[at - 1];
        let mut left = line[at..end].iter().take_while(|next| **next == value).count();
        at += left;
        while left >= 1 << RUN_ORDERS[self.run_index] {
            self.bits.put(1, 1);
            left -= 1 << RUN_ORDERS[self.run_index];
            self.run_index = (self.run_index + 1).min(RUN_ORDERS.len() - 1);
        }
        if at == end {
            if left > 0 {
                self.bits.put(1, 1);
            }
            return Some(end);
        }
        self.bits.put(0, 1);
        self.bits.put(left as u32, RUN_ORDERS[self.run_index]);
        self.interruption(i32::from(value), i32::from(above[at]), i32::from(line[at]))?;
        self.run_index = self.run_index.saturating_sub(1);
        Some(at + 1)
    }

    fn interruption(&mut self, a: i32, b: i32, value: i32) -> Option<()> {
        let kind = i32::from(a == b);
        let (prediction, sign) = match kind {
            1 => (a, 1),
            _ => (b, if a > b { -1 } else { 1 }),
        };
        let error = self.wrapped(sign * (value - prediction));
        let context = self.contexts.get_mut(CONTEXTS + kind as usize)?;
        let order = context.interruption_order(kind);
        // The likelier sign has the shorter code (A.7.2.2); `bias` counts negative errors here.
        let mostly_negative = 2 * context.bias >= context.count;
        let odd = match error.signum() {
            1 => order == 0 && !mostly_negative,
            -1 => order != 0 || mostly_negative,
            _ => false,
        };
        let coded = 2 * error.abs() - kind - i32::from(odd);
        let limit = self.parameters.limit - RUN_ORDERS[self.run_index] - 1;
        self.bits.golomb(coded, order, limit, self.parameters.error_bits);
        context.learn_interruption(error, coded, kind, self.parameters.reset);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::decode;
    use super::*;

    /// Values of all bits, of few, in runs that end and do not end with the line, and with wraps.
    fn pictures(bits: u16, columns: usize, rows: usize) -> Vec<Vec<u16>> {
        let largest = (1_u32 << bits) - 1;
        let at = |index: usize| (index % columns, index / columns);
        let mut noise = 12_345_u32;
        let mut random = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise >> 8
        };
        let indices = || 0..columns * rows;
        vec![
            indices().map(|_| (random() & largest) as u16).collect(),
            indices().map(|_| if random() % 40 == 0 { largest as u16 } else { 0 }).collect(),
            indices().map(|_| largest as u16).collect(),
            indices().map(|index| u16::from(at(index).0 * 2 > columns)).collect(),
            indices()
                .map(|index| ((at(index).0 * 37 + at(index).1 * 11) as u32 & largest) as u16)
                .collect(),
        ]
    }

    #[test]
    fn decoding_gives_every_value_back() {
        for bits in [2, 8, 12, 14, 16] {
            for (columns, rows) in [(1, 1), (1, 9), (64, 3), (131, 40)] {
                for values in pictures(bits, columns, rows) {
                    let stream = encode(&values, columns as u16, rows as u16, bits).unwrap();
                    let decoded = decode(&stream, columns, rows).unwrap();
                    assert!(decoded == values, "{bits} bits, {columns} × {rows}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert_eq!(encode(&[], 0, 0, 12), None);
        assert_eq!(encode(&[1, 2, 3], 2, 2, 12), None);
        assert_eq!(encode(&[1 << 12], 1, 1, 12), None);
        assert_eq!(encode(&[1], 1, 1, 17), None);
    }
}
