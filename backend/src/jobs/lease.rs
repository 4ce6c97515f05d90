//! Who is alive, and who works on what: locks that the kernel releases when a process is killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// An exclusive lock on a file, held until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    _file: File,
}

impl Lease {
    /// Takes the lease `name` in `folder`; `None` when a living process holds it.
    pub fn try_take(folder: &Path, name: &str) -> io::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Gives the lease back and removes its file.
    ///
    /// Only for what nobody will take again: a waiting process would lock the removed file, and a
    /// third one a new file of the same name.
    pub fn retire(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_lease_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lease::try_take(folder.path(), "a").unwrap();
        assert!(first.is_some());
        assert!(Lease::try_take(folder.path(), "a").unwrap().is_none());
        assert!(Lease::try_take(folder.path(), "b").unwrap().is_some());
        drop(first);
        assert!(Lease::try_take(folder.path(), "a").unwrap().is_some());
    }
}
