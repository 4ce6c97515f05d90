//! A linear layer.

use candle_core::{Result, Tensor};

use super::delta::DeltaSlot;
use super::weights::{Init, Weights};

/// `x Wᵀ + b`, plus the deltas of its slot.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    slot: DeltaSlot,
}

impl Linear {
    /// A layer with a bias, `weight` `[out, in]` and `bias` `[out]`.
    pub fn new(input: usize, output: usize, weights: &Weights) -> Result<Self> {
        let bias = weights.get("bias", output, Init::FanIn(input))?;
        Ok(Self { bias: Some(bias), ..Self::without_bias(input, output, weights)? })
    }

    /// A layer without a bias.
    pub fn without_bias(input: usize, output: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            weight: weights.get("weight", (output, input), Init::FanIn(input))?,
            bias: None,
            slot: weights.slot(),
        })
    }

    /// `[…, in]` to `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (output, input) = self.weight.dims2()?;
        let rows = x.reshape(((), input))?;
        let mut y = rows.matmul(&self.weight.t()?)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = output;
        }
        self.slot.apply(x, y.reshape(dims)?)
    }
}
