//! What can keep a request from its image.

use super::conditioning::ConditionError;
use crate::kernel::Fault;
use crate::model::ModelError;

/// An error of a sampling.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A field of the request cannot be used; found before any work.
    #[error("{field}: {cause}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// Somebody asked it to stop.
    #[error("cancelled")]
    Cancelled,
    /// The numbers ran away.
    #[error(
        "the image came out as no number: the model or an adapter is damaged, or guidance_scale is too high"
    )]
    NotFinite,
    /// The prompt does not encode, or a part of the model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for SampleError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl SampleError {
    /// An error about a field of the request.
    pub(super) fn invalid(field: &'static str, cause: impl Into<String>) -> Self {
        Self::Invalid { field, cause: cause.into() }
    }
}

impl From<ConditionError> for SampleError {
    fn from(error: ConditionError) -> Self {
        match error {
            ConditionError::Prompt(error) => {
                Self::Invalid { field: error.field, cause: error.cause }
            }
            ConditionError::Model(error) => Self::Model(error),
            ConditionError::Tensor(error) => Self::Tensor(error),
        }
    }
}
