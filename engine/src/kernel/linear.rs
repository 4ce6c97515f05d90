//! The linear layer.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::composed::{Linear, composed};
use super::few_rows::{self, times_turned};
use super::int8::{self, Every, Int8};
use super::panels::Right;
use super::product::{Matrix, Rows, product};
use super::profile::timed;
use super::tile::Element;
use super::view::{
    answer, element, rounded, singles, slice, tensor_like, with_element, with_slice, written,
};
use super::weight::{Form, Packed, Weight, backward_panels, forward_panels};
use super::weight_gradient::{Run, weight_gradient};

/// `x Wᵀ + b`: `x` `[…, in]`, `weight` `[out, in]` and `bias` `[out]` to `[…, out]`.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn linear(x: &Tensor, weight: &Weight, bias: Option<&Tensor>) -> Result<Tensor> {
    let (output, input) = match *weight.dims() {
        [output, input] => (output, input),
        ref other => bail!("a linear layer has a weight [out, in], not {other:?}"),
    };
    if x.dim(D::Minus1)? != input || bias.is_some_and(|bias| bias.elem_count() != output) {
        bail!("a linear layer of {:?} does not fit an input of {:?}", weight.dims(), x.dims());
    }
    if x.elem_count() > 0 && element(&[x]) == Some(weight.dtype()) {
        return match weight.form() {
            Form::Packed(weight) => {
                by_frozen(x, bias, |bias| PackedLinear { weight: weight.clone(), bias })
            }
            Form::Int8(weight) => {
                by_frozen(x, bias, |bias| Int8Linear { weight: weight.clone(), bias })
            }
            Form::Open(weight) => by_open(x, weight, bias),
        };
    }
    let rows = x.reshape(((), input))?;
    let mut y = composed(Linear, &rows, &weight.tensor()?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(bias)?;
    }
    y.reshape(with_last(x.dims(), output))
}

/// What `layer` makes of `x` with a bias that nobody trains; one that is trained is added behind.
pub(super) fn by_frozen<L: CustomOp1 + Send + Sync + 'static>(
    x: &Tensor,
    bias: Option<&Tensor>,
    layer: impl FnOnce(Option<Vec<f32>>) -> L,
) -> Result<Tensor> {
    let trained = bias.filter(|bias| bias.track_op());
    let constant = bias.filter(|bias| !bias.track_op()).map(singles).transpose()?;
    let y = x.contiguous()?.apply_op1(layer(constant))?;
    match trained {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

fn by_open(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let bias = match bias {
        Some(bias) => bias.contiguous()?,
        None => Tensor::zeros(weight.dim(0)?, x.dtype(), x.device())?,
    };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, OpenLinear)
}

fn with_last(dims: &[usize], width: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    dims
}

/// `left × right`, each row with `bias` added.
pub(super) fn rows_times<E: Element>(
    left: &impl Rows<E>,
    right: &impl Right<E>,
    bias: Option<&[f32]>,
) -> Vec<E> {
    let columns = right.columns();
    assert!(bias.is_none_or(|bias| bias.len() == columns), "the bias does not fit");
    // SAFETY: a product hands over every sum of every row, each once.
    #[allow(unsafe_code)]
    unsafe {
        written(left.count() * columns, |out| {
            product(left, right, &|row, column, sums: &[f32]| {
                let place = row * columns + column;
                match bias {
                    Some(bias) => {
                        let sums = sums.iter().zip(&bias[column..]);
                        out.put(place, sums.map(|(sum, bias)| E::from_single(sum + bias)));
                    }
                    None => out.put(place, sums.iter().map(|sum| E::from_single(*sum))),
                }
            });
        })
    }
}

/// Sums over the rows of `values` `[rows, columns]`.
pub(super) fn column_sums<E: Element>(values: &[E], columns: usize) -> Vec<f32> {
    const TALL: usize = 256;
    let parts: Vec<Vec<f32>> = values
        .par_chunks(TALL * columns.max(1))
        .map(|rows| {
            let mut sums = vec![0f32; columns];
            for row in rows.chunks_exact(columns) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value.single();
                }
            }
            sums
        })
        .collect();
    // In order, so that the sums hang on no thread.
    let mut totals = vec![0f32; columns];
    for part in parts {
        totals.iter_mut().zip(part).for_each(|(total, sum)| *total += sum);
    }
    totals
}

/// The gradient of a weight `[out, in]`, of rows `x` `[rows, in]` and `gradient` `[rows, out]`.
pub(super) fn gradient_of_weight<E: Element>(
    x: &[E],
    gradient: &[E],
    input: usize,
    output: usize,
) -> Vec<E> {
    /// Rows of a run: what a task reads of them stays in its core's cache.
    const TALL: usize = 512;
    let rows = x.len() / input;
    let run =
        |first: usize| Run { answer: first, input: first * input, length: TALL.min(rows - first) };
    let runs = |_tap: usize| (0..rows).step_by(TALL).map(run).collect();
    weight_gradient(x, gradient, [output, input, 1], input, runs)
}

