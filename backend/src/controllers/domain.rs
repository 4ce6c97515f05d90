//! What the handlers of the domain work with, beside the records: those are reached through a guard
//! alone.

use std::sync::Arc;

use rand::Rng;
use skiagraph_engine::serve::Service;
use skiagraph_engine::verify::Means;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::destinations::Destinations;
use crate::error::ApiError;
use crate::intake::{self, Examiner, Janitor, Limits};
use crate::jobs::{JobContext, Progress, Queue};
use crate::storage::{Folders, Storage};

/// Objects and queues; cheap to clone.
#[derive(Debug, Clone)]
pub struct Domain {
    /// The objects.
    pub storage: Storage,
    /// The data directory.
    pub folders: Folders,
    /// Where long work is asked for.
    pub queue: Queue,
    /// News of work in this process.
    pub progress: Progress,
    /// The loaded model, if there is one.
    pub service: Option<Service>,
    /// Who clears away what an upload that failed has stored.
    pub janitor: Janitor,
    /// The process is about to end: streams of events end too.
    pub shutdown: CancellationToken,
    /// What an upload may hold.
    pub limits: Limits,
    /// Archives that images may be sent to.
    pub destinations: Destinations,
    /// What looks at radiographs that come in.
    pub examiner: Arc<Examiner>,
    /// The secret that pseudonyms of patients are made with.
    pub pseudonym_key: Arc<[u8]>,
    /// What files are held against when it is asked what they are.
    pub means: Arc<Means>,
    /// Turns of looking at such files, which are held in memory with all their pixels; the others wait on disk.
    pub looks: Arc<Semaphore>,
}

/// Files that are looked at at the same time.
const LOOKS: usize = 2;

impl Domain {
    /// The domain over what the jobs work with.
    ///
    /// # Errors
    /// Where the key is too short to protect anything.
    pub fn new(
        context: &JobContext,
        limits: Limits,
        pseudonym_key: Arc<[u8]>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            storage: context.storage.clone(),
            folders: context.folders.clone(),
            queue: context.queue.clone(),
            progress: context.progress.clone(),
            service: context.service.clone(),
            janitor: Janitor::new(context.db.clone(), context.storage.clone()),
            shutdown: context.shutdown.clone(),
            limits,
            destinations: context.destinations.clone(),
            examiner: Arc::new(intake::examiner(&pseudonym_key)?),
            pseudonym_key,
            means: Arc::new(context.marking.means()),
            looks: Arc::new(Semaphore::new(LOOKS)),
        })
    }

    /// The model, or the problem that there is none.
    pub fn model(&self) -> Result<&Service, ApiError> {
        self.service.as_ref().ok_or(ApiError::Unavailable("no model is loaded"))
    }
}

/// A seed for whoever gave none; exact in every client.
pub fn drawn_seed() -> u64 {
    rand::rng().random_range(0..1 << 32)
}
