//! Attention without a stored matrix of scores (Dao et al., arXiv 2205.14135): keys go by in blocks, and the
//! softmax is corrected when a larger score comes.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

use super::attention_backward::backward;
use super::flash::flash_attention;
use super::heads::Sizes;
use super::isa::Isa;
use super::panels::{Panels, Right, Split};
use super::product::accumulate;
use super::profile::timed;
use super::simd::{dispatch, exp};
use super::softmax::softmax;
use super::tile::{COLUMNS, Element, ROWS, Tile};
use super::view::{answer, element, rounded, singles, slice, tensor_like, written};

/// Queries that one task takes.
const QUERIES: usize = 96;
/// Panels of keys that are scored at a time.
const PANELS: usize = 5;

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
    /// For each image, head and query, the logarithm of the sum that its weights were divided by: what the
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
            let direct = Isa::best() == Isa::Avx512Bf16 && self.sizes.width.is_multiple_of(2);
            let (answered, spread) = match q {
                CpuStorage::BF16(_) if direct => {
                    let q = slice::<bf16>(q, q_layout)?;
                    let (k, v) = (slice(k, k_layout)?, slice(v, v_layout)?);
                    let (y, spread) = forward(self.sizes, q, k, v, mask);
                    (answer(y, shape), spread)
                }
                CpuStorage::BF16(_) => {
                    let q = spread_out(slice(q, q_layout)?);
                    let (k, v) = (spread_out(slice(k, k_layout)?), spread_out(slice(v, v_layout)?));
                    let (y, spread) = forward(self.sizes, &q, &k, &v, mask);
                    (answer(rounded::<bf16>(y), shape), spread)
                }
                _ => {
                    let q = slice::<f32>(q, q_layout)?;
                    let (k, v) = (slice(k, k_layout)?, slice(v, v_layout)?);
                    let (y, spread) = forward(self.sizes, q, k, v, mask);
                    (answer(y, shape), spread)
                }
            };
            // Two calls would write the same.
            let _ = self.spread.set(spread);
            Ok(answered)
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
            let [dq, dk, dv] = backward(
                self.sizes,
                [&singles(q)?, &singles(k)?, &singles(v)?],
                &singles(result)?,
                &singles(gradient)?,
                self.mask.as_deref(),
                spread,
            );
            let like = |values: Vec<f32>, x: &Tensor| match x.dtype() {
                DType::BF16 => tensor_like(rounded::<bf16>(values), x),
                _ => tensor_like(values, x),
            };
            Ok((Some(like(dq, q)?), Some(like(dk, k)?), Some(like(dv, v)?)))
        })
    }
}

fn spread_out(values: &[bf16]) -> Vec<f32> {
    let mut out = vec![0f32; values.len()];
    bf16::spread(values, &mut out);
    out
}

/// Values that are taken together in a row of scores.
const WIDE: usize = 16;

/// The largest of `values`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn highest(mut values: [f32; WIDE]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            values[i] = values[i].max(values[i + half]);
        }
    }
    values[0]
}

dispatch! {
    /// Eight rows of scores of `keys` keys become weights, which are not divided yet. `largest` and `totals` are
    /// the rows' largest scores and the sums of their weights so far; `corrections` is what earlier sums have to
    /// be multiplied by.
    fn soften(
        scores: &mut [Tile],
        keys: usize,
        masks: [&[f32]; ROWS],
        scale: f32,
        largest: &mut [f32; ROWS],
        totals: &mut [f32; ROWS],
        corrections: &mut [f32; ROWS],
    ) {
        let width = scores.len() * COLUMNS;
        for row in 0..ROWS {
            // Keys that are none weigh nothing.
            for key in keys..width {
                scores[key / COLUMNS].0[row][key % COLUMNS] = f32::NEG_INFINITY;
            }
            if !masks[row].is_empty() {
                for (key, mask) in masks[row].iter().enumerate() {
                    scores[key / COLUMNS].0[row][key % COLUMNS] += mask / scale;
                }
            }
            let mut lanes = [f32::NEG_INFINITY; WIDE];
            for tile in scores.iter() {
                for part in tile.0[row].as_chunks::<WIDE>().0 {
                    for lane in 0..WIDE {
                        lanes[lane] = lanes[lane].max(part[lane]);
                    }
                }
            }
            let top = largest[row].max(highest(lanes) * scale);
            // Where everything was masked so far, nothing is added.
            let base = if top == f32::NEG_INFINITY { 0.0 } else { top };
            let mut sums = [0f32; WIDE];
            for tile in scores.iter_mut() {
                for part in tile.0[row].as_chunks_mut::<WIDE>().0 {
                    for lane in 0..WIDE {
                        let weight = exp(part[lane] * scale - base);
                        part[lane] = weight;
                        sums[lane] += weight;
                    }
                }
            }
            corrections[row] = exp(largest[row] - base);
            totals[row] = totals[row] * corrections[row] + sums.iter().sum::<f32>();
            largest[row] = top;
        }
    }
}

dispatch! {
    fn correct(sums: &mut [Tile], corrections: &[f32; ROWS]) {
        for tile in sums {
            for (row, factor) in tile.0.iter_mut().zip(corrections) {
                for value in row {
                    *value *= factor;
                }
            }
        }
    }
}

/// One head's keys and values in panels.
struct Seen<E> {
    /// `[width, m]`
    keys: Panels<E>,
    /// `[m, width]`
    values: Panels<E>,
}

