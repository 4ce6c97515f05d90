//! What can stop a training.

use std::path::PathBuf;

use crate::adapter::AdapterError;
use crate::data::DataError;
use crate::evaluate::EvaluateError;
use crate::kernel::Fault;
use crate::model::ModelError;
use crate::sample::SampleError;

/// An error of a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A value of the configuration cannot be used; found before anything is written.
    #[error("{field}: {cause}")]
    Config {
        /// Which value.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// A file of the run cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// What a step computed is no number any more.
    #[error(
        "{what} became {value} at step {step}: lower the learning rate, or look for damaged images; the last checkpoint is whole"
    )]
    NotFinite {
        /// At which step; 0 is before the first.
        step: u64,
        /// The loss, the gradient of a weight, or the loss on held-out patients.
        what: String,
        /// What it became.
        value: f32,
    },
    /// Somebody asked the run to stop; its last checkpoint is whole.
    #[error("the run was cancelled at step {step}")]
    Cancelled {
        /// The last finished step.
        step: u64,
    },
    /// The model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The adapter cannot be made.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The data set does not load.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Held-out patients cannot be measured.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// An image that measures or shows the training cannot be made.
    #[error("an image: {0}")]
    Sample(#[from] SampleError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl TrainError {
    /// An error about the file at `path`.
    pub(super) fn file(path: impl Into<PathBuf>, cause: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), cause: cause.to_string() }
    }
}
