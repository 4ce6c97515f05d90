//! Why there is no figure.

use std::path::PathBuf;

use crate::adapter::AdapterError;
use crate::data::DataError;
use crate::dicom::DicomError;
use crate::kernel::Fault;
use crate::metric::MetricError;
use crate::model::ModelError;
use crate::sample::SampleError;

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
    /// An adapter or a concept does not load.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// An image is not made.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// A picture cannot be written.
    #[error(transparent)]
    Picture(#[from] DicomError),
    /// An option cannot be used.
    #[error("{option}: {cause}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Why.
        cause: String,
    },
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
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

impl EvaluateError {
    pub(super) fn option(option: &'static str, cause: impl Into<String>) -> Self {
        Self::Option { option, cause: cause.into() }
    }
}
