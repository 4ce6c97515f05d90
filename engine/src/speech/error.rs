//! What keeps sound from becoming words.

use std::path::PathBuf;

use crate::kernel::Fault;

/// An error of reading sound, opening a speech model or listening.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// There is no folder with a speech model.
    #[error("no speech model is configured: {0}")]
    NoModel(String),
    /// A file of the model's folder cannot be used.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A configuration holds a value that no network can be built from.
    #[error("{file}: {field}: {cause}")]
    Config {
        /// Which file of the folder.
        file: &'static str,
        /// Which key.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// The sound cannot be used.
    #[error("audio: {0}")]
    Audio(String),
    /// The sound is longer or larger than the limits allow.
    #[error("audio: {0}")]
    TooLarge(String),
    /// The sound is in a container, a codec or a form that is not read.
    #[error("audio: {0}")]
    Unsupported(String),
    /// The language is none that the model knows.
    #[error("language: {0}")]
    Language(String),
    /// Somebody asked the work to stop.
    #[error("cancelled")]
    Cancelled,
    /// The weights do not fit, or a computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for SpeechError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl SpeechError {
    /// An error about the file at `path`.
    pub(super) fn file(path: impl Into<PathBuf>, cause: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), cause: cause.to_string() }
    }

    /// An error about the sound.
    pub(super) fn audio(cause: impl Into<String>) -> Self {
        Self::Audio(cause.into())
    }
}
