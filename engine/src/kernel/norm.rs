//! Group and layer normalisation, the former with SiLU in the same pass.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::simd::{dispatch, sigmoid, sum};
use super::view::{answer, on_cpu, slice, tensor_like, with_slice};

/// Group normalisation (Wu and He, arXiv 1803.08494) of `x` `[batch, channels, …]` with `weight`
/// and `bias` `[channels]`, followed by SiLU where `silu` says so.
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
    let channels = x.dim(1)?;
    if groups == 0 || channels % groups != 0 || weight.elem_count() != channels {
        bail!("{groups} groups and {} weights do not fit {channels} channels", weight.elem_count());
    }
    if on_cpu(&[x, weight, bias]) {
        let op = Norm { per_group: channels / groups, layer: false, epsilon: epsilon as f32, silu };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    let y = candle_nn::GroupNorm::new(weight.clone(), bias.clone(), channels, groups, epsilon)?;
    let y = candle_nn::Module::forward(&y, x)?;
    if silu { candle_nn::ops::silu(&y) } else { Ok(y) }
}

/// Layer normalisation (Ba et al., arXiv 1607.06450) over the last dimension of `x`, with its
/// gradient, which candle's own fast path drops in silence.
///
/// # Errors
/// Where weight or bias do not have the width of `x`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if weight.elem_count() != width || bias.elem_count() != width {
        bail!("a layer norm of {} does not fit a width of {width}", weight.elem_count());
    }
    if on_cpu(&[x, weight, bias]) {
        let op = Norm { per_group: width, layer: true, epsilon: epsilon as f32, silu: false };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    if x.device().is_cuda() && ![x, weight, bias].into_iter().any(Tensor::track_op) {
        // One pass; it has no gradient, and none is asked for.
        let (x, weight, bias) = (x.contiguous()?, weight.contiguous()?, bias.contiguous()?);
        return candle_nn::ops::layer_norm(&x, &weight, &bias, epsilon as f32);
    }
    candle_nn::ops::layer_norm_slow(x, weight, bias, epsilon as f32)
}

/// Both norms: values are taken in groups of `per_group` planes, where a plane is all the values
/// that share one weight. For a layer norm a plane is a single value.
#[derive(Clone, Copy)]
struct Norm {
    per_group: usize,
    layer: bool,
    epsilon: f32,
    silu: bool,
}

/// Mean and 1/σ of a group.
#[inline(always)]
#[allow(clippy::inline_always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum(x.len(), |i| x[i]) / count;
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

dispatch! {
    fn forward(op: Norm, plane: usize, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let (mean, scale) = moments(x, op.epsilon);
        if plane == 1 && !op.silu {
            for i in 0..x.len() {
                out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
            }
            return;
        }
        for channel in 0..op.per_group {
            let x = &x[channel * plane..(channel + 1) * plane];
            let out = &mut out[channel * plane..(channel + 1) * plane];
            let gain = weight[channel] * scale;
            let shift = bias[channel] - mean * gain;
            if op.silu {
                for (out, x) in out.iter_mut().zip(x) {
                    let y = x * gain + shift;
                    *out = y * sigmoid(y);
                }
            } else {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = x * gain + shift;
                }
            }
        }
    }
}

