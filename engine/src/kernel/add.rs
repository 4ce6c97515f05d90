//! Sums of maps: a residual, and a shift of every channel.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::linear::column_sums;
use super::profile::timed;
use super::simd::dispatch;
use super::view::{
    answer, element, rounded, slice, tensor_like, with_element, with_slice, written,
};

/// Values one task takes.
const CHUNK: usize = 32 * 1024;

/// `x + y`, of one shape.
///
/// # Errors
/// Where the shapes differ.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.dims() == y.dims() && element(&[x, y]).is_some() {
        return x.contiguous()?.apply_op2(&y.contiguous()?, Add);
    }
    x + y
}

/// `x` `[batch, …, channels]` with `shift` `[batch, channels]` added to every place.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn add_channels(x: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (batch, channels) = (x.dim(0)?, x.dim(D::Minus1)?);
    if shift.dims() != [batch, channels] {
        bail!("a shift of {:?} for a map of {:?}", shift.dims(), x.dims());
    }
    if element(&[x, shift]).is_some() && x.elem_count() > 0 {
        return x.contiguous()?.apply_op2(&shift.contiguous()?, AddChannels);
    }
    let mut dims = vec![1; x.rank()];
    (dims[0], dims[x.rank() - 1]) = (batch, channels);
    x.broadcast_add(&shift.reshape(dims)?)
}

dispatch! {
    fn sums<E>(x: &[E], y: &[E], out: &mut [E]) {
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out = E::from_single(x.single() + y.single());
        }
    }
}

dispatch! {
    fn shifted<E>(x: &[E], shift: &[E], out: &mut [E]) {
        for (out, x) in out.chunks_exact_mut(shift.len()).zip(x.chunks_exact(shift.len())) {
            for i in 0..shift.len() {
                out[i] = E::from_single(x[i].single() + shift[i].single());
            }
        }
    }
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        timed("add", || {
            with_element!(x.dtype(), E => {
                let (x, y) = (slice::<E>(x, x_layout)?, slice::<E>(y, y_layout)?);
                // SAFETY: every chunk is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(x.len(), |out| {
                        x.par_chunks(CHUNK).zip(y.par_chunks(CHUNK)).enumerate().for_each(
                            |(index, (x, y))| sums(x, y, out.part(index * CHUNK, x.len())),
                        );
                    })
                };
                Ok(answer(out, x_layout.shape()))
            })
        })
    }

    fn bwd(
        &self,
        _x: &Tensor,
        _y: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        timed("add backward", || Ok((Some(gradient.clone()), Some(gradient.clone()))))
    }
}

struct AddChannels;

impl CustomOp2 for AddChannels {
    fn name(&self) -> &'static str {
        "add_channels"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        timed("add_channels", || {
            let (batch, channels) = shift_layout.shape().dims2()?;
            with_element!(x.dtype(), E => {
                let (x, shift) = (slice::<E>(x, x_layout)?, slice::<E>(shift, shift_layout)?);
                let image = x.len() / batch;
                let share = (CHUNK / channels).max(1) * channels;
                // SAFETY: every chunk of every image is written by one task.
                #[allow(unsafe_code)]
                let out = unsafe {
                    written(x.len(), |out| {
                        x.par_chunks(image).zip(shift.par_chunks(channels)).enumerate().for_each(
                            |(index, (x, shift))| {
                                x.par_chunks(share).enumerate().for_each(|(chunk, x)| {
                                    let place = index * image + chunk * share;
                                    shifted(x, shift, out.part(place, x.len()));
                                });
                            },
                        );
                    })
                };
                Ok(answer(out, x_layout.shape()))
            })
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        shift: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        timed("add_channels backward", || {
            let (batch, channels) = shift.dims2()?;
            let for_shift = || {
                with_element!(x.dtype(), E => with_slice::<E, _>(gradient, |gradient| {
                    let images = gradient.chunks_exact(gradient.len() / batch);
                    let sums: Vec<f32> =
                        images.flat_map(|image| column_sums(image, channels)).collect();
                    tensor_like(rounded::<E>(sums), shift)
                }))
            };
            Ok((Some(gradient.clone()), shift.track_op().then(for_shift).transpose()?))
        })
    }
}
