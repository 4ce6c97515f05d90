//! The gradients of attention: the weights are made anew, block by block, from the logarithms of their sums.

use rayon::prelude::*;

use super::heads::Sizes;
use super::panels::{Panels, Right, Split};
use super::product::accumulate;
use super::simd::{dispatch, exp, sum};
use super::tile::{COLUMNS, ROWS, Tile};
use super::weight_gradient::transposed;

/// Queries and keys of a block.
const QUERIES: usize = 96;
const KEYS: usize = 192;

/// One head's matrices in panels: each as the right side of one of the products.
struct Head {
    /// `[width, m]`
    keys: Panels<f32>,
    values: Panels<f32>,
    /// `[m, width]`
    key_rows: Panels<f32>,
    /// `[n, width]`
    query_rows: Panels<f32>,
    gradient_rows: Panels<f32>,
}

dispatch! {
    /// A row of scores becomes one of weights, a row of the weights' gradient one of the scores'.
    fn soften(scores: &mut [f32], slopes: &mut [f32], mask: &[f32], scale: f32, spread: f32, inner: f32) {
        if mask.is_empty() {
            for score in scores.iter_mut() {
                *score = exp(*score * scale - spread);
            }
        } else {
            for (score, mask) in scores.iter_mut().zip(mask) {
                *score = exp(*score * scale + mask - spread);
            }
        }
        for (slope, weight) in slopes.iter_mut().zip(scores) {
            *slope = *weight * (*slope - inner) * scale;
        }
    }
}

dispatch! {
    fn inner_product(left: &[f32], right: &[f32]) -> f32 {
        sum(left.len(), |i| left[i] * right[i])
    }
}

/// The gradients of queries, keys and values.
pub(super) fn backward(
    sizes: Sizes,
    [q, k, v]: [&[f32]; 3],
    result: &[f32],
    gradient: &[f32],
    mask: Option<&[f32]>,
    spread: &[f32],
) -> [Vec<f32>; 3] {
    let Sizes { batch, heads, n, m, width } = sizes;
    let parts: Vec<[Vec<f32>; 3]> = (0..batch * heads)
        .into_par_iter()
        .map(|index| {
            let at = [index / heads, index % heads];
            let head = Head {
                keys: Panels::new(Split::Full, m, width, |key, place| {
                    sizes.head(k, m, at, key)[place]
                }),
                values: Panels::new(Split::Full, m, width, |key, place| {
                    sizes.head(v, m, at, key)[place]
                }),
                key_rows: Panels::of(Split::Full, width, m, |key| sizes.head(k, m, at, key)),
                query_rows: Panels::of(Split::Full, width, n, |query| sizes.head(q, n, at, query)),
                gradient_rows: Panels::of(Split::Full, width, n, |query| {
                    sizes.head(gradient, n, at, query)
                }),
            };
            let spread = &spread[index * n..(index + 1) * n];
            let inner: Vec<f32> = (0..n)
                .map(|query| {
                    inner_product(
                        sizes.head(result, n, at, query),
                        sizes.head(gradient, n, at, query),
                    )
                })
                .collect();
            head.backward(
                sizes,
                &|query| (sizes.head(q, n, at, query), sizes.head(gradient, n, at, query)),
                mask,
                spread,
                &inner,
            )
        })
        .collect();
    let gather = |which: usize, length: usize| {
        let mut out = vec![0f32; batch * length * heads * width];
        out.par_chunks_mut(heads * width).enumerate().for_each(|(row, out)| {
            let (image, row) = (row / length, row % length);
            for (head, out) in out.chunks_exact_mut(width).enumerate() {
                let part = &parts[image * heads + head][which];
                out.copy_from_slice(&part[row * width..(row + 1) * width]);
            }
        });
        out
    };
    [gather(0, n), gather(1, m), gather(2, m)]
}

