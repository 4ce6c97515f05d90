//! The gradients of attention: the weights are made anew, block by block, from the logarithms of their sums.

use std::ops::Range;

use rayon::prelude::*;

use super::heads::{KEYS, Sizes, add_mask, eight};
use super::panels::{Line, Split, columns_of_panels};
use super::product::{accumulate, accumulate_rows};
use super::scattered::Scattered;
use super::simd::{dispatch, exp2, sum};
use super::tile::{COLUMNS, LANES, ROWS, Tile};
use super::turn::{pack, turn};

dispatch! {
    /// Scores of keys, a row each, become weights; the weights' gradients become the scores', up to the scale.
    /// `spread` and `inner` are the queries' own.
    fn soften(
        scores: &mut [Tile],
        slopes: &mut [Tile],
        vectors: usize,
        scale: f32,
        spread: &[f32; COLUMNS],
        inner: &[f32; COLUMNS],
    ) {
        let (spread, inner) = (spread.as_chunks::<LANES>().0, inner.as_chunks::<LANES>().0);
        for (scores, slopes) in Tile::rows_mut(scores).iter_mut().zip(Tile::rows_mut(slopes)) {
            let scores = scores.as_chunks_mut::<LANES>().0[..vectors].iter_mut();
            let both = scores.zip(slopes.as_chunks_mut::<LANES>().0);
            for ((scores, slopes), (spread, inner)) in both.zip(spread.iter().zip(inner)) {
                for lane in 0..LANES {
                    let weight = exp2(scores[lane] * scale - spread[lane]);
                    scores[lane] = weight;
                    slopes[lane] = weight * (slopes[lane] - inner[lane]);
                }
            }
        }
    }
}

dispatch! {
    fn inner_product(left: &[f32], right: &[f32]) -> f32 {
        sum(left.len(), |i| left[i] * right[i])
    }
}

/// What the gradients are made of: queries, keys, values, the answer, and the answer's gradient.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) result: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) mask: Option<&'a [f32]>,
    /// The binary logarithms of the weights' sums, `[batch, heads, n]`.
    pub(super) spread: &'a [f32],
}

/// The gradients of queries, keys and values.
pub(super) fn backward(sizes: Sizes, known: Known) -> [Vec<f32>; 3] {
    let Sizes { batch, heads, n, m, .. } = sizes;
    let room = |length: usize| vec![0f32; batch * length * sizes.inner()];
    let (mut dq, mut dk, mut dv) = (room(n), room(m), room(m));
    let panels = sizes.panels();
    // SAFETY: the vectors live until all is written; a task writes the numbers of its own head alone.
    #[allow(unsafe_code)]
    unsafe {
        let [dq, dk, dv] =
            [&mut dq, &mut dk, &mut dv].map(|out| Scattered::of(out.as_mut_ptr(), out.len()));
        (0..batch * heads).into_par_iter().with_max_len(1).for_each_init(
            || Task::new(sizes),
            |task, index| {
                let at = [index / heads, index % heads];
                task.begin(sizes, at, known.k);
                for queries in &panels {
                    let rows = task.add(sizes, at, &known, queries.clone());
                    for (query, row) in queries.clone().zip(rows.chunks_exact(sizes.width)) {
                        let row = row.iter().map(|value| value * sizes.scale());
                        dq.put(sizes.place(n, at, query), row);
                    }
                }
                for (out, tiles, scale) in
                    [(&dk, &task.for_keys, sizes.scale()), (&dv, &task.for_values, 1.0)]
                {
                    for key in 0..m {
                        let tiles = &tiles[key / ROWS * task.columns.len()..];
                        for (tile, columns) in tiles.iter().zip(&task.columns) {
                            let values = &tile.0[key % ROWS][..columns.len()];
                            let place = sizes.place(m, at, key) + columns.start;
                            out.put(place, values.iter().map(|value| value * scale));
                        }
                    }
                }
            },
        );
    }
    [dq, dk, dv]
}

/// What a task keeps while it goes over the queries of a head, and from head to head.
struct Task {
    /// The columns of the width's panels.
    columns: Vec<Range<usize>>,
    /// From one query of `query_rows` to the next.
    stride: usize,
    /// The keys' transpose, `[width, m]`.
    turned: Vec<f32>,
    /// Up to 48 queries, and the gradients of what they saw, as right sides: `[width, queries]` …
    queries: Vec<Line>,
    gradients: Vec<Line>,
    /// … and `[queries, stride]`, with anything behind the width.
    query_rows: Vec<f32>,
    gradient_rows: Vec<f32>,
    /// A row for every key of a block.
    scores: Vec<Tile>,
    slopes: Vec<Tile>,
    /// A row for every place of the width.
    for_queries: Vec<Tile>,
    /// The same, a row for every query.
    rows: Vec<f32>,
    /// The sums of all keys: eight of them behind the other, a tile for each panel of the width.
    for_keys: Vec<Tile>,
    for_values: Vec<Tile>,
}

