//! What every job needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sea_orm::DatabaseConnection;
use skiagraph_compliance::audit::Signer;
use skiagraph_engine::device::Device;
use skiagraph_engine::serve::Service;
use tokio_util::sync::CancellationToken;

use super::{Permit, Progress, Queue};
use crate::audit;
use crate::config::Destination;
use crate::destinations::Destinations;
use crate::marking::Marking;
use crate::storage::{Folders, Storage};

/// What every job needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct JobContext {
    /// The records.
    pub db: DatabaseConnection,
    /// The objects.
    pub storage: Storage,
    /// The data directory.
    pub folders: Folders,
    /// Signs the audit log.
    pub signer: Signer,
    /// The queues.
    pub queue: Queue,
    /// The device's permit.
    pub permit: Permit,
    /// Where news are told.
    pub progress: Progress,
    /// The folder of the model that runs start from.
    pub model: PathBuf,
    /// What computes runs; the loaded model has its own.
    pub device: Device,
    /// The loaded model; without one, generations wait.
    pub service: Option<Service>,
    /// Archives that images may be sent to.
    pub destinations: Destinations,
    /// How images are marked.
    pub marking: Marking,
    /// The process is about to end: work stops at its next step and goes on after the restart.
    pub shutdown: CancellationToken,
}

impl JobContext {
    /// Opens the queues of the data directory and loads the model in `model` onto `device`. Where the model does
    /// not load, the log says why, and generations wait until a worker has one.
    pub async fn open(
        db: DatabaseConnection,
        storage: Storage,
        folders: Folders,
        (model, device): (PathBuf, Device),
        destinations: BTreeMap<String, Destination>,
        marking: Marking,
        shutdown: CancellationToken,
    ) -> Result<Self, JobError> {
        let queue = Queue::open(&folders.queue()).await?;
        let signer = audit::signer(folders.root())?;
        let (folder, onto) = (model.clone(), device.clone());
        let opened = tokio::task::spawn_blocking(move || Service::open(&folder, &onto)).await;
        let service = match opened {
            Ok(Ok(service)) => Some(service),
            Ok(Err(error)) => {
                tracing::error!(%error, "the model does not load");
                None
            }
            Err(_) => return Err(JobError::Panicked),
        };
        let destinations = Destinations::new(destinations, folders.root());
        Ok(Self {
            db,
            storage,
            folders,
            signer,
            queue,
            permit: Permit::default(),
            progress: Progress::default(),
            model,
            device,
            service,
            destinations,
            marking,
            shutdown,
        })
    }
}

/// Work cannot go on now, through no fault of its record; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// Object storage failed.
    #[error(transparent)]
    Storage(#[from] crate::storage::StorageError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] super::QueueError),
    /// A folder of the data directory failed.
    #[error("the data directory failed: {0}")]
    Io(#[from] std::io::Error),
    /// There is no model to generate with.
    #[error("no model is loaded")]
    NoModel,
    /// A job's thread died.
    #[error("the work panicked")]
    Panicked,
    /// The process is about to end.
    #[error("the process is about to end; the work goes on after the restart")]
    Shutdown,
}
