//! The slot through which an adapter changes a layer.

use std::sync::{Arc, PoisonError, RwLock};

use candle_core::{Result, Tensor};

use crate::kernel::{Convolution, Weight};

/// Something that adds to what a layer computes.
pub trait Delta: Send + Sync {
    /// What is added to the layer's answer `y` for the layer's input `x`.
    fn forward(&self, x: &Tensor, y: &Tensor) -> Result<Tensor>;
}

/// What a layer does with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `x Wᵀ`, with a weight `[out, in]`.
    Linear,
    /// A convolution with a weight `[out, in, kernel, kernel]`.
    Convolution(Convolution),
}

/// A layer as the checkpoint has it. Nobody changes it: what changes a layer stands in its slot.
#[derive(Debug, Clone)]
pub struct Base {
    /// `[out, in]` or `[out, in, kernel, kernel]`.
    pub weight: Weight,
    /// `[out]`.
    pub bias: Option<Tensor>,
    /// What is done with them.
    pub operation: Operation,
}

/// What stands in a slot.
enum Change {
    /// Deltas that act beside the base; none changes nothing.
    Beside(Vec<Arc<dyn Delta>>),
    /// A weight and a bias that act in place of the base's.
    Instead(Weight, Option<Tensor>),
}

/// A layer's base, and a place for what changes it. Clones share the place.
#[derive(Clone)]
pub struct DeltaSlot {
    base: Arc<Base>,
    change: Arc<RwLock<Change>>,
}

impl DeltaSlot {
    /// An empty slot of a layer.
    pub(super) fn new(base: Base) -> Self {
        let change = Change::Beside(Vec::new());
        Self { base: Arc::new(base), change: Arc::new(RwLock::new(change)) }
    }

    /// The layer as the checkpoint has it, whatever stands in the slot.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Puts `deltas` in the slot, in place of all that stood there. None leave the base alone.
    pub fn fill(&self, deltas: Vec<Arc<dyn Delta>>) {
        self.put(Change::Beside(deltas));
    }

    /// Lets `weight` and `bias`, in the base's shapes, act in place of the base's, which are kept.
    ///
    /// # Errors
    /// Where the weight cannot be read.
    pub fn replace(&self, weight: Tensor, bias: Option<Tensor>) -> Result<()> {
        self.put(Change::Instead(Weight::new(weight)?, bias));
        Ok(())
    }

    /// Where the layer stands in memory: clones of its slot say the same, other slots that live say another.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.base).addr()
    }

    fn put(&self, change: Change) {
        *self.change.write().unwrap_or_else(PoisonError::into_inner) = change;
    }

    /// The layer's answer for `x`, where `layer` computes it from a weight and a bias.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        layer: impl FnOnce(&Weight, Option<&Tensor>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match &*self.change.read().unwrap_or_else(PoisonError::into_inner) {
            Change::Beside(deltas) => {
                let mut y = layer(&self.base.weight, self.base.bias.as_ref())?;
                for delta in deltas {
                    y = (&y + delta.forward(x, &y)?)?;
                }
                Ok(y)
            }
            Change::Instead(weight, bias) => layer(weight, bias.as_ref()),
        }
    }
}
