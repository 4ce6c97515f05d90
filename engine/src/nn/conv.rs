//! A convolution.

use candle_core::{Result, Tensor};

use super::delta::{Base, DeltaSlot, Operation};
use super::weights::{Init, Weights};
use crate::kernel::{self, Convolution};

/// A convolution with square kernel, as the layer's slot changes it.
pub struct Conv2d {
    convolution: Convolution,
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
        let init = Init::FanIn(input * kernel * kernel);
        Self::build([output, input, kernel, kernel], stride, padding, init, weights)
    }

    /// A convolution that answers zero until it is trained.
    pub fn zeroed(input: usize, output: usize, kernel: usize, weights: &Weights) -> Result<Self> {
        Self::build([output, input, kernel, kernel], 1, kernel / 2, Init::Zeros, weights)
    }

    fn build(
        shape: [usize; 4],
        stride: usize,
        padding: usize,
        init: Init,
        weights: &Weights,
    ) -> Result<Self> {
        let weight = weights.layer(&shape, init)?;
        let bias = Some(weights.get("bias", shape[0], init)?);
        let convolution = Convolution { stride, padding };
        let operation = Operation::Convolution(convolution);
        Ok(Self { convolution, slot: weights.slot(Base { weight, bias, operation }) })
    }

    /// `[batch, h, w, in]` to `[batch, h', w', out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.slot.forward(x, |weight, bias| kernel::conv2d(x, weight, bias, self.convolution))
    }
}
