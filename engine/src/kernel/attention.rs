//! Attention without a stored matrix of scores (Dao et al., arXiv 2205.14135): keys go by in blocks, and the
//! softmax is corrected when a larger score comes.

use std::ops::Range;
use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::attention_backward::{Known, backward};
use super::flash::flash_attention;
use super::heads::{KEYS, Sizes, add_mask, eight};
use super::isa::Isa;
use super::panels::Line;
use super::product::{accumulate, accumulate_rows};
use super::profile::timed;
use super::scattered::Scattered;
use super::simd::{dispatch, exp2};
use super::softmax::softmax;
use super::tile::{COLUMNS, Element, LANES, ROWS, Tile};
use super::turn::{pack, turn};
use super::view::{
    answer, element, rounded, single, singles, slice, tensor_like, with_element, written,
};

/// Softmax attention of `q` `[batch, n, inner]` over `k` and `v` `[batch, m, inner]`, split into `heads`, with
/// `mask` `[n, m]` added to the scores (Vaswani et al., arXiv 1706.03762). The mask gets no gradient.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let ((batch, n, inner), (_, m, _)) = (q.dims3()?, k.dims3()?);
    let fits = k.dims() == [batch, m, inner] && v.dims() == k.dims();
    if !fits || heads == 0 || !inner.is_multiple_of(heads) || m == 0 {
        bail!("attention of {:?} over {:?} by {heads} heads", q.dims(), k.dims());
    }
    if mask.is_some_and(|mask| mask.dims() != [n, m]) {
        bail!("a mask for {n} queries and {m} keys has another shape");
    }
    if element(&[q, k, v]).is_some() && q.elem_count() > 0 {
        let op = Attention {
            sizes: Sizes { batch, heads, n, m, width: inner / heads },
            mask: mask.map(singles).transpose()?,
            spread: OnceLock::new(),
        };
        return q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op);
    }
    match flash_attention(q, k, v, heads, mask)? {
        Some(y) => Ok(y),
        None => composed(q, k, v, heads, mask),
    }
}

/// The same by candle's operations.
pub(super) fn composed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (batch, n, inner) = q.dims3()?;
    let width = inner / heads;
    let split = |x: &Tensor| -> Result<Tensor> {
        x.reshape((batch, x.dim(1)?, heads, width))?.transpose(1, 2)?.contiguous()
    };
    let (q, k, v) = (split(q)?, split(k)?, split(v)?);
    let mut scores = (q * (1.0 / (width as f64).sqrt()))?.matmul(&k.t()?)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(mask)?;
    }
    let y = softmax(&scores)?.matmul(&v)?;
    y.transpose(1, 2)?.reshape((batch, n, inner))
}

struct Attention {
    sizes: Sizes,
    mask: Option<Vec<f32>>,
    /// For each image, head and query, the binary logarithm of the sum that its weights were divided by: what the
    /// gradient needs to make the weights anew.
    spread: OnceLock<Vec<f32>>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        timed("attention", || {
            let (shape, mask) = (q_layout.shape(), self.mask.as_deref());
            with_element!(q.dtype(), E => {
                let q = slice::<E>(q, q_layout)?;
                let (k, v) = (slice::<E>(k, k_layout)?, slice::<E>(v, v_layout)?);
                // Numbers that the path multiplies, and heads of whole steps.
                let direct =
                    E::run(Isa::best()).is_some() && self.sizes.width.is_multiple_of(E::PER_STEP);
                let (y, spread) = if direct {
                    forward(self.sizes, q, k, v, mask)
                } else {
                    let (y, spread) = forward(self.sizes, &single(q), &single(k), &single(v), mask);
                    (rounded::<E>(y), spread)
                };
                // Two calls would write the same.
                let _ = self.spread.set(spread);
                Ok(answer(y, shape))
            })
        })
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        timed("attention backward", || {
            let Some(spread) = self.spread.get() else { bail!("attention was not computed") };
            let known = Known {
                q: &singles(q)?,
                k: &singles(k)?,
                v: &singles(v)?,
                result: &singles(result)?,
                gradient: &singles(gradient)?,
                mask: self.mask.as_deref(),
                spread,
            };
            let [dq, dk, dv] = backward(self.sizes, known);
            with_element!(q.dtype(), E => {
                let like = |values, x| tensor_like(rounded::<E>(values), x).map(Some);
                Ok((like(dq, q)?, like(dk, k)?, like(dv, v)?))
            })
        })
    }
}

