//! Results that outlive a process: written under a temporary name, flushed, renamed.
//!
//! Whoever looks at a folder's final name sees all of it or nothing, whenever the process or the
//! machine stops.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that has not got its name yet; dropped, it is gone.
#[derive(Debug)]
pub struct PendingFolder {
    temporary: TempDir,
    target: PathBuf,
}

impl PendingFolder {
    /// A temporary folder beside `target`, on the same file system. The folders above are made.
    ///
    /// # Errors
    /// [`io::ErrorKind::DirectoryNotEmpty`] when `target` is a folder that holds something, and
    /// whatever the system says.
    pub fn beside(target: &Path) -> io::Result<Self> {
        match fs::read_dir(target) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(io::Error::new(
                        io::ErrorKind::DirectoryNotEmpty,
                        "the folder exists and is not empty",
                    ));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let parent = parent(target);
        fs::create_dir_all(parent)?;
        let temporary = tempfile::Builder::new().prefix(".pending-").tempdir_in(parent)?;
        Ok(Self { temporary, target: target.to_owned() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the folder its name, in one step. Files are flushed by [`write`].
    ///
    /// # Errors
    /// Whatever the system says; nothing is left then.
    pub fn publish(self) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A temporary folder is its owner's alone; what is published has the usual permissions.
            fs::set_permissions(self.path(), fs::Permissions::from_mode(0o755))?;
        }
        let path = self.temporary.keep();
        // Renaming onto an empty folder replaces it.
        fs::rename(&path, &self.target)
            .and_then(|()| flush_folder(parent(&self.target)))
            .inspect_err(|_| {
                let _ = fs::remove_dir_all(&path);
            })
    }
}

/// Writes a whole file and flushes it to the disk, under the name given: for files within a
/// [`PendingFolder`].
///
/// # Errors
/// Whatever the system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Writes a file under a temporary name in its folder, flushes it and renames it: `path` is either
/// the old file or the whole new one.
///
/// # Errors
/// Whatever the system says; the old file is left then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    flush_folder(folder)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A rename is on the disk when its folder is.
fn flush_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("a");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 1);
        assert!(replace(&desk.path().join("missing/a"), b"one").is_err());
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let desk = tempfile::tempdir().unwrap();
        let target = desk.path().join("above/target");
        let pending = PendingFolder::beside(&target).unwrap();
        write(&pending.path().join("a"), b"one").unwrap();
        assert!(!target.exists());
        pending.publish().unwrap();
        assert_eq!(fs::read(target.join("a")).unwrap(), b"one");

        let error = PendingFolder::beside(&target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);

        drop(PendingFolder::beside(&desk.path().join("above/other")).unwrap());
        assert_eq!(fs::read_dir(desk.path().join("above")).unwrap().count(), 1);
    }
}