dispatch! {
    /// Writes the input's gradient to `out`, and adds to the weight's and the bias's.
    fn backward(
        op: Norm,
        plane: usize,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        gradient: &[f32],
        out: &mut [f32],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
    ) {
        let (mean, scale) = moments(x, op.epsilon);
        let count = x.len() as f32;
        let (mut total, mut along) = (0f32, 0f32);
        if plane == 1 && !op.silu {
            for i in 0..x.len() {
                let normal = (x[i] - mean) * scale;
                weight_gradient[i] += gradient[i] * normal;
                bias_gradient[i] += gradient[i];
                out[i] = gradient[i] * weight[i];
            }
            total += sum(x.len(), |i| out[i]);
            along += sum(x.len(), |i| out[i] * (x[i] - mean) * scale);
        } else {
            for channel in 0..op.per_group {
                let x = &x[channel * plane..(channel + 1) * plane];
                let gradient = &gradient[channel * plane..(channel + 1) * plane];
                let out = &mut out[channel * plane..(channel + 1) * plane];
                if op.silu {
                    for i in 0..plane {
                        let y = (x[i] - mean) * scale * weight[channel] + bias[channel];
                        let s = sigmoid(y);
                        out[i] = gradient[i] * s * (1.0 + y * (1.0 - s));
                    }
                } else {
                    out.copy_from_slice(gradient);
                }
                let sum_here = sum(plane, |i| out[i]);
                let along_here = sum(plane, |i| out[i] * (x[i] - mean) * scale);
                bias_gradient[channel] += sum_here;
                weight_gradient[channel] += along_here;
                total += sum_here * weight[channel];
                along += along_here * weight[channel];
                for value in out.iter_mut() {
                    *value *= weight[channel];
                }
            }
        }
        let (total, along) = (total / count, along / count);
        for i in 0..x.len() {
            out[i] = scale * (out[i] - total - (x[i] - mean) * scale * along);
        }
    }
}

impl Norm {
    /// Values that share one weight inside a group.
    fn plane(&self, dims: &[usize]) -> usize {
        if self.layer { 1 } else { dims[2..].iter().product() }
    }

    /// The weights of group `index`.
    fn weights<'a>(&self, weight: &'a [f32], index: usize) -> &'a [f32] {
        let start = index * self.per_group % weight.len();
        &weight[start..start + self.per_group]
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        if self.layer { "layer_norm" } else { "group_norm" }
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
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let x = slice(x, x_layout)?;
        let plane = self.plane(x_layout.dims());
        let group = self.per_group * plane;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(group)
            .zip(x.par_chunks(group))
            .enumerate()
            .with_min_len(if self.layer { 32 } else { 1 })
            .for_each(|(index, (out, x))| {
                forward(
                    *self,
                    plane,
                    x,
                    self.weights(weight, index),
                    self.weights(bias, index),
                    out,
                );
            });
        Ok(answer(out, x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let plane = self.plane(x.dims());
        let group = self.per_group * plane;
        let channels = weight.elem_count();
        let (input, weight_gradient, bias_gradient) = with_slice(x, |x| {
            with_slice(gradient, |gradient| {
                with_slice(weight, |weight| {
                    with_slice(bias, |bias| {
                        let mut out = vec![0f32; x.len()];
                        // A share of whole samples for each thread, each with its own sums.
                        let sample = group * (channels / self.per_group);
                        let samples = x.len() / sample.max(1);
                        let share = samples.div_ceil(rayon::current_num_threads()).max(1) * sample;
                        let sums: Vec<(Vec<f32>, Vec<f32>)> = out
                            .par_chunks_mut(share)
                            .zip(x.par_chunks(share))
                            .zip(gradient.par_chunks(share))
                            .map(|((out, x), gradient)| {
                                let mut sums = (vec![0f32; channels], vec![0f32; channels]);
                                for (index, ((out, x), gradient)) in out
                                    .chunks_mut(group)
                                    .zip(x.chunks(group))
                                    .zip(gradient.chunks(group))
                                    .enumerate()
                                {
                                    let start = index * self.per_group % channels;
                                    let end = start + self.per_group;
                                    backward(
                                        *self,
                                        plane,
                                        x,
                                        &weight[start..end],
                                        &bias[start..end],
                                        gradient,
                                        out,
                                        &mut sums.0[start..end],
                                        &mut sums.1[start..end],
                                    );
                                }
                                sums
                            })
                            .collect();
                        let mut total = (vec![0f32; channels], vec![0f32; channels]);
                        for (weights, biases) in sums {
                            total.0.iter_mut().zip(weights).for_each(|(a, b)| *a += b);
                            total.1.iter_mut().zip(biases).for_each(|(a, b)| *a += b);
                        }
                        Ok((out, total.0, total.1))
                    })
                })
            })
        })?;
        Ok((
            x.track_op().then(|| tensor_like(input, x)).transpose()?,
            weight.track_op().then(|| tensor_like(weight_gradient, weight)).transpose()?,
            bias.track_op().then(|| tensor_like(bias_gradient, bias)).transpose()?,
        ))
    }
}
