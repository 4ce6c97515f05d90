//! What can keep a model from being pulled.

use std::path::PathBuf;

/// An error of a pull.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The name of a repository, a revision or an endpoint is none.
    #[error("{field}: {cause}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        cause: String,
    },
    /// The hub does not have what was asked for, or does not give it.
    #[error("{what}: {cause}")]
    Refused {
        /// The repository, or the file in it.
        what: String,
        /// Why.
        cause: String,
    },
    /// The connection failed, again and again. What was received is kept, and the next pull goes on from
    /// there.
    #[error("{what}: {cause}; what was received is kept, and the same command goes on from there")]
    Connection {
        /// The repository, or the file in it.
        what: String,
        /// Why.
        cause: String,
    },
    /// A file is not what the hub says it is. It was removed.
    #[error("{file}: its hash is {found}, and the hub states {stated}; the file was removed")]
    Hash {
        /// Which file.
        file: String,
        /// The hash of what was received.
        found: String,
        /// What the hub states.
        stated: String,
    },
    /// A file cannot be written.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

impl HubError {
    pub(super) fn refused(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), cause: cause.into() }
    }

    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}
