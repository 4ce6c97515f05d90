//! What can be wrong with a model on disk.

use std::path::PathBuf;

use crate::kernel::Fault;

/// An error of reading, building or writing a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the bundle cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A configuration holds a value that no network can be built from.
    #[error("{part}/config.json: {field}: {cause}")]
    Config {
        /// Which part of the bundle.
        part: &'static str,
        /// Which key.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// The weights do not fit, or a computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl ModelError {
    /// An error about the file at `path`.
    pub fn file(path: impl Into<PathBuf>, cause: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), cause: cause.to_string() }
    }
}