impl Head {
    fn backward<'a>(
        &self,
        sizes: Sizes,
        query: &impl Fn(usize) -> (&'a [f32], &'a [f32]),
        mask: Option<&[f32]>,
        spread: &[f32],
        inner: &[f32],
    ) -> [Vec<f32>; 3] {
        let Sizes { n, m, width, .. } = sizes;
        let columns = width.div_ceil(COLUMNS);
        let mut for_keys = vec![Tile::ZERO; m.div_ceil(ROWS) * columns];
        let mut for_values = for_keys.clone();
        let mut for_queries = vec![0f32; n * width];
        let (mut weights, mut slopes) = (Vec::new(), Vec::new());
        for first in (0..n).step_by(QUERIES) {
            let last = (first + QUERIES).min(n);
            let mut sums = vec![Tile::ZERO; (last - first).div_ceil(ROWS) * columns];
            for key in (0..m).step_by(KEYS) {
                let keys = key..(key + KEYS).min(m);
                weights.clear();
                weights.resize((last - first) * keys.len(), 0f32);
                slopes.clear();
                slopes.resize(weights.len(), 0f32);
                for (tile, start) in (first..last).step_by(ROWS).enumerate() {
                    let rows: [_; ROWS] =
                        std::array::from_fn(|offset| query((start + offset).min(last - 1)));
                    for panel in keys.start / COLUMNS..keys.end.div_ceil(COLUMNS) {
                        let vectors = self.keys.vectors(panel);
                        let (mut scores, mut falls) = (Tile::ZERO, Tile::ZERO);
                        let lines = self.keys.steps_from(panel, 0);
                        accumulate(rows.map(|row| row.0), lines, vectors, &mut scores);
                        let lines = self.values.steps_from(panel, 0);
                        accumulate(rows.map(|row| row.1), lines, vectors, &mut falls);
                        let here = panel * COLUMNS..((panel + 1) * COLUMNS).min(keys.end);
                        for row in 0..ROWS.min(last - start) {
                            let place = (start - first + row) * keys.len() + here.start - key;
                            let (scores, falls) =
                                (&mut scores.0[row][..here.len()], &mut falls.0[row][..here.len()]);
                            let at = start + row;
                            let mask = mask.map_or(&[][..], |mask| {
                                &mask[at * m + here.start..at * m + here.end]
                            });
                            soften(scores, falls, mask, sizes.scale(), spread[at], inner[at]);
                            weights[place..place + here.len()].copy_from_slice(scores);
                            slopes[place..place + here.len()].copy_from_slice(falls);
                        }
                    }
                    let rows: [&[f32]; ROWS] = std::array::from_fn(|offset| {
                        let row = (start + offset).min(last - 1) - first;
                        &slopes[row * keys.len()..(row + 1) * keys.len()]
                    });
                    for column in 0..columns {
                        let vectors = self.key_rows.vectors(column);
                        let lines = self.key_rows.steps_from(column, keys.start);
                        let lines = &lines[..keys.len() * vectors];
                        accumulate(rows, lines, vectors, &mut sums[tile * columns + column]);
                    }
                }
                // What keys and values get of these queries.
                let both = [
                    (&weights, &self.gradient_rows, &mut for_values),
                    (&slopes, &self.query_rows, &mut for_keys),
                ];
                for (left, right, sums) in both {
                    let (turned, length) = (transposed(left, keys.len()), last - first);
                    for start in keys.clone().step_by(ROWS) {
                        let rows: [&[f32]; ROWS] = std::array::from_fn(|offset| {
                            let row = (start + offset).min(keys.end - 1) - key;
                            &turned[row * length..(row + 1) * length]
                        });
                        for column in 0..columns {
                            let vectors = right.vectors(column);
                            let lines = &right.steps_from(column, first)[..length * vectors];
                            let tile = &mut sums[start / ROWS * columns + column];
                            accumulate(rows, lines, vectors, tile);
                        }
                    }
                }
            }
            let rows = &mut for_queries[first * width..last * width];
            write_out(&sums, rows, width);
        }
        let finished = |tiles: &[Tile]| {
            let mut out = vec![0f32; m * width];
            write_out(tiles, &mut out, width);
            out
        };
        [for_queries, finished(&for_keys), finished(&for_values)]
    }
}

/// Tiles, the panels of eight rows behind each other, as rows of `width`.
fn write_out(tiles: &[Tile], rows: &mut [f32], width: usize) {
    let columns = width.div_ceil(COLUMNS);
    for (index, row) in rows.chunks_exact_mut(width).enumerate() {
        for (column, row) in row.chunks_mut(COLUMNS).enumerate() {
            let tile = &tiles[index / ROWS * columns + column];
            row.copy_from_slice(&tile.0[index % ROWS][..row.len()]);
        }
    }
}
