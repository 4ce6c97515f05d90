//! A product of few rows with a frozen weight the other way round, as gradients want it.
//!
//! Its right side would be the weight's panels turned ([`super::panels::Turned`]), and for few rows to turn a number costs
//! as much as what is then multiplied with it. So the rows are turned in its place: the panels' steps, which lie in memory as
//! the rows of a product, are the left side, and what comes out is turned back.

use std::ops::Range;

use rayon::prelude::*;

use super::panels::{Panels, Right, Split, columns_of_panels};
use super::product::{Rows, accumulate_rows};
use super::scattered::Scattered;
use super::tile::{Element, LANES, ROWS, Tile};
use super::turn::turn;
use super::view::written;

/// Rows up to which the weight is not turned.
const FEW: usize = 64;
/// Channels that one task takes at most: as much of a panel lies together.
const TALLEST: usize = 64;

/// Up to 48 rows, turned.
struct Side<E> {
    rows: Range<usize>,
    vectors: usize,
    /// `[depth, 16 × vectors]`.
    numbers: Vec<E>,
}

impl<E: Element> Side<E> {
    fn of(left: &impl Rows<E>, rows: Range<usize>) -> Self {
        let (run, vectors) = (left.run(), rows.len().div_ceil(LANES));
        let width = vectors * LANES;
        let mut numbers = vec![E::default(); left.runs() * run * width];
        numbers.par_chunks_mut((run * width).max(1)).enumerate().for_each(|(index, out)| {
            turn(run, rows.len(), |row| left.get(rows.start + row, index), out, width);
        });
        Self { rows, vectors, numbers }
    }
}

/// Whether so many rows go this way: a step must be one number, for its columns to lie behind each other.
pub(super) fn pays<E: Element>(rows: usize) -> bool {
    E::PER_STEP == 1 && rows <= FEW
}

/// `left × weightᵀ`: rows of `taps` runs of `out` numbers, with the weight `[taps × in, out]` whose taps are turned by half a
/// turn, to rows of `in` numbers.
pub(super) fn times_turned<E: Element>(
    left: &impl Rows<E>,
    weight: &Panels<E>,
    taps: usize,
) -> Vec<E> {
    let (rows, output, input) = (left.count(), weight.columns(), weight.depth() / taps);
    let fits = left.runs() == taps && left.run() == output;
    assert!(fits && E::PER_STEP == 1, "the matrices do not fit together");
    let sides: Vec<Side<E>> =
        columns_of_panels(Split::Even, rows).map(|rows| Side::of(left, rows)).collect();
    let panels: Vec<Range<usize>> = columns_of_panels(Split::Even, output).collect();
    let wanted = input.div_ceil(4 * rayon::current_num_threads());
    let tall = wanted.next_multiple_of(ROWS).min(TALLEST);
    // SAFETY: every task writes its own channels of every row, and together they are all.
    #[allow(unsafe_code)]
    unsafe {
        written(rows * input, |out: &Scattered<E>| {
            (0..input.div_ceil(tall)).into_par_iter().with_max_len(1).for_each_init(
                Vec::new,
                |tiles, task| {
                    let channels = task * tall..((task + 1) * tall).min(input);
                    let blocks = channels.len().div_ceil(ROWS);
                    tiles.clear();
                    tiles.resize(blocks * sides.len(), Tile::ZERO);
                    for tap in 0..taps {
                        for (index, columns) in panels.iter().enumerate() {
                            let first = tap * input + channels.start;
                            let steps = weight.steps_of(index, first..first + channels.len());
                            let place = (taps - 1 - tap) * output + columns.start;
                            add(&sides, steps, columns.len(), place, tiles);
                        }
                    }
                    for (number, side) in sides.iter().enumerate() {
                        for block in 0..blocks {
                            let tile = &tiles[number * blocks + block].0;
                            let first = channels.start + block * ROWS;
                            let length = ROWS.min(channels.end - first);
                            for (column, row) in side.rows.clone().enumerate() {
                                let sums =
                                    tile[..length].iter().map(|sums| E::from_single(sums[column]));
                                out.put(row * input + first, sums);
                            }
                        }
                    }
                },
            );
        })
    }
}

/// Adds the products of a panel's `steps`, a channel each of `columns` numbers, with the turned rows' numbers from `place`
/// on.
fn add<E: Element>(
    sides: &[Side<E>],
    (numbers, stride): (&[E], usize),
    columns: usize,
    place: usize,
    tiles: &mut [Tile],
) {
    let blocks = tiles.len() / sides.len();
    for (side, tiles) in sides.iter().zip(tiles.chunks_exact_mut(blocks)) {
        let width = side.vectors * LANES;
        let right = &side.numbers[place * width..(place + columns) * width];
        for (tile, eight) in tiles.iter_mut().zip(numbers.chunks(ROWS * stride)) {
            // What a channel too many computes is thrown away: it is the last once more.
            let last = eight.len() / stride - 1;
            let left = std::array::from_fn(|row| &eight[row.min(last) * stride..][..columns]);
            accumulate_rows(left, right, columns, width, side.vectors, tile);
        }
    }
}