impl Task {
    fn new(sizes: Sizes) -> Self {
        let Sizes { m, width, .. } = sizes;
        let columns: Vec<_> = columns_of_panels(Split::Even, width).collect();
        let sums = vec![Tile::ZERO; m.div_ceil(ROWS) * columns.len()];
        let stride = width.next_multiple_of(LANES);
        Self {
            columns,
            stride,
            turned: vec![0.0; width * m],
            queries: Vec::new(),
            gradients: Vec::new(),
            query_rows: vec![0.0; COLUMNS * stride],
            gradient_rows: vec![0.0; COLUMNS * stride],
            scores: vec![Tile::ZERO; KEYS / ROWS],
            slopes: vec![Tile::ZERO; KEYS / ROWS],
            for_queries: vec![Tile::ZERO; width.div_ceil(ROWS)],
            rows: vec![0.0; COLUMNS * width],
            for_keys: sums.clone(),
            for_values: sums,
        }
    }

    /// Begins a head.
    fn begin(&mut self, sizes: Sizes, at: [usize; 2], k: &[f32]) {
        let m = sizes.m;
        turn(sizes.width, m, |key| sizes.head(k, m, at, key), &mut self.turned, m);
        self.for_keys.fill(Tile::ZERO);
        self.for_values.fill(Tile::ZERO);
    }

    /// Adds what `queries` give keys and values. What they get themselves, up to the scale, a row for each.
    fn add(
        &mut self,
        sizes: Sizes,
        at: [usize; 2],
        known: &Known,
        queries: Range<usize>,
    ) -> &[f32] {
        let Sizes { heads, n, m, width, .. } = sizes;
        let (length, vectors) = (queries.len(), queries.len().div_ceil(LANES));
        let query = |offset: usize| sizes.head(known.q, n, at, queries.start + offset);
        let gradient = |offset: usize| sizes.head(known.gradient, n, at, queries.start + offset);
        pack(width, length, query, &mut self.queries);
        pack(width, length, gradient, &mut self.gradients);
        let (mut spread, mut inner) = ([0f32; COLUMNS], [0f32; COLUMNS]);
        for offset in 0..length {
            let place = offset * self.stride..offset * self.stride + width;
            self.query_rows[place.clone()].copy_from_slice(query(offset));
            self.gradient_rows[place].copy_from_slice(gradient(offset));
            let at_query = queries.start + offset;
            spread[offset] = known.spread[(at[0] * heads + at[1]) * n + at_query];
            let result = sizes.head(known.result, n, at, at_query);
            inner[offset] = inner_product(result, gradient(offset));
        }
        self.for_queries.fill(Tile::ZERO);
        for first in (0..m).step_by(KEYS) {
            let last = (first + KEYS).min(m);
            let tiles = (last - first).div_ceil(ROWS);
            let (scores, slopes) = (&mut self.scores[..tiles], &mut self.slopes[..tiles]);
            let sides =
                [(known.k, &self.queries, &mut *scores), (known.v, &self.gradients, &mut *slopes)];
            for (left, right, tiles) in sides {
                for (tile, start) in tiles.iter_mut().zip((first..last).step_by(ROWS)) {
                    *tile = Tile::ZERO;
                    let rows = eight(start, last, |key| sizes.head(left, m, at, key));
                    accumulate(rows, right, vectors, tile);
                }
            }
            if let Some(mask) = known.mask {
                add_mask(scores, mask, m, sizes.scale(), queries.clone(), first..last);
            }
            soften(scores, slopes, vectors, sizes.binary_scale(), &spread, &inner);
            let sums = first / ROWS * self.columns.len()..;
            let sides = [
                (&*scores, &self.gradient_rows, &mut self.for_values[sums.clone()]),
                (&*slopes, &self.query_rows, &mut self.for_keys[sums]),
            ];
            for (left, right, sums) in sides {
                for (tile, sums) in left.iter().zip(sums.chunks_exact_mut(self.columns.len())) {
                    let rows = tile.0.each_ref().map(|row| &row[..length]);
                    for (columns, sums) in self.columns.iter().zip(sums) {
                        let (right, vectors) =
                            (&right[columns.start..], columns.len().div_ceil(LANES));
                        accumulate_rows(rows, right, length, self.stride, vectors, sums);
                    }
                }
            }
            let right = Tile::rows(slopes).as_flattened();
            for (index, sums) in self.for_queries.iter_mut().enumerate() {
                let place = |place: usize| &self.turned[place * m + first..place * m + last];
                let rows = eight(index * ROWS, width, place);
                accumulate_rows(rows, right, last - first, COLUMNS, vectors, sums);
            }
        }
        let sums = Tile::rows(&self.for_queries);
        turn(COLUMNS, width, |place| &sums[place], &mut self.rows, width);
        &self.rows
    }
}
