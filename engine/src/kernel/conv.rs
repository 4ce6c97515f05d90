//! Two-dimensional convolution as a product of patches and weights, without unrolling the patches, or by Winograd's
//! tiles where they cost less.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::composed::{Conv, composed};
use super::few_rows::{self, times_turned};
use super::int8::{self, Int8};
use super::linear::{by_frozen, column_sums, gradient_of_weight, rows_times};
use super::panels::Right;
use super::patches::{Convolution, Geometry, Patches};
use super::product::Matrix;
use super::profile::timed;
use super::tile::Element;
use super::view::{answer, element, rounded, slice, tensor_like, with_element, with_slice};
use super::weight::{Form, Packed, Weight, backward_panels, forward_panels};
use super::weight_gradient::weight_gradient;
use super::winograd::{self, Tiling};

/// Convolution of `x` `[batch, height, width, in]` with `weight` `[out, in, k, k]` and `bias` `[out]` to
/// `[batch, height', width', out]`.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn conv2d(
    x: &Tensor,
    weight: &Weight,
    bias: Option<&Tensor>,
    convolution: Convolution,
) -> Result<Tensor> {
    let geometry = Geometry::new(convolution, x.dims(), weight.dims())?;
    if bias.is_some_and(|bias| bias.elem_count() != geometry.output) {
        bail!("a convolution of {:?} has a bias of another size", weight.dims());
    }
    if x.elem_count() > 0 && element(&[x]) == Some(weight.dtype()) {
        return match weight.form() {
            Form::Packed(weight) => {
                by_frozen(x, bias, |bias| PackedConv { weight: weight.clone(), bias, convolution })
            }
            Form::Int8(weight) => {
                by_frozen(x, bias, |bias| Int8Conv { weight: weight.clone(), bias, convolution })
            }
            Form::Open(weight) => by_open(x, weight, bias, convolution),
        };
    }
    let x = x.permute((0, 3, 1, 2))?.contiguous()?;
    let y = composed(Conv(convolution), &x, &weight.tensor()?)?;
    let y = y.permute((0, 2, 3, 1))?.contiguous()?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

fn by_open(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    convolution: Convolution,
) -> Result<Tensor> {
    let bias = match bias {
        Some(bias) => bias.contiguous()?,
        None => Tensor::zeros(weight.dim(0)?, x.dtype(), x.device())?,
    };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, OpenConv(convolution))
}

/// The patches' products with the panels.
fn patches_times<E: Element>(
    patches: &Patches<E>,
    panels: &impl Right<E>,
    bias: Option<&[f32]>,
) -> Vec<E> {
    if patches.is_narrow() {
        let (copied, length) = patches.copied();
        return rows_times(&Matrix::new(&copied, length), panels, bias);
    }
    rows_times(patches, panels, bias)
}

impl Geometry {
    fn forward<E: Element>(&self, x: &[E], weight: &impl Right<E>, bias: Option<&[f32]>) -> Vec<E> {
        if self.is_pointwise() && self.input.is_multiple_of(E::PER_STEP) {
            return rows_times(&Matrix::new(x, self.input), weight, bias);
        }
        if let Some(tiling) = self.tiling().filter(Tiling::pays::<E>) {
            return winograd::convolve(&tiling, x, weight, bias);
        }
        patches_times(&self.patches(x), weight, bias)
    }

    /// As [`Self::forward`], with a weight in eight bits. Where tiles cost less than products of bytes, they take its
    /// numbers, and the map is not rounded.
    fn forward_int8(&self, x: &[f32], weight: &Int8, bias: Option<&[f32]>) -> Vec<f32> {
        match self.tiling().filter(|tiling| tiling.pays::<f32>() && !int8::beats_tiles(weight)) {
            Some(tiling) => winograd::convolve(&tiling, x, weight, bias),
            None => int8::product(x, &self.patches(x), weight, bias),
        }
    }

    /// The gradient of the map.
    fn backward<E: Element>(&self, gradient: &[E], weight: &impl Right<E>) -> Vec<E> {
        if self.is_pointwise() && self.output.is_multiple_of(E::PER_STEP) {
            return rows_times(&Matrix::new(gradient, self.output), weight, None);
        }
        if let Some(tiling) = self.tiling_back().filter(Tiling::pays::<E>) {
            return winograd::convolve(&tiling, gradient, weight, None);
        }
        patches_times(&self.patches_back(gradient), weight, None)
    }

