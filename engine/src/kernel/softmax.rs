//! Softmax over the last dimension.

use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::profile::timed;
use super::simd::{dispatch, exp, sum};
use super::view::{answer, on_cpu, slice, tensor_like, with_slice};

/// Softmax over the last dimension of `x`, of any shape; with its gradient, which candle's own
/// fast path drops in silence.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if on_cpu(&[x]) {
        return x.contiguous()?.apply_op1(Softmax);
    }
    if !x.track_op() && x.device().is_cuda() {
        // One pass, summed in f32; it has no gradient, and none is asked for.
        return candle_nn::ops::softmax_last_dim(&x.contiguous()?);
    }
    match x.dtype() {
        // A long sum in 16 bits loses its small terms.
        DType::BF16 | DType::F16 => {
            candle_nn::ops::softmax(&x.to_dtype(DType::F32)?, D::Minus1)?.to_dtype(x.dtype())
        }
        _ => candle_nn::ops::softmax(x, D::Minus1),
    }
}

dispatch! {
    fn forward(row: &[f32], out: &mut [f32]) {
        let mut largest = f32::NEG_INFINITY;
        for value in row {
            largest = largest.max(*value);
        }
        for (out, value) in out.iter_mut().zip(row) {
            *out = exp(value - largest);
        }
        let scale = 1.0 / sum(out.len(), |i| out[i]);
        for value in out.iter_mut() {
            *value *= scale;
        }
    }
}

dispatch! {
    fn backward(result: &[f32], gradient: &[f32], out: &mut [f32]) {
        let inner = sum(result.len(), |i| result[i] * gradient[i]);
        for i in 0..out.len() {
            out[i] = result[i] * (gradient[i] - inner);
        }
    }
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("softmax", || {
            let x = slice::<f32>(storage, layout)?;
            let width = layout.dims().last().copied().unwrap_or(1).max(1);
            let mut out = vec![0f32; x.len()];
            out.par_chunks_mut(width)
                .zip(x.par_chunks(width))
                .with_min_len(64)
                .for_each(|(out, row)| forward(row, out));
            Ok(answer(out, layout.shape()))
        })
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("softmax backward", || {
            let width = x.dim(D::Minus1)?.max(1);
            let values = with_slice::<f32, _>(result, |result| {
                with_slice::<f32, _>(gradient, |gradient| {
                    let mut out = vec![0f32; result.len()];
                    out.par_chunks_mut(width)
                        .zip(result.par_chunks(width))
                        .zip(gradient.par_chunks(width))
                        .with_min_len(64)
                        .for_each(|((out, result), gradient)| backward(result, gradient, out));
                    Ok(out)
                })
            })?;
            Ok(Some(tensor_like(values, x)?))
        })
    }
}
