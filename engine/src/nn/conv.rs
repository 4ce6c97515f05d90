//! A convolution.

use candle_core::{Result, Tensor};

use super::delta::DeltaSlot;
use super::weights::{Init, Weights};
use crate::kernel;

/// A convolution with square kernel, plus the deltas of its slot.
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    padding: usize,
    slot: DeltaSlot,
}

impl Conv2d {
    /// `weight` `[out, in, kernel, kernel]`, `bias` `[out]`.
    pub fn new(
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        weights: &Weights,
    ) -> Result<Self> {
        let fan_in = input * kernel * kernel;
        Ok(Self {
            weight: weights.get("weight", (output, input, kernel, kernel), Init::FanIn(fan_in))?,
            bias: weights.get("bias", output, Init::FanIn(fan_in))?,
            stride,
            padding,
            slot: weights.slot(),
        })
    }

    /// A convolution that answers zero until it is trained.
    pub fn zeroed(input: usize, output: usize, kernel: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            weight: weights.get("weight", (output, input, kernel, kernel), Init::Zeros)?,
            bias: weights.get("bias", output, Init::Zeros)?,
            stride: 1,
            padding: kernel / 2,
            slot: weights.slot(),
        })
    }

    /// `[batch, in, h, w]` to `[batch, out, h', w']`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = kernel::conv2d(x, &self.weight, Some(&self.bias), self.stride, self.padding)?;
        self.slot.apply(x, y)
    }
}
