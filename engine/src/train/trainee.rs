//! What the training loop asks of a task.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use crate::evaluate::Figures;
use crate::nn::Tape;

/// What is trained, and its loss.
pub(super) trait Trainee {
    /// The trainable weights by name.
    fn variables(&self) -> &BTreeMap<String, Var>;
    /// Images to train on and held out.
    fn samples(&self) -> (usize, usize);
    /// The loss of a batch, a scalar; a function of seed and `step`, by which batches are numbered: where a step is
    /// of several (`accumulate`), they go on from one step to the next.
    fn loss(&self, step: u64) -> Result<Tensor, TrainError>;
    /// Hears the gradients of a step, before they move anything.
    fn seen(&self, _gradients: &GradStore) -> Result<(), TrainError> {
        Ok(())
    }
    /// As [`Self::loss`], with the network's blocks on `tape`. A task whose
    /// [`Task::checkpoints`](super::Task::checkpoints) is false is not asked.
    fn loss_on<'a>(&'a self, step: u64, _tape: &Tape<'a>) -> Result<Tensor, TrainError> {
        self.loss(step)
    }
    /// The loss of a step's batch and its gradients; with `checkpointing` for less memory and a forward more.
    fn gradients(&self, step: u64, checkpointing: bool) -> Result<(Tensor, GradStore), TrainError> {
        if !checkpointing {
            let loss = self.loss(step)?;
            let gradients = loss.backward()?;
            return Ok((loss, gradients));
        }
        let tape = Tape::new();
        let loss = self.loss_on(step, &tape)?;
        let gradients = tape.backward(&loss)?;
        Ok((loss, gradients))
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
    /// What [`Self::save`] wrote into `result`, ready to sample with; none where nothing samples.
    fn ready(&self, _result: &Path) -> Result<Option<Ready>, TrainError> {
        Ok(None)
    }
}