dispatch! {
    /// Scores of `keys` keys, a row each, become weights, which are not divided yet. The state of the queries is their
    /// largest exponents, the sums of their weights so far, and what earlier sums have to be multiplied by; the answer,
    /// whether any has to.
    fn soften(
        scores: &mut [Tile],
        keys: usize,
        vectors: usize,
        scale: f32,
        state: [&mut [f32; COLUMNS]; 3],
    ) -> bool {
        let (rows, beyond) = Tile::rows_mut(scores).split_at_mut(keys);
        beyond.fill([0.0; COLUMNS]);
        let [largest, totals, corrections] = state.map(|state| state.as_chunks_mut::<LANES>().0);
        let mut moved = false;
        for vector in 0..vectors {
            let mut top = [f32::NEG_INFINITY; LANES];
            for row in rows.iter() {
                let part = row.as_chunks::<LANES>().0[vector];
                for lane in 0..LANES {
                    top[lane] = if top[lane] < part[lane] { part[lane] } else { top[lane] };
                }
            }
            let mut base = [0f32; LANES];
            for lane in 0..LANES {
                let before = largest[vector][lane];
                let top = before.max(top[lane] * scale);
                // Where everything was masked so far, nothing is added.
                base[lane] = if top == f32::NEG_INFINITY { 0.0 } else { top };
                moved |= before < top;
                corrections[vector][lane] = exp2(before - base[lane]);
                largest[vector][lane] = top;
            }
            let mut sums = [0f32; LANES];
            for row in rows.iter_mut() {
                let part = &mut row.as_chunks_mut::<LANES>().0[vector];
                for lane in 0..LANES {
                    let weight = exp2(part[lane] * scale - base[lane]);
                    part[lane] = weight;
                    sums[lane] += weight;
                }
            }
            for lane in 0..LANES {
                totals[vector][lane] = totals[vector][lane] * corrections[vector][lane] + sums[lane];
            }
        }
        moved
    }
}

