//! Archives that released images may be sent to: those of the configuration, and those that
//! administrators have made. A name of the configuration's goes before one of a record.
//!
//! ```text
//! name → Known (configuration or record) → Archive (with what opens it) → echo, send
//! ```

mod archive;
mod response;
mod stow;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

pub use archive::{Archive, ArchiveError};
pub use stow::{Credential, WebPeer};

use crate::config::Destination;
use crate::entities::destinations::Model;
use crate::models;
use crate::secrets;

/// Where archives are found; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    configured: Arc<BTreeMap<String, Destination>>,
    data_dir: PathBuf,
}

/// An archive, from wherever it is known.
#[derive(Debug, Clone)]
pub enum Known {
    /// The configuration names it.
    Configured(Box<Destination>),
    /// An administrator has made it.
    Record(Box<Model>),
}

impl Known {
    /// Whether synthetic images may be sent there; without it nothing is.
    pub fn accepts_synthetic(&self) -> bool {
        match self {
            Self::Configured(destination) => destination.accepts_synthetic,
            Self::Record(model) => model.accepts_synthetic,
        }
    }
}

impl Destinations {
    /// Those of the configuration, and whose secrets lie in `data_dir`.
    pub fn new(configured: BTreeMap<String, Destination>, data_dir: &Path) -> Self {
        Self { configured: Arc::new(configured), data_dir: data_dir.to_owned() }
    }

    /// The archive of this name.
    pub async fn find(
        &self,
        db: &impl ConnectionTrait,
        name: &str,
    ) -> Result<Option<Known>, DbErr> {
        if let Some(destination) = self.configured.get(name) {
            return Ok(Some(Known::Configured(Box::new(destination.clone()))));
        }
        let model = models::destinations::get(db, name).await?;
        Ok(model.map(|model| Known::Record(Box::new(model))))
    }

    /// All of them, by name.
    pub async fn all(&self, db: &impl ConnectionTrait) -> Result<Vec<(String, Known)>, DbErr> {
        let mut all: BTreeMap<String, Known> = models::destinations::list(db)
            .await?
            .into_iter()
            .map(|model| (model.name.clone(), Known::Record(Box::new(model))))
            .collect();
        for (name, destination) in self.configured.iter() {
            all.insert(name.clone(), Known::Configured(Box::new(destination.clone())));
        }
        Ok(all.into_iter().collect())
    }

    /// The archive as it is spoken with. Reads the file that opens it.
    ///
    /// # Errors
    /// When the file is gone or others may read it, or a record holds an unknown word.
    pub fn archive(&self, known: &Known) -> io::Result<Archive> {
        match known {
            Known::Configured(destination) => Ok(Archive::Dimse(destination.peer())),
            Known::Record(model) => archive::of_record(model, || {
                let name = model.secret.as_deref().unwrap_or_default();
                secrets::text(&self.data_dir, name, || {
                    Err(io::Error::other("the file that opens the archive is gone"))
                })
            }),
        }
    }

    /// Keeps what opens an archive in a file that only its owner may read. Returns the file's name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_secret(&self, text: String) -> io::Result<String> {
        // A name of its own each time: until a record names it, the old one holds.
        let name = format!("destination-{}", Uuid::now_v7());
        secrets::text(&self.data_dir, &name, || Ok(text))?;
        Ok(name)
    }

    /// Takes away what no record names any more. A failure is told to the log alone: the record has
    /// changed already.
    pub fn forget_secret(&self, name: &str) {
        if let Err(error) = secrets::remove(&self.data_dir, name) {
            tracing::warn!(%error, "a secret that nobody needs any more cannot be removed");
        }
    }
}
