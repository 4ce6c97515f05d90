//! The gradient of a weight: what came in, times the gradient of what went out, summed over all places.
//!
//! The sums are over thousands of places, and the matrices on both sides are as large as the maps. So nothing is packed:
//! the inputs are read as they lie, a run of pixels after the other.

use rayon::prelude::*;

use super::panels::{Split, columns_of_panels};
use super::product::accumulate_rows;
use super::scattered::Scattered;
use super::tile::{Element, LANES, ROWS, Tile};
use super::turn::turn;
use super::view::{single, written};

/// Places that lie behind each other on both sides: `length` answers from `answer` on, and their inputs from the number
/// `input` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) answer: usize,
    pub(super) input: usize,
    pub(super) length: usize,
}

/// The gradient of a weight `[out, in, taps]`, of inputs `x` with `input` channels, and `gradient` `[answers, out]`. For
/// each tap, `runs` says which inputs belong to which answers; from one input of a run to the next there are `stride`
/// numbers.
pub(super) fn weight_gradient<E: Element>(
    x: &[E],
    gradient: &[E],
    [output, input, taps]: [usize; 3],
    stride: usize,
    runs: impl Fn(usize) -> Vec<Run> + Sync,
) -> Vec<E> {
    let mut x = single(x);
    if !input.is_multiple_of(LANES) {
        // A vector reads on into the next pixel, and what that gives is thrown away; the last has none behind it.
        x.to_mut().extend([0.0; LANES]);
    }
    let turned = transposed(&single(gradient), output);
    let answers = turned.len() / output;
    let panels: Vec<_> = columns_of_panels(Split::Even, input).collect();
    let runs: Vec<Vec<Run>> = (0..taps).map(&runs).collect();
    // Every task has some rows of tiles, so that there are enough tasks, and their sums stay near.
    let tall = (output.div_ceil(ROWS) / rayon::current_num_threads()).clamp(1, 16) * ROWS;
    let tasks = taps * panels.len() * output.div_ceil(tall);
    // SAFETY: every task writes the numbers of its own tap, columns and rows, and together they are all.
    #[allow(unsafe_code)]
    let sums: Vec<f32> = unsafe {
        written(taps * output * input, |out: &Scattered<f32>| {
            (0..tasks).into_par_iter().with_max_len(1).for_each_init(Vec::new, |tiles, task| {
                let (tap, task) = (task % taps, task / taps);
                let (panel, first) = (&panels[task % panels.len()], task / panels.len() * tall);
                let last = (first + tall).min(output);
                tiles.clear();
                tiles.resize((last - first).div_ceil(ROWS), Tile::ZERO);
                for run in &runs[tap] {
                    let right = &x[run.input + panel.start..];
                    for (tile, row) in tiles.iter_mut().zip((first..last).step_by(ROWS)) {
                        let rows = std::array::from_fn(|offset| {
                            let start = (row + offset).min(last - 1) * answers + run.answer;
                            &turned[start..start + run.length]
                        });
                        let vectors = panel.len().div_ceil(LANES);
                        accumulate_rows(rows, right, run.length, stride, vectors, tile);
                    }
                }
                for (tile, row) in tiles.iter().zip((first..last).step_by(ROWS)) {
                    for (row, sums) in (row..last).zip(&tile.0) {
                        let place = (tap * output + row) * input + panel.start;
                        out.put(place, sums[..panel.len()].iter().copied());
                    }
                }
            });
        })
    };
    if taps == 1 {
        return sums.into_iter().map(E::from_single).collect();
    }
    // The taps of the kernel are the innermost of the weight.
    let mut out = vec![E::default(); sums.len()];
    out.par_chunks_mut(input * taps).enumerate().for_each(|(row, out)| {
        for (column, out) in out.chunks_exact_mut(taps).enumerate() {
            for (tap, out) in out.iter_mut().enumerate() {
                *out = E::from_single(sums[(tap * output + row) * input + column]);
            }
        }
    });
    out
}

/// `values` `[rows, columns]` as `[columns, rows]`.
pub(super) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    const SIDE: usize = 16;
    let rows = values.len() / columns.max(1);
    let mut out = vec![0f32; values.len()];
    out.par_chunks_mut((SIDE * rows).max(1)).enumerate().for_each(|(index, out)| {
        let first = index * SIDE;
        let row = |row| &values[row * columns + first..];
        turn(SIDE.min(columns - first), rows, row, out, rows);
    });
    out
}