/// The answer `[batch, n, inner]`, and the logarithms of the sums `[batch, heads, n]`.
fn forward<E: Element>(
    sizes: Sizes,
    q: &[E],
    k: &[E],
    v: &[E],
    mask: Option<&[f32]>,
) -> (Vec<E>, Vec<f32>) {
    let Sizes { batch, heads, n, m, width } = sizes;
    let seen: Vec<Seen<E>> = (0..batch * heads)
        .into_par_iter()
        .map(|index| {
            let at = [index / heads, index % heads];
            Seen {
                keys: Panels::new(Split::Full, m, width, |key, place| {
                    sizes.head(k, m, at, key)[place]
                }),
                values: Panels::of(Split::Full, width, m, |key| sizes.head(v, m, at, key)),
            }
        })
        .collect();
    let mut spread = vec![0f32; batch * heads * n];
    // SAFETY: every query of every head is answered by one task, once.
    #[allow(unsafe_code)]
    let y = unsafe {
        written(batch * n * heads * width, |out| {
            spread.par_chunks_mut(n).enumerate().for_each(|(index, spread)| {
                let at = [index / heads, index % heads];
                spread.par_chunks_mut(QUERIES).enumerate().for_each_init(
                    || Task::<E>::new(width, m),
                    |task, (chunk, spread)| {
                        for (tile, spread) in spread.chunks_mut(ROWS).enumerate() {
                            let first = chunk * QUERIES + tile * ROWS;
                            let last = first + spread.len();
                            let row = |offset: usize| {
                                sizes.head(q, n, at, (first + offset).min(last - 1))
                            };
                            let mask = |offset: usize| {
                                let query = (first + offset).min(last - 1);
                                mask.map_or(&[][..], |mask| &mask[query * m..(query + 1) * m])
                            };
                            task.attend(std::array::from_fn(row), mask, &seen[index], sizes);
                            for (offset, spread) in spread.iter_mut().enumerate() {
                                let place = (at[0] * n + first + offset) * heads + at[1];
                                let total = task.totals[offset];
                                *spread = task.largest[offset] + total.ln();
                                for (panel, tile) in task.sums.iter().enumerate() {
                                    let column = panel * COLUMNS;
                                    let sums = &tile.0[offset][..(width - column).min(COLUMNS)];
                                    let sums = sums.iter().map(|sum| E::from_single(sum / total));
                                    out.put(place * width + column, sums);
                                }
                            }
                        }
                    },
                );
            });
        })
    };
    (y, spread)
}

/// What a task keeps while it goes from eight queries to the next.
struct Task<E> {
    scores: Vec<Tile>,
    /// Weights in the numbers of the values.
    weights: Vec<E>,
    sums: Vec<Tile>,
    largest: [f32; ROWS],
    totals: [f32; ROWS],
}

impl<E: Element> Task<E> {
    fn new(width: usize, m: usize) -> Self {
        let panels = PANELS.min(m.div_ceil(COLUMNS));
        let weights = if E::PER_STEP == 1 { 0 } else { ROWS * COLUMNS };
        Self {
            scores: vec![Tile::ZERO; panels],
            weights: vec![E::default(); weights],
            sums: vec![Tile::ZERO; width.div_ceil(COLUMNS)],
            largest: [0.0; ROWS],
            totals: [0.0; ROWS],
        }
    }

    /// What eight queries see: `sums`, to be divided by `totals`.
    fn attend<'a>(
        &mut self,
        queries: [&[E]; ROWS],
        mask: impl Fn(usize) -> &'a [f32],
        seen: &Seen<E>,
        sizes: Sizes,
    ) {
        let (m, scale) = (sizes.m, sizes.scale());
        self.sums.fill(Tile::ZERO);
        self.largest = [f32::NEG_INFINITY; ROWS];
        self.totals = [0.0; ROWS];
        for first in (0..seen.keys.count()).step_by(PANELS) {
            let last = (first + PANELS).min(seen.keys.count());
            let scores = &mut self.scores[..last - first];
            for (panel, tile) in (first..last).zip(scores.iter_mut()) {
                *tile = Tile::ZERO;
                let lines = seen.keys.steps_from(panel, 0);
                accumulate(queries, lines, seen.keys.vectors(panel), tile);
            }
            let keys = |panel: usize| panel * COLUMNS..((panel + 1) * COLUMNS).min(m);
            let here = first * COLUMNS..(last * COLUMNS).min(m);
            let masks = std::array::from_fn(|row| mask(row).get(here.clone()).unwrap_or_default());
            let mut corrections = [1.0; ROWS];
            let (largest, totals) = (&mut self.largest, &mut self.totals);
            soften(scores, here.len(), masks, scale, largest, totals, &mut corrections);
            if first > 0 {
                correct(&mut self.sums, &corrections);
            }
            for (panel, tile) in (first..last).zip(self.scores.iter()) {
                let keys = keys(panel);
                let steps = keys.len().div_ceil(E::PER_STEP);
                let rows: [&[E]; ROWS] = E::weights(&tile.0, keys.len(), &mut self.weights);
                for (column, sums) in self.sums.iter_mut().enumerate() {
                    let vectors = seen.values.vectors(column);
                    let lines = seen.values.steps_from(column, keys.start / E::PER_STEP);
                    accumulate(rows, &lines[..steps * vectors], vectors, sums);
                }
            }
        }
    }
}
