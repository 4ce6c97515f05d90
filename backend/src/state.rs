//! What every handler of this process shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::{Ledger, Throttle, Tokens};
use crate::config::Config;
use crate::storage::{Folders, Storage};

/// What every handler shares. The database is not in sight: it lies behind the ledger, which opens
/// to guards.
#[derive(Debug)]
pub struct AppState {
    /// The settings.
    pub config: Config,
    /// The objects.
    pub storage: Storage,
    /// The data directory.
    pub folders: Folders,
    /// What works.
    pub readiness: Readiness,
    /// The database behind the audit log.
    pub ledger: Ledger,
    /// Makes and reads access tokens.
    pub tokens: Tokens,
    /// Slows down who guesses passwords.
    pub throttle: Throttle,
}

/// Which parts of the platform work; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    worker: AtomicBool,
    model: AtomicBool,
}

impl Readiness {
    /// Notes whether jobs are taken.
    pub fn set_worker(&self, works: bool) {
        self.parts.worker.store(works, Ordering::Release);
    }

    /// Notes whether a model is loaded.
    pub fn set_model(&self, works: bool) {
        self.parts.model.store(works, Ordering::Release);
    }

    /// Whether jobs are taken.
    pub fn worker(&self) -> bool {
        self.parts.worker.load(Ordering::Acquire)
    }

    /// Whether a model is loaded.
    pub fn model(&self) -> bool {
        self.parts.model.load(Ordering::Acquire)
    }
}
