//! What the training loop asks of a task.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::error::TrainError;
use super::event::TrainSummary;
use crate::evaluate::Figures;

/// What is trained, and its loss.
pub(super) trait Trainee {
    /// The trainable weights by name.
    fn variables(&self) -> &BTreeMap<String, Var>;
    /// Images to train on and held out.
    fn samples(&self) -> (usize, usize);
    /// The loss of a step's batch, a scalar; a function of seed and step.
    fn loss(&self, step: u64) -> Result<Tensor, TrainError>;
    /// Hears the gradients of a step, before they move anything.
    fn seen(&self, _gradients: &GradStore) -> Result<(), TrainError> {
        Ok(())
    }
    /// The loss on held-out patients with the weights as they are; the same noise at every call.
    fn validation_loss(&self) -> Result<f32, TrainError>;
    /// Figures of the last [`Self::validation_loss`], by name; a task may have none.
    fn figures(&self) -> Figures {
        Figures::new()
    }
    /// Writes what was trained into the empty folder `out`, from the averaged `weights`, which are
    /// in place at this time.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError>;
}
