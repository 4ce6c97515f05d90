//! What candle could not do, in words for a person.

use candle_core::{DType, Error};

/// An error of candle without what it adds for programmers: a backtrace where the environment asks for one
/// (`RUST_BACKTRACE`), and the file's path, which whoever opened the file names.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Fault {
    words: String,
    /// The number types that it was about.
    types: Vec<DType>,
}

impl Fault {
    /// An error in one's own words.
    pub fn new(cause: impl Into<String>) -> Self {
        Self { words: cause.into(), types: Vec::new() }
    }

    /// The words of an error of candle, for an error of one's own.
    pub fn words(error: Error) -> String {
        Self::from(error).words
    }

    /// Whether something could not be done for numbers of this type.
    pub fn is_about(&self, dtype: DType) -> bool {
        self.types.contains(&dtype)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { words: words(&error), types: types(&error) }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::WithBacktrace { inner, .. } | Error::WithPath { inner, .. } => words(inner),
        Error::Context { inner, context } => format!("{context}: {}", words(inner)),
        other => other.to_string(),
    }
}

fn types(error: &Error) -> Vec<DType> {
    match error {
        Error::UnsupportedDTypeForOp(dtype, _) => vec![*dtype],
        Error::UnexpectedDType { expected, got, .. } => vec![*expected, *got],
        Error::DTypeMismatchBinaryOp { lhs, rhs, .. } => vec![*lhs, *rhs],
        Error::Context { inner, .. }
        | Error::WithPath { inner, .. }
        | Error::WithBacktrace { inner, .. } => types(inner),
        // candle's own enumeration: what else it may hold is not about number types.
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;

    use super::*;

    #[test]
    fn an_error_is_its_words_alone() {
        let traced = |inner| Error::WithBacktrace {
            inner: Box::new(inner),
            backtrace: Box::new(Backtrace::force_capture()),
        };
        let error = traced(traced(Error::Msg("no such tensor".into())).with_path("a/b"));
        assert!(error.to_string().lines().count() > 2, "there is a trace to take away");
        let words = Fault::from(error.context("reading")).to_string();
        assert_eq!(words, "reading: no such tensor");
    }
}
