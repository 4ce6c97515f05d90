//! SiLU, and the gated GELU of transformer blocks.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::profile::timed;
use super::simd::{dispatch, erf, exp, sigmoid};
use super::view::{answer, element, slice, tensor_like, with_element, with_slice, written};

/// Values one task takes: small enough to share out, large enough to be worth a task.
const CHUNK: usize = 16 * 1024;

/// `x · sigmoid(x)`, elementwise.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if element(&[x]).is_some() {
        return x.contiguous()?.apply_op1(Silu);
    }
    candle_nn::ops::silu(x)
}

/// `a · GELU(b)` for `x` = `[…, a | b]` of width 2n to `[…, n]`, with the exact GELU
/// (GEGLU of Shazeer, arXiv 2002.05202).
///
/// # Errors
/// Where the last dimension is odd.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    if element(&[x]).is_some() {
        return x.contiguous()?.apply_op1(Geglu);
    }
    let halves = x.chunk(2, D::Minus1)?;
    &halves[0] * halves[1].gelu_erf()?
}

dispatch! {
    fn silu_forward<E>(x: &[E], out: &mut [E]) {
        for (out, x) in out.iter_mut().zip(x) {
            let x = x.single();
            *out = E::from_single(x * sigmoid(x));
        }
    }
}

dispatch! {
    fn silu_backward<E>(x: &[E], gradient: &[E], out: &mut [E]) {
        for ((out, x), gradient) in out.iter_mut().zip(x).zip(gradient) {
            let x = x.single();
            let s = sigmoid(x);
            *out = E::from_single(gradient.single() * s * (1.0 + x * (1.0 - s)));
        }
    }
}

/// Φ(x), the normal distribution.
#[inline(always)]
#[allow(clippy::inline_always)]
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

dispatch! {
    fn geglu_forward<E>(row: &[E], out: &mut [E]) {
        let (a, b) = row.split_at(out.len());
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            let b = b.single();
            *out = E::from_single(a.single() * b * normal(b));
        }
    }
}

dispatch! {
    fn geglu_backward<E>(row: &[E], gradient: &[E], out: &mut [E]) {
        const DENSITY: f32 = 0.398_942_3; // 1/√2π
        let n = gradient.len();
        let (a, b) = row.split_at(n);
        let (a_out, b_out) = out.split_at_mut(n);
        for i in 0..n {
            let (a, b, gradient) = (a[i].single(), b[i].single(), gradient[i].single());
            let distribution = normal(b);
            a_out[i] = E::from_single(gradient * b * distribution);
            let slope = distribution + b * DENSITY * exp(-0.5 * b * b);
            b_out[i] = E::from_single(gradient * a * slope);
        }
    }
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("silu", || {
            with_element!(storage.dtype(), E => {
                let x = slice::<E>(storage, layout)?;
                // SAFETY: every chunk is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(x.len(), |out| {
                        x.par_chunks(CHUNK).enumerate().for_each(|(index, x)| {
                            silu_forward(x, out.part(index * CHUNK, x.len()));
                        });
                    })
                };
                Ok(answer(out, layout.shape()))
            })
        })
    }

    fn bwd(&self, x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("silu backward", || {
            with_element!(x.dtype(), E => {
                let values = with_slice::<E, _>(x, |x| {
                    with_slice::<E, _>(gradient, |gradient| {
                        let mut out = vec![E::default(); x.len()];
                        out.par_chunks_mut(CHUNK)
                            .zip(x.par_chunks(CHUNK))
                            .zip(gradient.par_chunks(CHUNK))
                            .for_each(|((out, x), gradient)| silu_backward(x, gradient, out));
                        Ok(out)
                    })
                })?;
                Ok(Some(tensor_like(values, x)?))
            })
        })
    }
}

struct Geglu;

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("geglu", || {
            let mut dims = layout.dims().to_vec();
            let Some(width) = dims.last_mut().filter(|width| **width % 2 == 0 && **width > 0)
            else {
                bail!("GEGLU needs an even last dimension, not {:?}", layout.dims());
            };
            *width /= 2;
            let n = *width;
            with_element!(storage.dtype(), E => {
                let x = slice::<E>(storage, layout)?;
                // SAFETY: every row is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(x.len() / 2, |out| {
                        x.par_chunks(2 * n).enumerate().with_min_len(16).for_each(|(index, row)| {
                            geglu_forward(row, out.part(index * n, n));
                        });
                    })
                };
                Ok(answer(out, dims))
            })
        })
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("geglu backward", || {
            let n = result.dim(D::Minus1)?;
            with_element!(x.dtype(), E => {
                let values = with_slice::<E, _>(x, |x| {
                    with_slice::<E, _>(gradient, |gradient| {
                        let mut out = vec![E::default(); x.len()];
                        out.par_chunks_mut(2 * n)
                            .zip(x.par_chunks(2 * n))
                            .zip(gradient.par_chunks(n))
                            .with_min_len(16)
                            .for_each(|((out, row), gradient)| geglu_backward(row, gradient, out));
                        Ok(out)
                    })
                })?;
                Ok(Some(tensor_like(values, x)?))
            })
        })
    }
}
