//! What can be wrong with a data set or its sources.

use std::path::PathBuf;

use crate::dicom::DicomError;
use crate::kernel::Fault;

/// An error of building or opening a data set.
///
/// A source is named by its number among the sources in the order of their paths, and never by its
/// path in the message: a file's name may hold a patient's.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// An option cannot be used.
    #[error("{option}: {cause}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Why.
        cause: String,
    },
    /// A source cannot be read as a radiograph.
    #[error("source {number}: {source}")]
    Source {
        /// Which one, counted from 1 in the order of paths.
        number: usize,
        /// Where it lies; for a person at a terminal, not for a log.
        path: PathBuf,
        /// Why.
        source: DicomError,
    },
    /// A source is a radiograph that this data set cannot take.
    #[error("source {number}: {cause}")]
    Unfit {
        /// Which one, counted from 1 in the order of paths.
        number: usize,
        /// Where it lies; for a person at a terminal, not for a log.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The sources together make no data set.
    #[error("{cause}")]
    Sources {
        /// Why.
        cause: String,
    },
    /// A data set's own file is damaged or missing.
    #[error("{file}: {cause}")]
    Damaged {
        /// `card.json`, `manifest.jsonl`, or a frame by its id.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// An image could not be encoded.
    #[error("encoding an image failed: {0}")]
    Encode(#[from] Fault),
    /// The work was cancelled; nothing was written.
    #[error("cancelled")]
    Cancelled,
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<candle_core::Error> for DataError {
    fn from(error: candle_core::Error) -> Self {
        Self::Encode(error.into())
    }
}

impl DataError {
    /// Turns an error of the system into one that says what was at hand.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// The file of a source that could not be taken.
    pub fn source_path(&self) -> Option<&std::path::Path> {
        match self {
            Self::Source { path, .. } | Self::Unfit { path, .. } => Some(path),
            _ => None,
        }
    }
}
