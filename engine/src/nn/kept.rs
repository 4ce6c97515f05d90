//! What layers made of a tensor that stays the same from call to call.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor};

use super::delta::DeltaSlot;

/// What layers made of one tensor, such as the text of a generation that every step shows them anew: each layer
/// computes once. It belongs to whoever asks the layers, who makes one for a piece of work and drops it
/// afterwards: a layer keeps nothing, so that whatever changes it in between is seen by the next.
pub struct Kept {
    of: Tensor,
    /// By the address of the layer's place. The slot is held beside it: as long as it lives, no other layer
    /// has that address.
    made: Mutex<HashMap<usize, (DeltaSlot, Tensor)>>,
}

impl Kept {
    /// Nothing yet of `of`.
    pub fn new(of: &Tensor) -> Self {
        Self { of: of.clone(), made: Mutex::default() }
    }

    /// Whether it is `x` itself that this is of; an equal tensor is another.
    pub fn is_of(&self, x: &Tensor) -> bool {
        self.of.id() == x.id()
    }

    /// The answer of the layer in `slot`, computed by `layer` where it is the first.
    pub(super) fn once(
        &self,
        slot: &DeltaSlot,
        layer: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let place = slot.address();
        if let Some((_, answer)) = made().get(&place) {
            return Ok(answer.clone());
        }
        let answer = layer()?;
        made().insert(place, (slot.clone(), answer.clone()));
        Ok(answer)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Kept").field("of", &self.of.shape()).finish_non_exhaustive()
    }
}
