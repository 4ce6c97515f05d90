//! JPEG-LS of one component, lossless and near-lossless (ITU-T T.87, ISO/IEC 14495-1).
//!
//! Our own: the libraries of it that are kept are in C++ and need a build of their own.

mod encode;

use super::marker::{Segments, short};

pub(super) use encode::encode;

/// The lengths of runs, by how well runs have gone (T.87 A.2.1).
const RUN_ORDERS: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];
/// Contexts of regular mode; two of run interruption come behind them.
const CONTEXTS: usize = 365;

/// What the scan is coded with (T.87 C.2.4.1, A.2).
#[derive(Debug)]
struct Parameters {
    largest: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    /// Bits of an error that is written out.
    error_bits: u32,
    limit: u32,
}

impl Parameters {
    fn new(largest: i32, near: i32, given: Option<[i32; 4]>) -> Option<Self> {
        if !(1..=0xFFFF).contains(&largest) || !(0..=255.min(largest / 2)).contains(&near) {
            return None;
        }
        // Zero means the default, as does the segment's absence.
        let [given @ .., reset] = given.unwrap_or_default();
        let mut thresholds = defaults(largest, near);
        for (threshold, given) in thresholds.iter_mut().zip(given) {
            if given != 0 {
                *threshold = given;
            }
        }
        let reset = if reset == 0 { 64 } else { reset };
        let ordered = near < thresholds[0] && thresholds.is_sorted() && thresholds[2] <= largest;
        if !ordered || reset < 3 {
            return None;
        }
        let range = (largest + 2 * near) / (2 * near + 1) + 1;
        let bits = |values: i32| 32 - ((values - 1) as u32).leading_zeros();
        let pixel_bits = bits(largest + 1).max(2);
        Some(Self {
            largest,
            near,
            thresholds,
            reset,
            range,
            error_bits: bits(range),
            limit: 2 * (pixel_bits + pixel_bits.max(8)),
        })
    }

    /// What is known of every context before the first value (A.2.1).
    fn contexts(&self) -> Vec<Context> {
        let sizes = ((self.range + 32) / 64).max(2);
        vec![Context { sizes, bias: 0, correction: 0, count: 1 }; CONTEXTS + 2]
    }

    /// A gradient's region, from −4 to 4 (A.3.3).
    fn region(&self, gradient: i32) -> i32 {
        let [first, second, third] = self.thresholds;
        let size = gradient.abs();
        let region = match size {
            _ if size <= self.near => 0,
            _ if size < first => 1,
            _ if size < second => 2,
            _ if size < third => 3,
            _ => 4,
        };
        region * gradient.signum()
    }

    /// The value that a prediction and a quantised error stand for (A.4.5).
    fn reconstructed(&self, prediction: i32, error: i32) -> u16 {
        let step = 2 * self.near + 1;
        let mut value = prediction + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.largest + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.largest) as u16
    }
}

/// Default thresholds (C.2.4.1.1.1).
fn defaults(largest: i32, near: i32) -> [i32; 3] {
    let clamp =
        |value: i32, least: i32| if value > largest || value < least { least } else { value };
    let [first, second, third] = if largest >= 128 {
        let factor = (largest.min(4095) + 128) / 256;
        [factor + 2 + 3 * near, factor * 4 + 3 + 5 * near, factor * 17 + 4 + 7 * near]
    } else {
        let factor = 256 / (largest + 1);
        [2.max(3 / factor + 3 * near), 3.max(7 / factor + 5 * near), 4.max(21 / factor + 7 * near)]
    };
    let first = clamp(first, near + 1);
    let second = clamp(second, first);
    [first, second, clamp(third, second)]
}

/// What has been learnt of a context (A.2.1). `bias` counts negative errors in run interruption.
#[derive(Clone, Copy)]
struct Context {
    sizes: i32,
    bias: i32,
    correction: i32,
    count: i32,
}

impl Context {
    /// The Golomb code's parameter (A.5.1).
    fn order(&self, sizes: i32) -> u32 {
        let mut order = 0;
        while self.count << order < sizes && order < 24 {
            order += 1;
        }
        order
    }

