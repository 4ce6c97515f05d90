//! Normalising layers.

use candle_core::{Result, Tensor};

use super::weights::{Init, Weights};
use crate::kernel;

/// Group normalisation, alone or followed by SiLU.
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// `weight` and `bias` `[channels]`.
    pub fn new(groups: usize, channels: usize, epsilon: f64, weights: &Weights) -> Result<Self> {
        Ok(Self {
            weight: weights.get("weight", channels, Init::Ones)?,
            bias: weights.get("bias", channels, Init::Zeros)?,
            groups,
            epsilon,
        })
    }

    /// `[batch, …, channels]`, same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernel::group_norm(x, &self.weight, &self.bias, self.groups, self.epsilon, false)
    }

    /// The same followed by SiLU, in one pass.
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        kernel::group_norm(x, &self.weight, &self.bias, self.groups, self.epsilon, true)
    }
}

/// Layer normalisation over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    /// `weight` and `bias` `[width]`.
    pub fn new(width: usize, epsilon: f64, weights: &Weights) -> Result<Self> {
        Ok(Self {
            weight: weights.get("weight", width, Init::Ones)?,
            bias: weights.get("bias", width, Init::Zeros)?,
            epsilon,
        })
    }

    /// `[…, width]`, same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernel::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}