    /// The gradient of the weight `[out, in, k, k]`.
    fn gradient_of_weight<E: Element>(&self, x: &[E], gradient: &[E]) -> Vec<E> {
        if self.is_pointwise() {
            return gradient_of_weight(x, gradient, self.input, self.output);
        }
        if let Some(tiling) = self.tiling().filter(Tiling::pays::<E>) {
            return winograd::gradient_of_weight(&tiling, x, gradient, self.output);
        }
        let sizes = [self.output, self.input, self.kernel * self.kernel];
        let stride = self.pixel_stride() * self.input;
        weight_gradient(x, gradient, sizes, stride, |tap| self.runs(tap))
    }
}

struct PackedConv {
    weight: Arc<Packed>,
    bias: Option<Vec<f32>>,
    convolution: Convolution,
}

impl CustomOp1 for PackedConv {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("conv2d", || {
            let geometry = Geometry::new(self.convolution, layout.dims(), self.weight.dims())?;
            with_element!(self.weight.dtype(), E => {
                let x = slice::<E>(storage, layout)?;
                let out = geometry.forward(x, self.weight.forward()?, self.bias.as_deref());
                Ok(answer(out, &geometry.out_dims()[..]))
            })
        })
    }

    fn bwd(&self, x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("conv2d backward", || {
            let geometry = Geometry::new(self.convolution, x.dims(), self.weight.dims())?;
            with_element!(self.weight.dtype(), E => with_slice::<E, _>(gradient, |gradient| {
                let values = if few_rows::pays::<E>(geometry.pixels()) {
                    let patches = geometry.patches_back(gradient);
                    times_turned(&patches, self.weight.forward()?, self.weight.taps())
                } else {
                    geometry.backward(gradient, &self.weight.backward()?)
                };
                Ok(Some(tensor_like(values, x)?))
            }))
        })
    }
}

struct Int8Conv {
    weight: Arc<Int8>,
    bias: Option<Vec<f32>>,
    convolution: Convolution,
}

impl CustomOp1 for Int8Conv {
    fn name(&self) -> &'static str {
        "conv2d in int8"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed(self.name(), || {
            let geometry = Geometry::new(self.convolution, layout.dims(), self.weight.dims())?;
            let x = slice(storage, layout)?;
            let out = geometry.forward_int8(x, &self.weight, self.bias.as_deref());
            Ok(answer(out, &geometry.out_dims()[..]))
        })
    }

    fn bwd(&self, _x: &Tensor, _result: &Tensor, _gradient: &Tensor) -> Result<Option<Tensor>> {
        bail!("{}: weights of eight bits are for serving, and let no gradient through", self.name())
    }
}

struct OpenConv(Convolution);

impl CustomOp3 for OpenConv {
    fn name(&self) -> &'static str {
        "conv2d"
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
        timed("conv2d", || {
            let dims = weight_layout.dims();
            let geometry = Geometry::new(self.0, x_layout.dims(), dims)?;
            with_element!(x.dtype(), E => {
                let panels = forward_panels(slice::<E>(weight, weight_layout)?, dims);
                let bias: Vec<f32> =
                    slice::<E>(bias, bias_layout)?.iter().map(|value| value.single()).collect();
                let out = geometry.forward(slice(x, x_layout)?, &panels, Some(&bias));
                Ok(answer(out, &geometry.out_dims()[..]))
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
        timed("conv2d backward", || {
            let geometry = Geometry::new(self.0, x.dims(), weight.dims())?;
            with_element!(x.dtype(), E => with_slice::<E, _>(gradient, |gradient| {
                let for_x = || with_slice::<E, _>(weight, |values| {
                    let panels = backward_panels(values, weight.dims());
                    tensor_like(geometry.backward(gradient, &panels), x)
                });
                let for_weight = || with_slice::<E, _>(x, |x| {
                    tensor_like(geometry.gradient_of_weight(x, gradient), weight)
                });
                let for_bias =
                    || tensor_like(rounded::<E>(column_sums(gradient, geometry.output)), bias);
                // A frozen tensor's gradient is only made where somebody waits for it.
                Ok((
                    x.track_op().then(for_x).transpose()?,
                    weight.track_op().then(for_weight).transpose()?,
                    bias.track_op().then(for_bias).transpose()?,
                ))
            }))
        })
    }
}
