//! What can keep a bundle from being checked.

use std::path::PathBuf;

use crate::kernel::Fault;
use crate::model::ModelError;
use crate::sample::SampleError;

/// An error of a check: not a deviation, but an input that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The reference file cannot be read.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A tensor or a metadata entry of the reference file cannot be used.
    #[error("{name}: {cause}")]
    Reference {
        /// The tensor's or the entry's name.
        name: String,
        /// Why.
        cause: String,
    },
    /// A part of the model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The pipeline cannot make the image.
    #[error("pipeline: {0}")]
    Sample(#[from] SampleError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for CheckError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl CheckError {
    /// An error about a tensor or a metadata entry of the reference file.
    pub(super) fn reference(name: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Reference { name: name.into(), cause: cause.into() }
    }
}
