//! Why there is no figure.

use crate::data::DataError;
use crate::kernel::Fault;
use crate::metric::MetricError;
use crate::model::ModelError;

/// An error of an evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data set does not load.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The numbers have no such figure.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
    /// The folder holds nothing that can be evaluated.
    #[error("model: {0}")]
    Nothing(&'static str),
}

impl From<candle_core::Error> for EvaluateError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}
