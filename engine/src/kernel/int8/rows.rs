//! The left side of a product: rows that are rounded to bytes as they come.

use std::ops::Range;

use rayon::prelude::*;

use super::Groups;
use crate::kernel::simd::dispatch;
use crate::kernel::tile::int8::Form;

/// Rows that a task rounds: some hundred microseconds of work.
const TALL: usize = 32;
/// What is no larger anywhere counts as zero: the reciprocal of a scale must be finite.
const TINY: f32 = 1e-30;

/// Rows as steps of a path, each number in eight bits, with a scale for each group; and one row of zeros behind them, for
/// what lies outside of a map.
pub(super) struct Bytes {
    /// Rows, of which the next is that of zeros.
    pub(super) count: usize,
    /// Steps of a row.
    length: usize,
    /// Groups of a row.
    groups: usize,
    /// Four bytes a step.
    steps: Vec<u32>,
    /// For each row and group.
    scales: Vec<f32>,
}

impl Bytes {
    /// The rows of `values`, `numbers` long each.
    pub(super) fn new(values: &[f32], numbers: usize, form: Form) -> Self {
        let groups = Groups::of(numbers);
        let (rows, length) = (values.len() / numbers, groups.run / form.per_step());
        let mut steps = vec![word(form, [0; 4]); (rows + 1) * length];
        let mut scales = vec![0.0; (rows + 1) * groups.count()];
        values
            .par_chunks(TALL * numbers)
            .zip(steps.par_chunks_mut(TALL * length))
            .zip(scales.par_chunks_mut(TALL * groups.count()))
            .for_each(|((values, steps), scales)| {
                let rows = values.chunks_exact(numbers).zip(steps.chunks_exact_mut(length));
                for ((values, steps), scales) in rows.zip(scales.chunks_exact_mut(groups.count())) {
                    for (group, scale) in scales.iter_mut().enumerate() {
                        let range = groups.numbers(group..group + 1);
                        let values = &values[range.start..range.end.min(numbers)];
                        let each = form.per_step();
                        let steps = &mut steps[range.start / each..range.end / each];
                        *scale = match form {
                            Form::Pairs => round_to_pairs(values, steps),
                            Form::Quads => round_to_quads(values, steps),
                        };
                    }
                }
            });
        Self { count: rows, length, groups: groups.count(), steps, scales }
    }

    /// Some steps of a row.
    pub(super) fn steps(&self, row: usize, steps: &Range<usize>) -> &[u32] {
        let start = row * self.length;
        &self.steps[start + steps.start..start + steps.end]
    }

    /// What a byte of each of these groups of a row is worth.
    pub(super) fn scales(&self, row: usize, groups: &Range<usize>) -> &[f32] {
        let start = row * self.groups;
        &self.scales[start + groups.start..start + groups.end]
    }
}

/// A step of numbers between −127 and 127; of pairs, the first two.
#[inline(always)]
#[allow(clippy::inline_always)]
fn word(form: Form, numbers: [i32; 4]) -> u32 {
    match form {
        Form::Pairs => (numbers[0] as u32 & 0xffff) | ((numbers[1] as u32) << 16),
        Form::Quads => {
            let [a, b, c, d] = numbers.map(|number| (number + 128) as u32);
            a | b << 8 | c << 16 | d << 24
        }
    }
}

/// The scale of a group, and what makes bytes of its numbers. What is no number makes the scale none, so that every sum
/// over the group is none.
#[inline(always)]
#[allow(clippy::inline_always)]
fn scale_of(values: &[f32]) -> (f32, f32) {
    // By their bits, numbers without a sign are in order, and those that are none lie above all others.
    let mut lanes = [0u32; 16];
    let (whole, rest) = values.as_chunks::<16>();
    for values in whole {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = (*lane).max(value.to_bits() & 0x7fff_ffff);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = (*lane).max(value.to_bits() & 0x7fff_ffff);
    }
    let largest = f32::from_bits(lanes.into_iter().fold(0, u32::max));
    if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest < TINY {
        (0.0, 0.0)
    } else {
        (largest / 127.0, 127.0 / largest)
    }
}

