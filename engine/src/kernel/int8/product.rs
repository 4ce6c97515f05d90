//! Rows of bytes times panels of bytes.

use std::ops::Range;

use rayon::prelude::*;

use super::rows::Bytes;
use super::weight::{Int8, Panel};
use crate::kernel::isa::Isa;
use crate::kernel::scattered::Scattered;
use crate::kernel::tile::int8::{Left, accumulate};
use crate::kernel::tile::{ROWS, Tile};
use crate::kernel::view::written;

/// Bytes of a panel that are taken at a time: they stay in a core's own cache while rows go by.
const DEEPEST: usize = 256 << 10;
/// Rows that one task takes at most.
const TALLEST: usize = 768;

/// Which rows of the left side each row of the answer is made of.
pub(in crate::kernel) trait Places: Sync {
    /// Rows of the answer.
    fn answers(&self) -> usize;

    /// The row of the left side under `tap`; none where it lies outside of it.
    fn source(&self, row: usize, tap: usize) -> Option<usize>;
}

/// Each of so many rows by itself.
pub(in crate::kernel) struct Every(pub(in crate::kernel) usize);

impl Places for Every {
    fn answers(&self) -> usize {
        self.0
    }

    fn source(&self, row: usize, _tap: usize) -> Option<usize> {
        Some(row)
    }
}

/// `values` `[rows, in]`, of which `places` picks, times `right`, each row with `bias` added.
pub(in crate::kernel) fn product(
    values: &[f32],
    places: &impl Places,
    right: &Int8,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    product_on(Isa::best(), values, places, right, bias)
}

/// As [`product`], by the path of `isa`.
pub(in crate::kernel) fn product_on(
    isa: Isa,
    values: &[f32],
    places: &impl Places,
    right: &Int8,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (rows, columns, panels) = (places.answers(), right.scales.len(), right.panels.len());
    assert!(bias.is_none_or(|bias| bias.len() == columns), "the bias does not fit");
    let left = Bytes::new(values, right.dims()[1], right.form());
    let task = Task { isa, left: &left, places, right };
    // Enough tasks for every thread, each with rows enough to be worth the panel that it loads.
    let wanted = (rows * panels).div_ceil(4 * rayon::current_num_threads());
    let tall = wanted.next_multiple_of(ROWS).clamp(4 * ROWS, TALLEST);
    // SAFETY: every row of the answer belongs to one task of each panel, every column to one panel.
    #[allow(unsafe_code)]
    unsafe {
        written(rows * columns, |out: &Scattered<f32>| {
            (0..rows.div_ceil(tall) * panels).into_par_iter().with_max_len(1).for_each_init(
                Vec::new,
                |tiles, index| {
                    let (chunk, panel) = (index / panels, &right.panels[index % panels]);
                    let rows = chunk * tall..((chunk + 1) * tall).min(rows);
                    task.sum(rows.clone(), panel, tiles);
                    let columns = panel.columns.clone();
                    for (row, sums) in rows.zip(Tile::rows(tiles)) {
                        let scales = right.scales[columns.clone()].iter();
                        let values = sums.iter().zip(scales).map(|(sum, scale)| sum * scale);
                        let place = row * right.scales.len() + columns.start;
                        match bias {
                            Some(bias) => {
                                let bias = &bias[columns.clone()];
                                out.put(place, values.zip(bias).map(|(value, bias)| value + bias));
                            }
                            None => out.put(place, values),
                        }
                    }
                },
            );
        })
    }
}

struct Task<'a, P> {
    isa: Isa,
    left: &'a Bytes,
    places: &'a P,
    right: &'a Int8,
}

/// Some groups of a row under a tap.
struct Piece {
    tap: usize,
    groups: Range<usize>,
    /// The same in steps.
    steps: Range<usize>,
}

impl<P: Places> Task<'_, P> {
    /// The sums of `rows` with a panel, a tile for every eight, without the panel's scales.
    fn sum(&self, rows: Range<usize>, panel: &Panel, tiles: &mut Vec<Tile>) {
        tiles.clear();
        tiles.resize(rows.len().div_ceil(ROWS), Tile::ZERO);
        // As many groups as the cache has room for: some of a tap, or all of several.
        let (groups, taps) = (self.right.groups, self.right.taps());
        let per_step = self.right.form().per_step();
        let room = (DEEPEST / (groups.length * panel.width())).max(1);
        let each = room.min(groups.count());
        let pieces: Vec<Piece> = (0..taps)
            .flat_map(|tap| (0..groups.count()).step_by(each).map(move |first| (tap, first)))
            .map(|(tap, first)| {
                let part = first..(first + each).min(groups.count());
                let numbers = groups.numbers(part.clone());
                let steps = numbers.start / per_step..numbers.end / per_step;
                Piece { tap, groups: part, steps }
            })
            .collect();
        for pieces in pieces.chunks(room / each) {
            for (tile, row) in tiles.iter_mut().zip(rows.clone().step_by(ROWS)) {
                // What a row too many computes is thrown away: it is the last row once more.
                let eight = std::array::from_fn(|offset| (row + offset).min(rows.end - 1));
                for piece in pieces {
                    self.add(eight, panel, piece, tile);
                }
            }
        }
    }

    /// Adds a piece of eight rows to their tile.
    fn add(&self, rows: [usize; ROWS], panel: &Panel, piece: &Piece, tile: &mut Tile) {
        let Piece { tap, ref groups, ref steps } = *piece;
        let nothing = self.left.count;
        let sources = rows.map(|row| self.places.source(row, tap).unwrap_or(nothing));
        if sources == [nothing; ROWS] {
            return;
        }
        let left = Left {
            rows: sources.map(|row| self.left.steps(row, steps)),
            scales: sources.map(|row| self.left.scales(row, groups)),
        };
        let form = self.right.form();
        let length = self.right.groups.length / form.per_step();
        let panel = panel.part(self.right.groups, tap, groups.clone());
        accumulate((self.isa, form), length, left, panel, tile);
    }
}