struct PackedLinear {
    weight: Arc<Packed>,
    bias: Option<Vec<f32>>,
}

impl CustomOp1 for PackedLinear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed("linear", || {
            let (output, input) = (self.weight.dims()[0], self.weight.dims()[1]);
            with_element!(self.weight.dtype(), E => {
                let panels = self.weight.forward::<E>()?;
                let rows = Whole::new(slice::<E>(storage, layout)?, input);
                let out = rows_times(&rows.matrix(), panels, self.bias.as_deref());
                Ok(answer(out, with_last(layout.dims(), output)))
            })
        })
    }

    fn bwd(&self, x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        timed("linear backward", || {
            let output = self.weight.dims()[0];
            with_element!(self.weight.dtype(), E => with_slice::<E, _>(gradient, |gradient| {
                let values = if few_rows::pays::<E>(gradient.len() / output) {
                    times_turned(&Matrix::new(gradient, output), self.weight.forward()?, 1)
                } else {
                    let rows = Whole::new(gradient, output);
                    rows_times(&rows.matrix(), &self.weight.backward::<E>()?, None)
                };
                Ok(Some(tensor_like(values, x)?))
            }))
        })
    }
}

struct Int8Linear {
    weight: Arc<Int8>,
    bias: Option<Vec<f32>>,
}

impl CustomOp1 for Int8Linear {
    fn name(&self) -> &'static str {
        "linear in int8"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        timed(self.name(), || {
            let (output, input) = (self.weight.dims()[0], self.weight.dims()[1]);
            let x = slice(storage, layout)?;
            let rows = Every(x.len() / input);
            let out = int8::product(x, &rows, &self.weight, self.bias.as_deref());
            Ok(answer(out, with_last(layout.dims(), output)))
        })
    }

    fn bwd(&self, _x: &Tensor, _result: &Tensor, _gradient: &Tensor) -> Result<Option<Tensor>> {
        bail!("{}: weights of eight bits are for serving, and let no gradient through", self.name())
    }
}

/// Rows of whole steps: the slice itself, or a copy with a zero behind each row.
struct Whole<'a, E: Clone> {
    values: std::borrow::Cow<'a, [E]>,
    columns: usize,
}

impl<'a, E: Element> Whole<'a, E> {
    fn new(values: &'a [E], columns: usize) -> Self {
        let padded = columns.next_multiple_of(E::PER_STEP);
        if padded == columns {
            return Self { values: values.into(), columns };
        }
        let mut copy = Vec::with_capacity(values.len() / columns * padded);
        for row in values.chunks_exact(columns) {
            copy.extend_from_slice(row);
            copy.resize(copy.len() + padded - columns, E::default());
        }
        Self { values: copy.into(), columns: padded }
    }

    fn matrix(&self) -> Matrix<'_, E> {
        Matrix::new(&self.values, self.columns)
    }
}

struct OpenLinear;

impl CustomOp3 for OpenLinear {
    fn name(&self) -> &'static str {
        "linear"
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
        timed("linear", || {
            let (output, input) = weight_layout.shape().dims2()?;
            with_element!(x.dtype(), E => {
                let panels = forward_panels(slice::<E>(weight, weight_layout)?, &[output, input]);
                let bias: Vec<f32> =
                    slice::<E>(bias, bias_layout)?.iter().map(|value| value.single()).collect();
                let rows = Whole::new(slice::<E>(x, x_layout)?, input);
                let out = rows_times(&rows.matrix(), &panels, Some(&bias));
                Ok(answer(out, with_last(x_layout.dims(), output)))
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
        timed("linear backward", || {
            with_element!(x.dtype(), E => with_slice::<E, _>(gradient, |gradient| {
                let (output, input) = weight.dims2()?;
                let for_x = || with_slice::<E, _>(weight, |weight| {
                    let rows = Whole::new(gradient, output);
                    let panels = backward_panels(weight, &[output, input]);
                    tensor_like(rows_times(&rows.matrix(), &panels, None), x)
                });
                let for_weight = || with_slice::<E, _>(x, |x| {
                    tensor_like(gradient_of_weight(x, gradient, input, output), weight)
                });
                let for_bias = || tensor_like(rounded::<E>(column_sums(gradient, output)), bias);
                Ok((
                    x.track_op().then(for_x).transpose()?,
                    weight.track_op().then(for_weight).transpose()?,
                    bias.track_op().then(for_bias).transpose()?,
                ))
            }))
        })
    }
}