dispatch! {
    /// Multiplies the columns of tiles by a factor each.
    fn multiply(tiles: &mut [Tile], factors: &[f32; COLUMNS]) {
        for row in Tile::rows_mut(tiles) {
            for (value, factor) in row.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

/// The answer `[batch, n, inner]`, and the binary logarithms of the sums `[batch, heads, n]`.
fn forward<E: Element>(
    sizes: Sizes,
    q: &[E],
    k: &[E],
    v: &[E],
    mask: Option<&[f32]>,
) -> (Vec<E>, Vec<f32>) {
    let Sizes { batch, heads, n, m, width } = sizes;
    // The values' transposes `[width, m]`, with zeros behind a row to whole steps.
    let stride = m.next_multiple_of(E::PER_STEP);
    let mut turned = vec![E::default(); batch * heads * width * stride];
    turned.par_chunks_mut((width * stride).max(1)).enumerate().for_each(|(index, out)| {
        let at = [index / heads, index % heads];
        turn(width, m, |key| sizes.head(v, m, at, key), out, stride);
    });
    let panels = sizes.panels();
    let mut spread = vec![0f32; batch * heads * n];
    // SAFETY: every query of every head is answered by one task, once.
    #[allow(unsafe_code)]
    let y = unsafe {
        written(batch * n * heads * width, |out| {
            let spread = Scattered::of(spread.as_mut_ptr(), spread.len());
            (0..batch * heads * panels.len()).into_par_iter().for_each_init(
                || Task::<E>::new(width),
                |task, index| {
                    let (index, queries) =
                        (index / panels.len(), panels[index % panels.len()].clone());
                    let at = [index / heads, index % heads];
                    let first = queries.start;
                    let query = |offset: usize| sizes.head(q, n, at, first + offset);
                    pack(width, queries.len(), query, &mut task.queries);
                    let values = &turned[index * width * stride..(index + 1) * width * stride];
                    let key = |key: usize| sizes.head(k, m, at, key);
                    let value = |place: usize| &values[place * stride..(place + 1) * stride];
                    task.attend(sizes, queries.clone(), key, value, mask);
                    let logarithms = task.largest.iter().zip(&task.totals);
                    let logarithms = logarithms.map(|(largest, total)| largest + total.log2());
                    spread.put(index * n + first, logarithms.take(queries.len()));
                    for (query, row) in queries.zip(task.finished(width).chunks_exact(width)) {
                        out.put(
                            sizes.place(n, at, query),
                            row.iter().map(|value| E::from_single(*value)),
                        );
                    }
                },
            );
        })
    };
    (y, spread)
}

/// What a task keeps while it goes from up to 48 queries to the next.
struct Task<E> {
    /// The queries as the right side of a product.
    queries: Vec<Line>,
    /// A row for every key.
    scores: Vec<Tile>,
    /// Weights in the numbers of the values.
    weights: Vec<E>,
    /// A row for every place of the width.
    sums: Vec<Tile>,
    /// The queries' answers, one behind the other.
    rows: Vec<f32>,
    largest: [f32; COLUMNS],
    totals: [f32; COLUMNS],
}

impl<E: Element> Task<E> {
    fn new(width: usize) -> Self {
        let weights = if E::PER_STEP == 1 { 0 } else { KEYS * COLUMNS };
        Self {
            queries: Vec::new(),
            scores: vec![Tile::ZERO; KEYS / ROWS],
            weights: vec![E::default(); weights],
            sums: vec![Tile::ZERO; width.div_ceil(ROWS)],
            rows: vec![0.0; COLUMNS * width],
            largest: [0.0; COLUMNS],
            totals: [0.0; COLUMNS],
        }
    }

    /// What `queries` see: `sums`, to be divided by `totals`.
    fn attend<'a>(
        &mut self,
        sizes: Sizes,
        queries: Range<usize>,
        key: impl Fn(usize) -> &'a [E],
        value: impl Fn(usize) -> &'a [E],
        mask: Option<&[f32]>,
    ) where
        E: 'a,
    {
        let Sizes { m, width, .. } = sizes;
        let vectors = queries.len().div_ceil(LANES);
        self.sums.fill(Tile::ZERO);
        self.largest = [f32::NEG_INFINITY; COLUMNS];
        self.totals = [0.0; COLUMNS];
        for first in (0..m).step_by(KEYS) {
            let last = (first + KEYS).min(m);
            let scores = &mut self.scores[..(last - first).div_ceil(ROWS)];
            for (tile, start) in scores.iter_mut().zip((first..last).step_by(ROWS)) {
                *tile = Tile::ZERO;
                accumulate(eight(start, last, &key), &self.queries, vectors, tile);
            }
            if let Some(mask) = mask {
                add_mask(scores, mask, m, sizes.scale(), queries.clone(), first..last);
            }
            let mut corrections = [1.0; COLUMNS];
            let state = [&mut self.largest, &mut self.totals, &mut corrections];
            let moved = soften(scores, last - first, vectors, sizes.binary_scale(), state);
            if moved && first > 0 {
                multiply(&mut self.sums, &corrections);
            }
            let weights = E::steps(Tile::rows(scores), &mut self.weights);
            let steps = (last - first).div_ceil(E::PER_STEP);
            for (index, sums) in self.sums.iter_mut().enumerate() {
                let rows = eight(index * ROWS, width, |place| &value(place)[first..]);
                accumulate_rows(rows, weights, steps, COLUMNS * E::PER_STEP, vectors, sums);
            }
        }
    }

    /// The answers, a row of `width` for every query.
    fn finished(&mut self, width: usize) -> &[f32] {
        multiply(&mut self.sums, &self.totals.map(|total| 1.0 / total));
        let rows = Tile::rows(&self.sums);
        turn(COLUMNS, width, |place| &rows[place], &mut self.rows, width);
        &self.rows
    }
}
