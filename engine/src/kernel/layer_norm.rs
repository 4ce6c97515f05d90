//! Layer normalisation.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::profile::timed;
use super::simd::{dispatch, sum};
use super::tile::Element;
use super::view::{
    answer, element, rounded, slice, tensor_like, with_element, with_slice, written,
};

/// Rows that one task takes.
const ROWS: usize = 64;

/// Layer normalisation (Ba et al., arXiv 1607.06450) over the last dimension of `x`, with its gradient, which
/// candle's own fast path drops in silence.
///
/// # Errors
/// Where weight or bias do not have the width of `x`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if weight.elem_count() != width || bias.elem_count() != width {
        bail!("a layer norm of {} does not fit a width of {width}", weight.elem_count());
    }
    if element(&[x, weight, bias]).is_some() && x.elem_count() > 0 {
        let op = LayerNorm { epsilon: epsilon as f32 };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    if x.device().is_cuda() && ![x, weight, bias].into_iter().any(Tensor::track_op) {
        // One pass; it has no gradient, and none is asked for.
        let (x, weight, bias) = (x.contiguous()?, weight.contiguous()?, bias.contiguous()?);
        return candle_nn::ops::layer_norm(&x, &weight, &bias, epsilon as f32);
    }
    candle_nn::ops::layer_norm_slow(x, weight, bias, epsilon as f32)
}

struct LayerNorm {
    epsilon: f32,
}

/// Mean and 1/σ of a row.
#[inline(always)]
#[allow(clippy::inline_always)]
fn moments<E: Element>(x: &[E], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum(x.len(), |i| x[i].single()) / count;
    let variance = sum(x.len(), |i| (x[i].single() - mean) * (x[i].single() - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

dispatch! {
    fn forward<E>(x: &[E], weight: &[E], bias: &[E], epsilon: f32, out: &mut [E]) {
        let width = weight.len();
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = moments(x, epsilon);
            for i in 0..width {
                let normal = (x[i].single() - mean) * scale;
                out[i] = E::from_single(normal * weight[i].single() + bias[i].single());
            }
        }
    }
}

dispatch! {
    /// The input's gradient; those of weight and bias are added to `sums`.
    fn backward<E>(
        x: &[E],
        weight: &[E],
        gradient: &[E],
        epsilon: f32,
        out: &mut [E],
        sums: &mut [Vec<f32>; 2],
    ) {
        let width = weight.len();
        let [for_weight, for_bias] = sums;
        let mut falls = vec![0f32; width];
        for ((out, x), gradient) in
            out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(gradient.chunks_exact(width))
        {
            let (mean, scale) = moments(x, epsilon);
            for i in 0..width {
                let gradient = gradient[i].single();
                for_weight[i] += gradient * (x[i].single() - mean) * scale;
                for_bias[i] += gradient;
                falls[i] = gradient * weight[i].single();
            }
            let total = sum(width, |i| falls[i]) / width as f32;
            let along =
                sum(width, |i| falls[i] * (x[i].single() - mean) * scale) / width as f32;
            for i in 0..width {
                let normal = (x[i].single() - mean) * scale;
                out[i] = E::from_single(scale * (falls[i] - total - normal * along));
            }
        }
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        timed("layer_norm", || {
            with_element!(x.dtype(), E => {
                let (weight, bias) = (slice::<E>(weight, weight_layout)?, slice(bias, bias_layout)?);
                let x = slice::<E>(x, x_layout)?;
                let share = ROWS * weight.len();
                // SAFETY: every chunk of rows is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(x.len(), |out| {
                        x.par_chunks(share).enumerate().for_each(|(index, x)| {
                            let out = out.part(index * share, x.len());
                            forward(x, weight, bias, self.epsilon, out);
                        });
                    })
                };
                Ok(answer(out, x_layout.shape()))
            })
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        timed("layer_norm backward", || {
            let width = weight.elem_count();
            with_element!(x.dtype(), E => {
                let (for_x, sums) = with_slice::<E, _>(x, |x| {
                    with_slice::<E, _>(weight, |weight| {
                        with_slice::<E, _>(gradient, |gradient| {
                            let mut out = vec![E::default(); x.len()];
                            let share = ROWS * width;
                            let parts: Vec<[Vec<f32>; 2]> = out
                                .par_chunks_mut(share)
                                .zip(x.par_chunks(share))
                                .zip(gradient.par_chunks(share))
                                .map(|((out, x), gradient)| {
                                    let mut sums = [vec![0f32; width], vec![0f32; width]];
                                    backward(x, weight, gradient, self.epsilon, out, &mut sums);
                                    sums
                                })
                                .collect();
                            // In order, so that the sums hang on no thread.
                            let mut totals = [vec![0f32; width], vec![0f32; width]];
                            for (total, part) in
                                parts.iter().flat_map(|part| (0..2).map(move |i| (i, &part[i])))
                            {
                                totals[total].iter_mut().zip(part).for_each(|(total, x)| *total += x);
                            }
                            Ok((out, totals))
                        })
                    })
                })?;
                let [for_weight, for_bias] = sums;
                let like = |values: Vec<f32>, x: &Tensor| tensor_like(rounded::<E>(values), x);
                Ok((
                    x.track_op().then(|| tensor_like(for_x, x)).transpose()?,
                    weight.track_op().then(|| like(for_weight, weight)).transpose()?,
                    bias.track_op().then(|| like(for_bias, bias)).transpose()?,
                ))
            })
        })
    }
}
