//! The folders of the data directory. Objects have keys and live in object storage; here is what
//! must be a folder: data sets and runs, which the engine reads and writes, and what holds work
//! together on this machine.

use std::path::{Path, PathBuf};

/// The data directory.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// The folders under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Uploads on their way in.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Locks of records that are worked on.
    pub fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Locks of living workers.
    pub fn workers(&self) -> PathBuf {
        self.root.join("workers")
    }

    /// The secret that pseudonyms of patients are made with.
    pub fn pseudonym_key(&self) -> PathBuf {
        self.root.join("pseudonym.key")
    }

    /// The queues' database.
    pub fn queue(&self) -> PathBuf {
        self.root.join("jobs.sqlite")
    }

    /// A data set.
    pub fn dataset(&self, id: &str) -> PathBuf {
        self.root.join("datasets").join(id)
    }

    /// The DICOM files of a data set that is being built.
    pub fn dataset_sources(&self, id: &str) -> PathBuf {
        self.root.join("work").join("datasets").join(id)
    }

    /// A run: its configuration, checkpoints and result.
    pub fn run(&self, id: &str) -> PathBuf {
        self.root.join("runs").join(id)
    }

    /// A path as a record holds it: relative, so that the data directory may be moved.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// A path from a record.
    pub fn absolute(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }
}
