//! The heads of an attention, where each finds its numbers, and how they are laid out for the products.
//!
//! A tile's rows are keys, or places of a head's width, and its columns are up to 48 queries. So the softmax of every
//! column is taken in vectors without a sum across one, both products are as wide as a tile can be, however narrow the
//! head, and what the first one gives is the right side of the second as it lies.

use std::ops::Range;

use super::panels::{Split, columns_of_panels};
use super::tile::{ROWS, Tile};

/// Keys that are scored at a time: their weights, with those of 48 queries' gradients, stay in the nearest cache.
pub(super) const KEYS: usize = 64;

/// The sizes of an attention: `n` queries and `m` keys, heads of `width`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) n: usize,
    pub(super) m: usize,
    pub(super) width: usize,
}

impl Sizes {
    pub(super) fn inner(&self) -> usize {
        self.heads * self.width
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// What a score is multiplied by to become the exponent of a power of 2.
    pub(super) fn binary_scale(&self) -> f32 {
        self.scale() * std::f32::consts::LOG2_E
    }

    /// The queries, those of a tile together: 48 wherever there are as many, for the AVX2 loop waits for its sums where
    /// a tile is two vectors wide.
    pub(super) fn panels(&self) -> Vec<Range<usize>> {
        columns_of_panels(Split::Full, self.n).collect()
    }

    /// Where the numbers of a query or a key begin that a head sees: `row` of `length` in image `batch`.
    pub(super) fn place(&self, length: usize, [batch, head]: [usize; 2], row: usize) -> usize {
        (batch * length + row) * self.inner() + head * self.width
    }

    /// The numbers of a query or a key that a head sees.
    pub(super) fn head<'a, E>(
        &self,
        x: &'a [E],
        length: usize,
        at: [usize; 2],
        row: usize,
    ) -> &'a [E] {
        let start = self.place(length, at, row);
        &x[start..start + self.width]
    }
}

/// Adds the mask `[n, m]` to the scores of `keys`, a row each, and `queries`, before they are scaled by `scale`.
pub(super) fn add_mask(
    scores: &mut [Tile],
    mask: &[f32],
    m: usize,
    scale: f32,
    queries: Range<usize>,
    keys: Range<usize>,
) {
    for (row, key) in Tile::rows_mut(scores).iter_mut().zip(keys) {
        for (score, query) in row.iter_mut().zip(queries.clone()) {
            *score += mask[query * m + key] / scale;
        }
    }
}

/// Rows of places or keys from `first` on; where there are fewer than `count`, the last once more: what it gives is
/// thrown away.
pub(super) fn eight<'a, E>(
    first: usize,
    count: usize,
    row: impl Fn(usize) -> &'a [E],
) -> [&'a [E]; ROWS] {
    std::array::from_fn(|offset| row((first + offset).min(count - 1)))
}