/// The nearest whole number, ties to even.
#[inline(always)]
#[allow(clippy::inline_always)]
fn rounded(value: f32, inverse: f32) -> i32 {
    // Adding 1.5 × 2^23 leaves a whole number in the lowest bits, without a branch.
    const ROUND: f32 = 12_582_912.0;
    (value * inverse + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn round_to<const EACH: usize>(form: Form, values: &[f32], steps: &mut [u32]) -> f32 {
    let (scale, inverse) = scale_of(values);
    if inverse == 0.0 {
        steps.fill(word(form, [0; 4]));
        return scale;
    }
    let (whole, rest) = values.as_chunks::<EACH>();
    let (first, last) = steps.split_at_mut(whole.len());
    let step = |values: &[f32]| {
        let mut numbers = [0; 4];
        for (number, value) in numbers.iter_mut().zip(values) {
            *number = rounded(*value, inverse);
        }
        word(form, numbers)
    };
    for (out, values) in first.iter_mut().zip(whole) {
        *out = step(values);
    }
    last.fill(word(form, [0; 4]));
    if let Some(out) = last.first_mut() {
        *out = step(rest);
    }
    scale
}

dispatch! {
    /// Rounds a group to steps of two numbers, with zeros behind them; answers its scale.
    fn round_to_pairs(values: &[f32], steps: &mut [u32]) -> f32 {
        round_to::<2>(Form::Pairs, values, steps)
    }
}

dispatch! {
    /// As [`round_to_pairs`], to steps of four numbers.
    fn round_to_quads(values: &[f32], steps: &mut [u32]) -> f32 {
        round_to::<4>(Form::Quads, values, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(form: Form, numbers: &Range<usize>) -> Range<usize> {
        numbers.start / form.per_step()..numbers.end / form.per_step()
    }

    fn unpacked(form: Form, steps: &[u32]) -> Vec<i32> {
        let numbers = steps.iter().flat_map(|step| match form {
            Form::Pairs => vec![i32::from(*step as i16), i32::from((step >> 16) as i16)],
            Form::Quads => step.to_le_bytes().map(|byte| i32::from(byte) - 128).to_vec(),
        });
        numbers.collect()
    }

    #[test]
    fn a_row_is_rounded_group_by_group_to_the_nearest() {
        for form in [Form::Pairs, Form::Quads] {
            for numbers in [1, 2, 3, 16, 63, 64, 65, 70, 131] {
                let values: Vec<f32> = (0..3 * numbers)
                    .map(|index| ((index * 37 % 101) as f32 - 50.0) * 0.3)
                    .collect();
                let bytes = Bytes::new(&values, numbers, form);
                assert_eq!(bytes.count, 3);
                let groups = Groups::of(numbers);
                for row in 0..3 {
                    for group in 0..groups.count() {
                        let range = groups.numbers(group..group + 1);
                        let scale = bytes.scales(row, &(group..group + 1))[0];
                        let end = range.end.min(numbers);
                        let values = &values[row * numbers..][range.start..end];
                        let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
                        assert_eq!(scale.to_bits(), (largest / 127.0).to_bits());
                        let found = unpacked(form, bytes.steps(row, &steps(form, &range)));
                        assert_eq!(found.len(), range.len());
                        for (index, found) in found.iter().enumerate() {
                            let value = values.get(index).copied().unwrap_or(0.0);
                            let error = (*found as f32 * scale - value).abs();
                            assert!(error <= 0.5001 * scale && found.abs() <= 127, "{error}");
                        }
                    }
                }
                let nothing = unpacked(form, bytes.steps(3, &(0..bytes.length)));
                assert!(
                    nothing.iter().all(|number| *number == 0) && bytes.scales(3, &(0..1)) == [0.0]
                );
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none_and_what_is_hardly_one_is_zero() {
        for form in [Form::Pairs, Form::Quads] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = vec![1.0; 130];
                values[70] = bad;
                let bytes = Bytes::new(&values, 130, form);
                let scales = bytes.scales(0, &(0..2));
                assert!(scales[0].is_finite() && scales[1].is_nan());
            }
            let bytes = Bytes::new(&[1e-40, -1e-35, 0.0], 3, form);
            assert_eq!(bytes.scales(0, &(0..1)), [0.0]);
            assert!(
                unpacked(form, bytes.steps(0, &(0..bytes.length)))
                    .iter()
                    .all(|number| *number == 0)
            );
        }
    }
}
