//! What a run says while it works.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::evaluate::Figures;

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The run starts, or goes on from a checkpoint.
    Started {
        /// The step before the first one that follows.
        step: u64,
        /// Steps in all.
        total_steps: u64,
        /// Weights that are trained.
        trainable_weights: usize,
        /// Images to train on.
        training_samples: usize,
        /// Images of held-out patients.
        validation_samples: usize,
    },
    /// Something speaks against the data set; the run goes on.
    Warning {
        /// Before which step was it seen; 0 is before the first.
        step: u64,
        /// What, in a sentence.
        cause: String,
    },
    /// What the run will take, by what its next step would.
    Estimate {
        /// After which step; 0 is before the first.
        step: u64,
        /// Seconds that the steps left take, with their looks at held-out patients.
        seconds: f64,
        /// Bytes of the weights that are trained.
        weight_bytes: u64,
        /// Bytes of their gradients.
        gradient_bytes: u64,
        /// Bytes of the optimiser's moments, averages and masters.
        optimiser_bytes: u64,
        /// Bytes that a step takes besides: its activations. Absent where the system does not tell.
        activation_bytes: Option<u64>,
        /// Bytes of the process's memory at its peak, all together. Absent where the system does not tell.
        peak_bytes: Option<u64>,
    },
    /// A step is done.
    Step {
        /// Which, counted from 1.
        step: u64,
        /// Steps in all.
        total_steps: u64,
        /// Loss of the step's batch.
        loss: f32,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Norm of the gradient before clipping.
        gradient_norm: f32,
        /// Estimate of the time left.
        seconds_left: f64,
    },
    /// Held-out patients were looked at, with the averaged weights.
    Validation {
        /// After which step; 0 is before the first.
        step: u64,
        /// Loss on held-out patients.
        loss: f32,
    },
    /// What else the look at held-out patients saw, right after its [`TrainEvent::Validation`].
    Figures {
        /// After which step.
        step: u64,
        /// Figures by name, as they stand in the card of what comes out.
        figures: Figures,
    },
    /// A checkpoint is whole on the disk.
    Checkpoint {
        /// After which step.
        step: u64,
    },
    /// The run is done.
    Finished {
        /// Steps that were done.
        step: u64,
        /// Loss on held-out patients before the first step.
        validation_loss_before: f32,
        /// The same after the last.
        validation_loss_after: f32,
    },
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainSummary {
    /// Steps that were done.
    pub steps: u64,
    /// Loss of the last step.
    pub final_loss: f32,
    /// Loss on held-out patients before the first step; for an adapter that of the untouched base.
    pub validation_loss_before: f32,
    /// The same after the last step.
    pub validation_loss_after: f32,
    /// The step whose weights the result is, where the run kept the best; else those of the last step.
    #[serde(default)]
    pub best_step: Option<u64>,
    /// Folder of what was trained.
    pub output: PathBuf,
}
