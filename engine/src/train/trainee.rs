//! What the training loop asks of a task.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Tensor, Var};

use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;

/// What is trained, and its loss.
pub(super) trait Trainee {
    /// The trainable weights by name.
    fn variables(&self) -> &BTreeMap<String, Var>;
    /// Images to train on and held out.
    fn samples(&self) -> (usize, usize);
    /// The loss of a step's batch, a scalar; a function of seed and step.
    fn loss(&self, step: u64) -> Result<Tensor, TrainError>;
    /// The loss on held-out patients with the weights as they are; the same noise at every call.
    fn validation_loss(&self) -> Result<f32, TrainError>;
    /// Writes what was trained into the empty folder `out`, from the averaged `weights`, which are
    /// in place at this time.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError>;
    /// What [`Self::save`] wrote into `result`, ready to sample with; none where nothing samples.
    fn ready(&self, _result: &Path) -> Result<Option<Ready>, TrainError> {
        Ok(None)
    }
}
