//! Products with weights in eight bits, for serving.
//!
//! A weight is held in bytes, with a scale for each output ([`weight`]); what comes in is rounded to bytes on the fly,
//! each row by itself, with a scale for each [`group`](Groups) of its numbers ([`rows`]). Sums over a group are whole
//! numbers of 32 bits and exact, so that every path gives the same bits; groups are added up in single precision, always in
//! the same order ([`product`]). Nothing here has a gradient.

mod product;
mod rows;
mod weight;

use std::ops::Range;

#[cfg(test)]
pub(super) use product::product_on;
pub(super) use product::{Every, Places, product};
pub(super) use weight::Int8;

use super::tile::int8::Form;

/// The most numbers of a row that share a scale: the fewer, the nearer the largest of them is to the others, and the more
/// there is to do between sums.
const LONGEST: usize = 128;

/// How the numbers that lie together in a row – a pixel's channels – are cut into groups of about the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Groups {
    /// Numbers with zeros behind them, to whole steps of every path.
    run: usize,
    length: usize,
}

impl Groups {
    fn of(numbers: usize) -> Self {
        let run = numbers.next_multiple_of(4);
        let length = run.div_ceil(run.div_ceil(LONGEST).max(1)).next_multiple_of(4).max(4);
        Self { run, length }
    }

    fn count(self) -> usize {
        self.run.div_ceil(self.length)
    }

    /// The numbers of some groups.
    fn numbers(self, groups: Range<usize>) -> Range<usize> {
        groups.start * self.length..(groups.end * self.length).min(self.run)
    }
}

/// Whether a convolution of 3 × 3 goes by products of bytes where Winograd's tiles of f32 cost less than a direct one, a
/// quarter of its products. Products of bytes go four times as fast as those of f32 where the processor has an instruction
/// for them; in AVX2, which widens them, not twice as fast.
pub(super) fn beats_tiles(weight: &Int8) -> bool {
    match weight.form() {
        Form::Pairs => false,
        Form::Quads => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_number_once_and_are_whole_steps() {
        for numbers in 1..=300 {
            let groups = Groups::of(numbers);
            let ranges: Vec<_> =
                (0..groups.count()).map(|group| groups.numbers(group..group + 1)).collect();
            assert!(ranges.iter().all(|range| (1..=LONGEST).contains(&range.len())), "{numbers}");
            assert!(ranges.iter().all(|range| range.len().is_multiple_of(4)), "{numbers}");
            let all: Vec<usize> = ranges.into_iter().flatten().collect();
            assert_eq!(all, (0..numbers.next_multiple_of(4)).collect::<Vec<_>>());
        }
    }
}
