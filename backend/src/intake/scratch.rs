//! A folder that lives as long as one upload.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

const LOCK: &str = "lock";
const INTENT: &str = "objects.json";

/// A scratch folder; removed when dropped.
///
/// Its lock file is locked for as long as the process lives: the kernel releases it when the
/// process is killed, and so the next start knows which folders nobody uses any more.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

/// A scratch folder whose process is gone.
#[derive(Debug)]
pub struct Abandoned {
    path: PathBuf,
    /// Keys of the objects that the upload may have stored before it was cut off.
    pub objects: Vec<String>,
}

impl Scratch {
    /// Makes a new folder under `root`.
    pub fn new(root: &Path) -> io::Result<Self> {
        let path = root.join(Uuid::now_v7().to_string());
        fs::create_dir_all(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder; the number makes the name, nothing that came from
    /// outside does.
    pub(super) fn file(&self, kind: &str, number: usize) -> PathBuf {
        self.path.join(format!("{kind}-{number:06}"))
    }

    /// Notes the objects that are about to be stored, so that they can be removed if the process
    /// dies before their rows are committed.
    pub(super) fn intend(&self, objects: &[String]) -> io::Result<()> {
        let mut file = File::create(self.path.join(INTENT))?;
        file.write_all(&serde_json::to_vec(objects)?)?;
        file.sync_all()
    }

    /// The folders under `root` that no living process holds.
    pub fn abandoned(root: &Path) -> io::Result<Vec<Abandoned>> {
        let entries = match fs::read_dir(root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut abandoned = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if !path.is_dir() {
                fs::remove_file(&path)?;
                continue;
            }
            // Between the folder and its lock a living process needs a moment; a folder without
            // a lock that is older than that was cut off there.
            match File::open(path.join(LOCK)) {
                Ok(lock) => match lock.try_lock() {
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => continue,
                    Err(TryLockError::Error(error)) => return Err(error),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if !older_than_a_minute(&path) {
                        continue;
                    }
                }
                Err(error) => return Err(error),
            }
            let objects = fs::read(path.join(INTENT))
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default();
            abandoned.push(Abandoned { path, objects });
        }
        Ok(abandoned)
    }
}

impl Abandoned {
    /// Removes the folder; its objects have been dealt with.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "a scratch folder stays until the next start");
        }
    }
}

fn older_than_a_minute(path: &Path) -> bool {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| modified.elapsed().ok())
        .is_some_and(|age| age.as_secs() > 60)
}
