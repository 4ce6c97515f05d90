//! What can keep a request from its images.

use crate::adapter::AdapterError;
use crate::dicom::DicomError;
use crate::model::ModelError;
use crate::prompt::PromptError;
use crate::sample::SampleError;

/// An error of loading a model or answering a request.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A field of the request cannot be used; found before any work.
    #[error("{field}: {cause}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// Somebody asked the work to stop.
    #[error("cancelled")]
    Cancelled,
    /// The thread that owns the device is gone.
    #[error("the engine has stopped: restart the program")]
    Stopped,
    /// The model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An adapter does not load.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The image could not be written.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// The sampling failed.
    #[error(transparent)]
    Sample(SampleError),
}

impl From<SampleError> for ServeError {
    fn from(error: SampleError) -> Self {
        match error {
            SampleError::Cancelled => Self::Cancelled,
            SampleError::Invalid { field, cause } => Self::Invalid { field, cause },
            SampleError::NotFinite | SampleError::Model(_) | SampleError::Tensor(_) => {
                Self::Sample(error)
            }
        }
    }
}

impl From<PromptError> for ServeError {
    fn from(error: PromptError) -> Self {
        Self::Invalid { field: error.field, cause: error.cause }
    }
}
