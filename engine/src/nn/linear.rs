//! A linear layer, and the slot through which an adapter changes a layer.

use std::sync::{Arc, PoisonError, RwLock};

use candle_core::{Result, Tensor};

use super::weights::{Init, Weights};

/// Something that adds to what a layer computes.
pub trait Delta: Send + Sync {
    /// What is added to the layer's answer for the layer's input `x`.
    fn forward(&self, x: &Tensor) -> Result<Tensor>;
}

/// A place in a layer for any number of deltas. Clones share the place.
#[derive(Clone, Default)]
pub struct DeltaSlot(Arc<RwLock<Vec<Arc<dyn Delta>>>>);

impl DeltaSlot {
    /// Puts `deltas` in the slot, in place of those that were there.
    pub fn fill(&self, deltas: Vec<Arc<dyn Delta>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = deltas;
    }

    /// `y` plus what every delta makes of `x`.
    pub(super) fn apply(&self, x: &Tensor, mut y: Tensor) -> Result<Tensor> {
        for delta in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            y = (y + delta.forward(x)?)?;
        }
        Ok(y)
    }
}

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
