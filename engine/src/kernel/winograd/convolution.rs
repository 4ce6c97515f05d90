//! The convolution: pixels at the points, products, and back.

use std::ops::Range;

use rayon::prelude::*;

use super::tiling::{Points, Tiling};
use super::transform::{answers_of_points, kernels_at_points, pixels_at_points};
use super::{OUT, POINTS, TAPS};
use crate::kernel::panels::{Line, Right};
use crate::kernel::product::accumulate_rows;
use crate::kernel::scattered::Scattered;
use crate::kernel::scratch::with_scratch;
use crate::kernel::tile::{Element, LANES, ROWS, Tile};
use crate::kernel::view::written;

/// Numbers of pixels at the points that are made at a time: 16 MB, which stay in the last cache.
const SLAB: usize = 4 << 20;
/// Groups of eight tiles that a task takes, where there are as many: its weights are written in the points once for all.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// Channels whose weights are taken at a time: at all points, those of a panel fill 442 KB of a core's own cache.
const DEEPEST: usize = 64;

/// The convolution of `map` with the panels `[3 × 3 × channels, out]` and `bias`, to `[batch, out_height, out_width,
/// out]`.
pub(in crate::kernel) fn convolve<E: Element>(
    tiling: &Tiling,
    map: &[E],
    panels: &impl Right<E>,
    bias: Option<&[f32]>,
) -> Vec<E> {
    let columns = panels.columns();
    assert_eq!(panels.depth(), TAPS * TAPS * tiling.channels, "the weight does not fit the map");
    assert!(bias.is_none_or(|bias| bias.len() == columns), "the bias does not fit");
    let group = Points::new(ROWS, tiling.channels);
    let groups = tiling.count().div_ceil(ROWS);
    let slab = (SLAB / group.length()).clamp(1, groups);
    let nothing = vec![E::default(); tiling.channels];
    let answers = tiling.batch * tiling.out_height * tiling.out_width;
    // SAFETY: every answer belongs to one tile, every column to one panel, and each pair of them to one task.
    #[allow(unsafe_code)]
    unsafe {
        written(answers * columns, |out: &Scattered<E>| {
            with_scratch(slab * group.length(), |pixels| {
                for first in (0..groups).step_by(slab) {
                    let slab = first..(first + slab).min(groups);
                    let pixels = &mut pixels[..slab.len() * group.length()];
                    pixels.par_chunks_mut(group.length()).enumerate().for_each(|(index, out)| {
                        at_points(tiling, map, &nothing, first + index, out);
                    });
                    multiply(tiling, slab, pixels, panels, bias, out);
                }
            });
        })
    }
}

/// The pixels of a group of tiles at the points: for each point a row of channels for each tile.
fn at_points<E: Element>(tiling: &Tiling, map: &[E], nothing: &[E], group: usize, out: &mut [f32]) {
    let points = Points::new(ROWS, tiling.channels);
    let tiles = group * ROWS..((group + 1) * ROWS).min(tiling.count());
    for (row, tile) in tiles.enumerate() {
        let pixels = tiling.pixels(map, tile, nothing);
        let mut out = points.split(out).map(|out| &mut out[row * points.row..]);
        pixels_at_points(&pixels, tiling.channels, &mut out);
    }
}

/// The answers of the groups `slab` of tiles, whose `pixels` are at the points.
fn multiply<E: Element>(
    tiling: &Tiling,
    slab: Range<usize>,
    pixels: &[f32],
    panels: &impl Right<E>,
    bias: Option<&[f32]>,
    out: &Scattered<E>,
) {
    // Tasks enough for every thread.
    let wanted = (slab.len() * panels.count()).div_ceil(4 * rayon::current_num_threads());
    let share = wanted.clamp(FEWEST, MOST);
    let tasks = panels.count() * slab.len().div_ceil(share);
    let depth = tiling.channels.min(DEEPEST);
    (0..tasks).into_par_iter().with_max_len(1).for_each_init(Vec::new, |sums, task| {
        let (panel, first) = (task % panels.count(), task / panels.count() * share);
        let groups = first..(first + share).min(slab.len());
        let (columns, vectors) = (panels.columns_of(panel), panels.vectors(panel));
        with_scratch(Points::new(depth, vectors * LANES).length(), |weights| {
            // Where one block is all, its weights serve for group after group, whose sums stay near.
            let together = if depth == tiling.channels { FEWEST } else { share };
            for near in groups.clone().step_by(together) {
                let near = near..(near + together).min(groups.end);
                sums.clear();
                sums.resize(near.len() * POINTS, Tile::ZERO);
                for from in (0..tiling.channels).step_by(depth) {
                    let channels = from..(from + depth).min(tiling.channels);
                    if depth < tiling.channels || near.start == groups.start {
                        weights_at_points(
                            panels,
                            panel,
                            tiling.channels,
                            channels.clone(),
                            weights,
                        );
                    }
                    accumulate(tiling, pixels, near.clone(), (weights, vectors), channels, sums);
                }
                let tiles = slab.start + near.start..slab.start + near.end;
                for (group, sums) in tiles.zip(sums.chunks_exact(POINTS)) {
                    let out = (out, panels.columns());
                    store(tiling, group, sums, columns.clone(), bias, out);
                }
            }
        });
    });
}

