//! What can be wrong with an adapter.

use std::path::PathBuf;

use crate::kernel::Fault;
use crate::model::ModelError;

/// An error of making, reading or attaching an adapter.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// A file of the adapter cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The adapter was trained on another model.
    #[error("{path}: {cause}")]
    WrongBase {
        /// Folder of the adapter.
        path: PathBuf,
        /// How the models differ.
        cause: String,
    },
    /// A value of the configuration cannot be used.
    #[error("{field}: {cause}")]
    Config {
        /// Which value.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for AdapterError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}
