//! The gradient of the weight: at the points, it is the gradient of the answers times the pixels, summed over all tiles.

use rayon::prelude::*;

use super::tiling::{Points, Tiling};
use super::transform::{Lanes, ZERO, gradients_at_points, kernels_of_points, pixels_at_points};
use super::{OUT, POINTS, TAPS};
use crate::kernel::panels::{Split, columns_of_panels};
use crate::kernel::product::accumulate_rows;
use crate::kernel::scattered::Scattered;
use crate::kernel::scratch::with_scratch;
use crate::kernel::tile::{Element, LANES, ROWS, Tile};
use crate::kernel::view::rounded;

/// Numbers at the points that are made at a time: 64 MB.
const SLAB: usize = 16 << 20;
/// Tiles that are summed at a time: their pixels of a panel at one point stay in a core's own cache.
const DEEPEST: usize = 512;
/// Eights of answers' channels that a task takes at most.
const TALLEST: usize = 16;

/// The gradient of a weight `[out, in, 3, 3]` of `map`, and of the answers' `gradient` `[batch, out_height, out_width,
/// output]`.
pub(in crate::kernel) fn gradient_of_weight<E: Element>(
    tiling: &Tiling,
    map: &[E],
    gradient: &[E],
    output: usize,
) -> Vec<E> {
    let input = tiling.channels;
    let tiles = tiling.count();
    let slab = (SLAB / (POINTS * (input + output))).max(1).next_multiple_of(LANES).min(tiles);
    let mut sums = vec![0f32; output * input * TAPS * TAPS];
    let (right, left) = (Points::new(slab, input), Points::new(output, slab));
    with_scratch(right.length() + left.length(), |scratch| {
        let (pixels, gradients) = scratch.split_at_mut(right.length());
        for first in (0..tiles).step_by(slab) {
            let slab = slab.min(tiles - first);
            let at = At { tiling, first, slab };
            at.pixels(map, right, pixels);
            at.gradients(gradient, output, left, gradients);
            add_products((left, gradients), (right, pixels), slab, [output, input], &mut sums);
        }
    });
    rounded(sums)
}

/// Some tiles, those from `first` on.
struct At<'a> {
    tiling: &'a Tiling,
    first: usize,
    slab: usize,
}

impl At<'_> {
    /// The map at the points: a row of channels for each tile.
    fn pixels<E: Element>(&self, map: &[E], points: Points, out: &mut [f32]) {
        let channels = self.tiling.channels;
        let nothing = vec![E::default(); channels];
        let out = Scattered::new(out);
        (0..self.slab).into_par_iter().with_min_len(ROWS).for_each(|row| {
            let pixels = self.tiling.pixels(map, self.first + row, &nothing);
            let mut out = std::array::from_fn(|point| {
                // SAFETY: every tile has a row of its own at each point.
                #[allow(unsafe_code)]
                unsafe {
                    out.part(point * points.point + row * points.row, points.row)
                }
            });
            pixels_at_points(&pixels, channels, &mut out);
        });
    }

    /// The gradients of the answers at the points: a row of tiles for each channel.
    fn gradients<E: Element>(
        &self,
        gradient: &[E],
        channels: usize,
        points: Points,
        out: &mut [f32],
    ) {
        let out = Scattered::new(out);
        let tasks = self.slab.div_ceil(LANES) * channels.div_ceil(LANES);
        (0..tasks).into_par_iter().for_each(|task| {
            let (tiles, channel) =
                (task / channels.div_ceil(LANES), task % channels.div_ceil(LANES));
            let (tiles, channel) = (tiles * LANES, channel * LANES);
            let length = LANES.min(channels - channel);
            // The tiles become lanes.
            let mut answers = [[ZERO; OUT * OUT]; LANES];
            for lane in 0..LANES.min(self.slab - tiles) {
                self.tiling.answers(self.first + tiles + lane, |place, answer| {
                    let values = &gradient[answer * channels + channel..][..length];
                    for (answers, value) in answers.iter_mut().zip(values) {
                        answers[place][lane] = value.single();
                    }
                });
            }
            let mut values: [Lanes; POINTS] = [ZERO; POINTS];
            for (offset, answers) in answers[..length].iter().enumerate() {
                gradients_at_points(answers, &mut values);
                for (point, values) in values.iter().enumerate() {
                    let start = point * points.point + (channel + offset) * points.row + tiles;
                    // SAFETY: every task has its own channels and tiles.
                    #[allow(unsafe_code)]
                    unsafe {
                        out.put(start, values.iter().copied());
                    }
                }
            }
        });
    }
}

/// Adds to `sums` `[out, in, 3, 3]` the products of `gradients`, a row for each output, with `pixels`, a row for each of
/// `tiles`.
fn add_products(
    (left, gradients): (Points, &[f32]),
    (right, pixels): (Points, &[f32]),
    tiles: usize,
    [output, input]: [usize; 2],
    sums: &mut [f32],
) {
    let panels: Vec<_> = columns_of_panels(Split::Even, input).collect();
    // Every task has some rows of tiles, so that there are enough tasks, and their sums stay near.
    let eights = output.div_ceil(ROWS);
    let tall = (eights * panels.len()).div_ceil(4 * rayon::current_num_threads());
    let tall = tall.clamp(1, TALLEST.min(eights)) * ROWS;
    let sums = Scattered::new(sums);
    let tasks = panels.len() * output.div_ceil(tall);
    (0..tasks).into_par_iter().with_max_len(1).for_each_init(Vec::new, |products, task| {
        let (panel, first) = (&panels[task % panels.len()], task / panels.len() * tall);
        let last = (first + tall).min(output);
        let vectors = panel.len().div_ceil(LANES);
        products.clear();
        products.resize((last - first).div_ceil(ROWS) * POINTS, Tile::ZERO);
        for point in 0..POINTS {
            for from in (0..tiles).step_by(DEEPEST) {
                let steps = DEEPEST.min(tiles - from);
                let pixels = &pixels[point * right.point + from * right.row + panel.start..];
                for (index, row) in (first..last).step_by(ROWS).enumerate() {
                    let rows: [&[f32]; ROWS] = std::array::from_fn(|offset| {
                        let row = (row + offset).min(last - 1);
                        &gradients[point * left.point + row * left.row + from..][..steps]
                    });
                    let tile = &mut products[index * POINTS + point];
                    accumulate_rows(rows, pixels, steps, right.row, vectors, tile);
                }
            }
        }
        let mut kernels = [ZERO; TAPS * TAPS];
        for (row, products) in (first..last).step_by(ROWS).zip(products.chunks_exact(POINTS)) {
            for offset in 0..ROWS.min(last - row) {
                for column in panel.clone().step_by(LANES) {
                    kernels_of_points(products, offset, column - panel.start, &mut kernels);
                    let length = LANES.min(panel.end - column);
                    let start = ((row + offset) * input + column) * kernels.len();
                    // SAFETY: every task has its own outputs and inputs.
                    #[allow(unsafe_code)]
                    let sums = unsafe { sums.part(start, length * kernels.len()) };
                    for (lane, sums) in sums.chunks_exact_mut(kernels.len()).enumerate() {
                        for (sum, kernel) in sums.iter_mut().zip(&kernels) {
                            *sum += kernel[lane];
                        }
                    }
                }
            }
        }
    });
}