/// Adds to `sums`, a tile for each point of each group, the products of `channels` with a panel of `weights`.
fn accumulate(
    tiling: &Tiling,
    pixels: &[f32],
    groups: Range<usize>,
    (weights, vectors): (&[f32], usize),
    channels: Range<usize>,
    sums: &mut [Tile],
) {
    let left = Points::new(ROWS, tiling.channels);
    let right = Points::new(channels.len(), vectors * LANES);
    for (point, weights) in weights.chunks_exact(right.point).take(POINTS).enumerate() {
        for (group, sums) in groups.clone().zip(sums.chunks_exact_mut(POINTS)) {
            let rows = &pixels[group * left.length() + point * left.point..];
            let rows: [&[f32]; ROWS] =
                std::array::from_fn(|row| &rows[row * left.row..][channels.clone()]);
            accumulate_rows(rows, weights, channels.len(), right.row, vectors, &mut sums[point]);
        }
    }
}

/// A panel's weights of `channels` at the points.
fn weights_at_points<E: Element>(
    panels: &impl Right<E>,
    panel: usize,
    depth: usize,
    channels: Range<usize>,
    out: &mut [f32],
) {
    let vectors = panels.vectors(panel);
    let points = Points::new(channels.len(), vectors * LANES);
    let mut out = points.split(out);
    let steps = |tap: usize| {
        let first = (tap * depth + channels.start) / E::PER_STEP;
        first..first + channels.len() / E::PER_STEP
    };
    let singles = |tap| E::singles(Line::numbers(panels.lines(panel, steps(tap))?));
    let taps: [Option<&[f32]>; TAPS * TAPS] = std::array::from_fn(singles);
    if taps[0].is_some() {
        return kernels_at_points(&taps.map(Option::unwrap_or_default), &mut out);
    }
    let length = channels.len() * points.row;
    with_scratch(taps.len() * length, |spread| {
        for (tap, spread) in spread.chunks_exact_mut(length).enumerate() {
            panels.write_single(panel, steps(tap), spread);
        }
        let taps = std::array::from_fn(|tap| &spread[tap * length..(tap + 1) * length]);
        kernels_at_points(&taps, &mut out);
    });
}

/// Writes a group's answers in `columns` of `width`.
fn store<E: Element>(
    tiling: &Tiling,
    group: usize,
    sums: &[Tile],
    columns: Range<usize>,
    bias: Option<&[f32]>,
    (out, width): (&Scattered<E>, usize),
) {
    let mut values = [[0.0; LANES]; OUT * OUT];
    let tiles = group * ROWS..((group + 1) * ROWS).min(tiling.count());
    for (row, tile) in tiles.enumerate() {
        for column in columns.clone().step_by(LANES) {
            let length = LANES.min(columns.end - column);
            answers_of_points(sums, row, column - columns.start, &mut values);
            if let Some(bias) = bias {
                let bias = &bias[column..column + length];
                for values in &mut values {
                    values.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
                }
            }
            tiling.answers(tile, |place, answer| {
                let values = values[place][..length].iter();
                // SAFETY: as `convolve` says.
                #[allow(unsafe_code)]
                unsafe {
                    out.put(answer * width + column, values.map(|value| E::from_single(*value)));
                }
            });
        }
    }
}
