//! What candle could not do, in words for a person.

use candle_core::Error;

/// An error of candle without what it adds for programmers: a backtrace where the environment asks for one
/// (`RUST_BACKTRACE`), and the file's path, which whoever opened the file names.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    /// An error in one's own words.
    pub fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }

    /// The words of an error of candle, for an error of one's own.
    pub fn words(error: Error) -> String {
        Self::from(error).0
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(words(&error))
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::WithBacktrace { inner, .. } | Error::WithPath { inner, .. } => words(inner),
        Error::Context { inner, context } => format!("{context}: {}", words(inner)),
        other => other.to_string(),
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
