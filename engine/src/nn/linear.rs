//! A linear layer.

use candle_core::{Result, Tensor};

use super::delta::{Base, DeltaSlot, Operation};
use super::kept::Kept;
use super::weights::{Init, Weights};
use crate::kernel;

/// `x Wᵀ + b`, as the layer's slot changes it.
pub struct Linear {
    slot: DeltaSlot,
}

impl Linear {
    /// A layer with a bias, `weight` `[out, in]` and `bias` `[out]`.
    pub fn new(input: usize, output: usize, weights: &Weights) -> Result<Self> {
        let bias = weights.get("bias", output, Init::FanIn(input))?;
        Self::build(input, output, Some(bias), weights)
    }

    /// A layer without a bias.
    pub fn without_bias(input: usize, output: usize, weights: &Weights) -> Result<Self> {
        Self::build(input, output, None, weights)
    }

    fn build(input: usize, output: usize, bias: Option<Tensor>, weights: &Weights) -> Result<Self> {
        let weight = weights.layer((output, input), Init::FanIn(input))?;
        Ok(Self { slot: weights.slot(Base { weight, bias, operation: Operation::Linear }) })
    }

    /// `[…, in]` to `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.slot.forward(x, |weight, bias| kernel::linear(x, weight, bias))
    }

    /// As [`Self::forward`], or what it answered before where that is `kept`. `x` is, or is made of, the tensor
    /// that [`Kept`] is of.
    pub fn forward_once(&self, x: &Tensor, kept: Option<&Kept>) -> Result<Tensor> {
        match kept {
            Some(kept) => kept.once(&self.slot, || self.forward(x)),
            None => self.forward(x),
        }
    }
}
