//! What can keep a case from being timed.

use std::path::PathBuf;

use candle_core::DType;

use crate::adapter::AdapterError;
use crate::kernel::Fault;
use crate::model::ModelError;
use crate::sample::SampleError;

/// An error of a case.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file of inputs or of the answer cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A tensor of the inputs cannot be used.
    #[error("inputs: {name}: {cause}")]
    Input {
        /// The tensor's name.
        name: String,
        /// Why.
        cause: String,
    },
    /// The engine cannot do the case in this number type.
    #[error("{0}")]
    Unsupported(String),
    /// A weight that is trained got no gradient.
    #[error("{0} is trained and got no gradient")]
    NoGradient(String),
    /// A part of the model does not load.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The adapter does not fit the model.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The image cannot be made.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// A computation failed.
    #[error(transparent)]
    Tensor(#[from] Fault),
}

impl From<candle_core::Error> for BenchError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.into())
    }
}

impl BenchError {
    pub(super) fn file(path: impl Into<PathBuf>, cause: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), cause: cause.to_string() }
    }

    pub(super) fn input(name: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Input { name: name.into(), cause: cause.into() }
    }

    /// Why the engine cannot do a case in its number type, where that is what failed.
    pub fn unsupported(&self) -> Option<String> {
        match self {
            Self::Unsupported(cause) => Some(cause.clone()),
            Self::Tensor(cause)
            | Self::Model(ModelError::Tensor(cause))
            | Self::Sample(
                SampleError::Tensor(cause) | SampleError::Model(ModelError::Tensor(cause)),
            )
            | Self::Adapter(
                AdapterError::Tensor(cause) | AdapterError::Model(ModelError::Tensor(cause)),
            ) => cause.is_about(DType::BF16).then(|| cause.to_string()),
            Self::File { .. }
            | Self::Input { .. }
            | Self::NoGradient(_)
            | Self::Model(_)
            | Self::Adapter(_)
            | Self::Sample(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn what_a_number_type_cannot_do_is_told_from_what_failed() {
        let of = |shape: (usize, usize), dtype| Tensor::zeros(shape, dtype, &Device::Cpu);
        let product = |left, right, dtype| {
            let error = of(left, DType::F32)
                .and_then(|left| left.matmul(&of(right, dtype)?))
                .map_err(BenchError::from);
            error.err().and_then(|error| error.unsupported())
        };
        assert!(product((2, 2), (2, 2), DType::BF16).is_some_and(|cause| cause.contains("BF16")));
        assert!(product((2, 3), (2, 3), DType::F32).is_none());
        assert!(product((2, 2), (2, 2), DType::F64).is_none());
        let nested = BenchError::Sample(SampleError::Model(ModelError::Tensor(
            candle_core::Error::UnsupportedDTypeForOp(DType::BF16, "matmul").bt().into(),
        )));
        assert_eq!(nested.unsupported().as_deref(), Some("unsupported dtype BF16 for op matmul"));
    }
}
