//! The slot through which an adapter changes a layer.

use std::sync::{Arc, PoisonError, RwLock};

use candle_core::{Result, Tensor};

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
