//! Object storage behind one small type, and the folders of the data directory.

mod folders;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

pub use folders::Folders;

/// Objects by key.
#[derive(Debug, Clone)]
pub struct Storage(Arc<dyn ObjectStore>);

/// Object storage failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It could not be reached, read or written.
    #[error("object storage failed: {0}")]
    Store(#[from] object_store::Error),
    /// Its URL cannot be read.
    #[error("the object storage's URL cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// Its folder cannot be made.
    #[error("the object storage's folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
}

impl Storage {
    /// Objects where `url` says (`s3://bucket/prefix`, with the customary `AWS_…` variables), or
    /// else as files in `folder`.
    pub fn open(url: Option<&str>, folder: &Path) -> Result<Self, StorageError> {
        if let Some(url) = url {
            let (store, prefix) =
                object_store::parse_url_opts(&Url::parse(url)?, std::env::vars())?;
            return Ok(Self(Arc::new(PrefixStore::new(store, prefix))));
        }
        std::fs::create_dir_all(folder)?;
        Self::folder(folder)
    }

    /// Objects as files in a folder.
    pub fn folder(folder: &Path) -> Result<Self, StorageError> {
        Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(folder)?)))
    }

    /// Stores an object; one of the same key is replaced as a whole.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.0.put(&Key::from(key), bytes.into()).await?;
        Ok(())
    }

    /// The object's bytes.
    pub async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        Ok(self.0.get(&Key::from(key)).await?.bytes().await?)
    }

    /// Removes an object; one that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match self.0.delete(&Key::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it answers: asks for an object that there is not.
    pub async fn reach(&self) -> Result<(), StorageError> {
        match self.0.head(&Key::from("reach")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
