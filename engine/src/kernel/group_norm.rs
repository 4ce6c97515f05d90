//! Group normalisation over maps, with SiLU in the same pass.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::profile::timed;
use super::simd::{dispatch, sigmoid};
use super::tile::Element;
use super::view::{
    answer, element, rounded, slice, tensor_like, with_element, with_slice, written,
};

/// Numbers that one task takes.
const SHARE: usize = 32 * 1024;

/// Group normalisation (Wu and He, arXiv 1803.08494) of `x` `[batch, …, channels]` with `weight` and `bias`
/// `[channels]`, followed by SiLU where `silu` says so.
///
/// # Errors
/// Where `groups` does not divide the channels.
pub fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    epsilon: f64,
    silu: bool,
) -> Result<Tensor> {
    let channels = x.dim(D::Minus1)?;
    if groups == 0 || !channels.is_multiple_of(groups) || weight.elem_count() != channels {
        bail!("{groups} groups and {} weights do not fit {channels} channels", weight.elem_count());
    }
    if element(&[x, weight, bias]).is_some() && x.elem_count() > 0 {
        let op = GroupNorm { groups, epsilon, silu };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    let y = x.reshape((x.dim(0)?, (), channels))?.transpose(1, 2)?.contiguous()?;
    let norm = candle_nn::GroupNorm::new(weight.clone(), bias.clone(), channels, groups, epsilon)?;
    let y = candle_nn::Module::forward(&norm, &y)?;
    let y = y.transpose(1, 2)?.contiguous()?.reshape(x.dims())?;
    if silu { candle_nn::ops::silu(&y) } else { Ok(y) }
}

#[derive(Clone, Copy)]
struct GroupNorm {
    groups: usize,
    epsilon: f64,
    silu: bool,
}

dispatch! {
    /// Sums of what the channels' values lie above `pivot`, and of its squares.
    fn moments<E>(x: &[E], pivot: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        for row in x.chunks_exact(pivot.len()) {
            for i in 0..pivot.len() {
                let value = row[i].single() - pivot[i];
                sums[i] += value;
                squares[i] += value * value;
            }
        }
    }
}

dispatch! {
    fn apply<E>(x: &[E], gain: &[f32], shift: &[f32], silu: bool, out: &mut [E]) {
        for (out, x) in out.chunks_exact_mut(gain.len()).zip(x.chunks_exact(gain.len())) {
            if silu {
                for i in 0..gain.len() {
                    let y = x[i].single() * gain[i] + shift[i];
                    out[i] = E::from_single(y * sigmoid(y));
                }
            } else {
                for i in 0..gain.len() {
                    out[i] = E::from_single(x[i].single() * gain[i] + shift[i]);
                }
            }
        }
    }
}

/// SiLU's slope at `y`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn slope(y: f32) -> f32 {
    let s = sigmoid(y);
    s * (1.0 + y * (1.0 - s))
}

dispatch! {
    /// Sums of the norm's gradient over each channel, alone and times the input.
    fn gradient_sums<E>(
        x: &[E],
        gradient: &[E],
        gain: &[f32],
        shift: &[f32],
        silu: bool,
        sums: &mut [f32],
        along: &mut [f32],
    ) {
        let channels = gain.len();
        for (x, gradient) in x.chunks_exact(channels).zip(gradient.chunks_exact(channels)) {
            for i in 0..channels {
                let value = x[i].single();
                let mut fall = gradient[i].single();
                if silu {
                    fall *= slope(value * gain[i] + shift[i]);
                }
                sums[i] += fall;
                along[i] += fall * value;
            }
        }
    }
}

dispatch! {
    /// The input's gradient: the norm's times `gain`, and `line` times the input, and `constant`.
    fn gradient_of_input<E>(
        x: &[E],
        gradient: &[E],
        gain: &[f32],
        shift: &[f32],
        silu: bool,
        line: &[f32],
        constant: &[f32],
        out: &mut [E],
    ) {
        let channels = gain.len();
        let rows = x.chunks_exact(channels).zip(gradient.chunks_exact(channels));
        for (out, (x, gradient)) in out.chunks_exact_mut(channels).zip(rows) {
            for i in 0..channels {
                let value = x[i].single();
                let mut fall = gradient[i].single();
                if silu {
                    fall *= slope(value * gain[i] + shift[i]);
                }
                out[i] = E::from_single(fall * gain[i] + value * line[i] + constant[i]);
            }
        }
    }
}

/// The sums of tasks, added up in double precision and in order, so that they hang on no thread.
fn added(parts: Vec<[Vec<f32>; 2]>, channels: usize) -> [Vec<f64>; 2] {
    let mut totals = [vec![0f64; channels], vec![0f64; channels]];
    for part in parts {
        for (total, part) in totals.iter_mut().zip(part) {
            total.iter_mut().zip(part).for_each(|(total, value)| *total += f64::from(value));
        }
    }
    totals
}

/// What one image's norm comes to.
struct Line {
    /// Of each group.
    mean: Vec<f64>,
    /// 1/σ of each group.
    scale: Vec<f64>,
    /// The norm is `x · gain + shift`, channel by channel.
    gain: Vec<f32>,
    shift: Vec<f32>,
}

impl GroupNorm {
    fn share(channels: usize) -> usize {
        (SHARE / channels).max(1) * channels
    }

