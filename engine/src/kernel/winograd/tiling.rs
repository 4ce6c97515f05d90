//! Which pixels belong to which tile.

use super::{IN, OUT, POINTS, TAPS};
use crate::kernel::tile::{Element, LANES, ROWS};

/// Numbers between the starts of two points' matrices, beside the matrices themselves: were the distance a power of two,
/// all points would fall on the same lines of the cache.
const APART: usize = LANES;

/// Channels below which a direct convolution is as fast.
const NARROW: usize = 16;

/// A map `[batch, height, width, channels]` and the answers of a 3 × 3 convolution over it, cut into tiles of 4 × 4
/// answers.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernel) struct Tiling {
    pub(in crate::kernel) batch: usize,
    pub(in crate::kernel) height: usize,
    pub(in crate::kernel) width: usize,
    pub(in crate::kernel) channels: usize,
    pub(in crate::kernel) out_height: usize,
    pub(in crate::kernel) out_width: usize,
    /// Zeros around the map.
    pub(in crate::kernel) padding: usize,
}

impl Tiling {
    /// Tiles.
    pub(super) fn count(&self) -> usize {
        self.batch * self.down() * self.across()
    }

    fn down(&self) -> usize {
        self.out_height.div_ceil(OUT)
    }

    fn across(&self) -> usize {
        self.out_width.div_ceil(OUT)
    }

    /// Whether tiles cost less than a direct convolution, in which every answer is a row.
    pub(in crate::kernel) fn pays<E: Element>(&self) -> bool {
        // Of one image, so that its answers hang on none beside it.
        let direct = TAPS * TAPS * (self.out_height * self.out_width).next_multiple_of(ROWS);
        let tiled = POINTS * (self.down() * self.across()).next_multiple_of(ROWS);
        let whole = self.channels >= NARROW && self.channels.is_multiple_of(E::PER_STEP);
        whole && 3 * tiled < 2 * direct
    }

    /// Image, first row and first column of the answers of a tile.
    pub(super) fn place(&self, tile: usize) -> [usize; 3] {
        let (tile, column) = (tile / self.across(), tile % self.across());
        [tile / self.down(), tile % self.down() * OUT, column * OUT]
    }

    /// The channels of each pixel that a tile sees; `nothing` outside of the map.
    pub(super) fn pixels<'a, E: Element>(
        &self,
        map: &'a [E],
        tile: usize,
        nothing: &'a [E],
    ) -> [&'a [E]; POINTS] {
        let [image, row, column] = self.place(tile);
        std::array::from_fn(|place| {
            let y = (row + place / IN).wrapping_sub(self.padding);
            let x = (column + place % IN).wrapping_sub(self.padding);
            if y >= self.height || x >= self.width {
                return nothing;
            }
            let pixel = (image * self.height + y) * self.width + x;
            &map[pixel * self.channels..(pixel + 1) * self.channels]
        })
    }

    /// Calls `each` with the answers of a tile that lie inside: their place in the tile and their number.
    pub(super) fn answers(&self, tile: usize, mut each: impl FnMut(usize, usize)) {
        let [image, row, column] = self.place(tile);
        for y in 0..OUT.min(self.out_height - row) {
            for x in 0..OUT.min(self.out_width - column) {
                let answer = (image * self.out_height + row + y) * self.out_width + column + x;
                each(y * OUT + x, answer);
            }
        }
    }
}

/// Matrices `[rows, columns]`, one for each point, as they lie behind each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points {
    /// From a row to the next.
    pub(super) row: usize,
    /// From a point to the next.
    pub(super) point: usize,
}

impl Points {
    /// With room for whole vectors in each row.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let row = columns.next_multiple_of(LANES);
        Self { row, point: rows * row + APART }
    }

    /// Numbers that they fill.
    pub(super) fn length(&self) -> usize {
        POINTS * self.point
    }

    /// A slice for each point, of `numbers` that hold all of them.
    pub(super) fn split<'a>(&self, numbers: &'a mut [f32]) -> [&'a mut [f32]; POINTS] {
        let mut parts = numbers.chunks_exact_mut(self.point);
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }
}