    /// Whether the signs of lossless errors are told the other way round (A.5.2).
    fn inverted(&self, order: u32) -> bool {
        order == 0 && 2 * self.bias <= -self.count
    }

    /// Learns from an error of regular mode (A.6).
    fn learn(&mut self, error: i32, parameters: &Parameters) {
        self.bias += error * (2 * parameters.near + 1);
        self.sizes += error.abs();
        if self.count == parameters.reset {
            self.sizes >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
    }

    /// The same of run interruption (A.7.2).
    fn interruption_order(&self, kind: i32) -> u32 {
        self.order(self.sizes + if kind == 1 { self.count >> 1 } else { 0 })
    }

    /// Learns from an error of run interruption (A.7.2).
    fn learn_interruption(&mut self, error: i32, coded: i32, kind: i32, reset: i32) {
        self.bias += i32::from(error < 0);
        self.sizes += (coded + 1 - kind) >> 1;
        if self.count == reset {
            self.sizes >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
    }
}

/// What the neighbours on the left, above and between them let expect (A.4.1).
fn edge([a, b, c]: [i32; 3]) -> i32 {
    if c >= a.max(b) {
        a.min(b)
    } else if c <= a.min(b) {
        a.max(b)
    } else {
        a + b - c
    }
}

/// The bits of the scan; behind a byte of ones the next one's highest bit is stuffing (A.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    held: u32,
    stuffed: bool,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.held <= 48 {
            // Zeros behind the end; whoever reads far into them is stopped by `bit`.
            let byte = match self.bytes.get(self.at) {
                Some(byte) if !(self.stuffed && *byte >= 0x80) => {
                    self.at += 1;
                    *byte
                }
                _ => return,
            };
            let width = if self.stuffed { 7 } else { 8 };
            self.buffer = self.buffer << width | u64::from(byte);
            self.held += width;
            self.stuffed = byte == 0xFF;
        }
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        if count == 0 {
            return Some(0);
        }
        if self.held < count {
            self.fill();
        }
        self.held = self.held.checked_sub(count)?;
        Some((self.buffer >> self.held) as u32 & ((1 << count) - 1))
    }

    /// A code of limited length (A.5.3).
    fn golomb(&mut self, order: u32, limit: u32, error_bits: u32) -> Option<i32> {
        let longest = limit.checked_sub(error_bits + 1)?;
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > longest {
                return None;
            }
        }
        let value = if zeros < longest {
            zeros << order | self.take(order)?
        } else {
            self.take(error_bits)? + 1
        };
        i32::try_from(value).ok()
    }
}

struct Scan<'a> {
    parameters: Parameters,
    bits: Bits<'a>,
    contexts: Vec<Context>,
    run_index: usize,
}

/// Decodes a stream of `columns × rows` values; `None` where it is damaged, of several components,
/// with restart intervals or with mapping tables.
pub(super) fn decode(stream: &[u8], columns: usize, rows: usize) -> Option<Vec<u16>> {
    let mut segments = Segments::new(stream);
    let mut bits_a_pixel = 0;
    let mut preset = None;
    let scan = loop {
        let (marker, body) = segments.next()?;
        match marker {
            0xF7 => bits_a_pixel = u32::from(*body.first()?),
            // Preset coding parameters (C.2.4.1.1).
            0xF8 if body.first() == Some(&1) => {
                let mut values = [0; 5];
                for (index, value) in values.iter_mut().enumerate() {
                    *value = i32::from(short(body, 1 + 2 * index)?);
                }
                preset = Some(values);
            }
            0xF8 | 0xDD => return None,
            0xDA => break body,
            _ => {}
        }
    };
    if !(2..=16).contains(&bits_a_pixel) || scan.first() != Some(&1) {
        return None;
    }
    let near = i32::from(*scan.get(3)?);
    let shift = u32::from(*scan.get(5)? & 0xF);
    let mut largest = (1 << bits_a_pixel) - 1;
    let mut given = None;
    if let Some([preset_largest, first, second, third, reset]) = preset {
        if preset_largest != 0 {
            largest = preset_largest;
        }
        given = Some([first, second, third, reset]);
    }
    let parameters = Parameters::new(largest, near, given)?;
    let mut scan = Scan {
        bits: Bits { bytes: segments.rest(), at: 0, buffer: 0, held: 0, stuffed: false },
        contexts: parameters.contexts(),
        run_index: 0,
        parameters,
    };
    let mut values = Vec::with_capacity(columns * rows);
    // One value more on either side: what the neighbours at the edges are taken for (A.2.1).
    let mut above = vec![0; columns + 2];
    let mut line = vec![0; columns + 2];
    for _ in 0..rows {
        line[0] = above[1];
        above[columns + 1] = above[columns];
        scan.line(&above, &mut line)?;
        values.extend(line[1..=columns].iter().map(|value| value << shift));
        std::mem::swap(&mut above, &mut line);
    }
    Some(values)
}