    fn line<E: Element>(&self, image: &[E], weight: &[E], bias: &[E]) -> Line {
        let channels = weight.len();
        let pixels = (image.len() / channels) as f64;
        // Above the first pixel, not above zero: so that a large mean takes nothing from a small spread.
        let pivot: Vec<f32> = image[..channels].iter().map(|value| value.single()).collect();
        let parts = image
            .par_chunks(Self::share(channels))
            .map(|x| {
                let mut sums = [vec![0f32; channels], vec![0f32; channels]];
                let [first, second] = &mut sums;
                moments(x, &pivot, first, second);
                sums
            })
            .collect();
        let [sums, squares] = added(parts, channels);
        let each = channels / self.groups;
        let (mut mean, mut scale) = (Vec::new(), Vec::new());
        for group in 0..self.groups {
            let all = group * each..(group + 1) * each;
            let means: Vec<f64> =
                all.clone().map(|i| f64::from(pivot[i]) + sums[i] / pixels).collect();
            let middle = means.iter().sum::<f64>() / each as f64;
            let within = all.map(|i| squares[i] - sums[i] * sums[i] / pixels).sum::<f64>();
            let between = means.iter().map(|mean| (mean - middle).powi(2)).sum::<f64>() * pixels;
            let variance = (within.max(0.0) + between) / (pixels * each as f64);
            mean.push(middle);
            scale.push(1.0 / (variance + self.epsilon).sqrt());
        }
        let gain: Vec<f32> = (0..channels)
            .map(|i| (f64::from(weight[i].single()) * scale[i / each]) as f32)
            .collect();
        let shift = (0..channels)
            .map(|i| (f64::from(bias[i].single()) - mean[i / each] * f64::from(gain[i])) as f32)
            .collect();
        Line { mean, scale, gain, shift }
    }

    fn forward<E: Element>(&self, x: &[E], image: usize, weight: &[E], bias: &[E]) -> Vec<E> {
        let channels = weight.len();
        let share = Self::share(channels);
        // SAFETY: the chunks of every image are written, each by one task.
        #[allow(unsafe_code)]
        unsafe {
            written(x.len(), |out| {
                x.par_chunks(image).enumerate().for_each(|(index, x)| {
                    let line = self.line(x, weight, bias);
                    x.par_chunks(share).enumerate().for_each(|(chunk, x)| {
                        let out = out.part(index * image + chunk * share, x.len());
                        apply(x, &line.gain, &line.shift, self.silu, out);
                    });
                });
            })
        }
    }

    /// The gradients of input, weight and bias.
    fn backward<E: Element>(
        &self,
        x: &[E],
        image: usize,
        weight: &[E],
        bias: &[E],
        gradient: &[E],
    ) -> (Vec<E>, Vec<f32>, Vec<f32>) {
        let channels = weight.len();
        let (share, each) = (Self::share(channels), channels / self.groups);
        let count = (image / channels * each) as f64;
        let mut totals = [vec![0f64; channels], vec![0f64; channels]];
        let mut out = vec![E::default(); x.len()];
        let images = out.chunks_mut(image).zip(x.chunks(image)).zip(gradient.chunks(image));
        for ((out, x), gradient) in images {
            let Line { mean, scale, gain, shift } = self.line(x, weight, bias);
            let parts = x
                .par_chunks(share)
                .zip(gradient.par_chunks(share))
                .map(|(x, gradient)| {
                    let mut sums = [vec![0f32; channels], vec![0f32; channels]];
                    let [first, second] = &mut sums;
                    gradient_sums(x, gradient, &gain, &shift, self.silu, first, second);
                    sums
                })
                .collect();
            let [sums, mut along] = added(parts, channels);
            let (mut line, mut constant) = (vec![0f32; channels], vec![0f32; channels]);
            for group in 0..self.groups {
                let all = group * each..(group + 1) * each;
                // The gradient along the normal values, not along the input.
                for i in all.clone() {
                    along[i] = (along[i] - mean[group] * sums[i]) * scale[group];
                }
                let weighed = |values: &[f64]| {
                    all.clone().map(|i| values[i] * f64::from(weight[i].single())).sum::<f64>()
                };
                let (total, turn) = (weighed(&sums) / count, weighed(&along) / count);
                let slope = -scale[group] * scale[group] * turn;
                line[all.clone()].fill(slope as f32);
                constant[all].fill((-scale[group] * total - mean[group] * slope) as f32);
            }
            for (total, values) in totals.iter_mut().zip([&sums, &along]) {
                total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
            }
            out.par_chunks_mut(share)
                .zip(x.par_chunks(share))
                .zip(gradient.par_chunks(share))
                .for_each(|((out, x), gradient)| {
                    let silu = self.silu;
                    gradient_of_input(x, gradient, &gain, &shift, silu, &line, &constant, out);
                });
        }
        let [sums, along] = totals.map(|sums| sums.iter().map(|sum| *sum as f32).collect());
        (out, along, sums)
    }
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
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
        timed("group_norm", || {
            let image = x_layout.dims()[1..].iter().product();
            with_element!(x.dtype(), E => {
                let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
                let out = self.forward::<E>(slice(x, x_layout)?, image, weight, bias);
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
        timed("group_norm backward", || {
            let image = x.dims()[1..].iter().product();
            with_element!(x.dtype(), E => {
                let (for_x, for_weight, for_bias) = with_slice::<E, _>(x, |x| {
                    with_slice(weight, |weight| {
                        with_slice(bias, |bias| {
                            with_slice(gradient, |gradient| {
                                Ok(self.backward(x, image, weight, bias, gradient))
                            })
                        })
                    })
                })?;
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