impl Scan<'_> {
    /// Decodes a line; both have a value more on either side.
    fn line(&mut self, above: &[u16], line: &mut [u16]) -> Option<()> {
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
                line[at] = self.regular(context, [a, b, c])?;
                at += 1;
            }
        }
        Some(())
    }

    /// A value of regular mode (A.4, A.5).
    fn regular(&mut self, signed_context: i32, [a, b, c]: [i32; 3]) -> Option<u16> {
        let parameters = &self.parameters;
        let sign = signed_context.signum();
        let context = self.contexts.get_mut(signed_context.unsigned_abs() as usize)?;
        let prediction = (edge([a, b, c]) + sign * context.correction).clamp(0, parameters.largest);
        let order = context.order(context.sizes);
        let coded = self.bits.golomb(order, parameters.limit, parameters.error_bits)?;
        let inverted = parameters.near == 0 && context.inverted(order);
        let error = match (inverted, coded % 2 == 0) {
            (false, true) | (true, false) => coded / 2,
            (false, false) | (true, true) => -(coded / 2) - 1,
        };
        context.learn(error, parameters);
        Some(parameters.reconstructed(prediction, sign * error))
    }

    /// A run, and the value that ends it unless the line does (A.7). Returns where to go on.
    fn run(&mut self, mut at: usize, above: &[u16], line: &mut [u16]) -> Option<usize> {
        let end = line.len() - 1;
        let value = line[at - 1];
        loop {
            let order = RUN_ORDERS[self.run_index];
            if self.bits.take(1)? == 0 {
                let length = self.bits.take(order)? as usize;
                line.get_mut(at..at + length).filter(|_| at + length < end)?.fill(value);
                at += length;
                break;
            }
            let length = (1 << order).min(end - at);
            line[at..at + length].fill(value);
            at += length;
            if length == 1 << order {
                self.run_index = (self.run_index + 1).min(RUN_ORDERS.len() - 1);
            }
            if at == end {
                return Some(end);
            }
        }
        line[at] = self.interruption(i32::from(value), i32::from(above[at]))?;
        self.run_index = self.run_index.saturating_sub(1);
        Some(at + 1)
    }

    fn interruption(&mut self, a: i32, b: i32) -> Option<u16> {
        let parameters = &self.parameters;
        let kind = i32::from((a - b).abs() <= parameters.near);
        let context = self.contexts.get_mut(CONTEXTS + kind as usize)?;
        let order = context.interruption_order(kind);
        let limit = parameters.limit - RUN_ORDERS[self.run_index] - 1;
        let coded = self.bits.golomb(order, limit, parameters.error_bits)?;
        let odd = (coded + kind) % 2 == 1;
        let size = (coded + kind + i32::from(odd)) / 2;
        let negative = (order != 0 || 2 * context.bias >= context.count) == odd;
        let error = if negative { -size } else { size };
        context.learn_interruption(error, coded, kind, parameters.reset);
        let (prediction, sign) = match kind {
            1 => (a, 1),
            _ => (b, if a > b { -1 } else { 1 }),
        };
        Some(parameters.reconstructed(prediction, sign * error))
    }
}
