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
    /// A temporary folder beside `target`, on the same file system. The folders above are made. What
    /// a killed process left of an earlier one goes: a target has one writer.
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
        let folder = parent(target);
        fs::create_dir_all(folder)?;
        let mut prefix = std::ffi::OsString::from(".pending-");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push("-");
        forget(folder, &prefix)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(usual(0o777));
        let temporary = builder.tempdir_in(folder).map_err(without_path)?;
        Ok(Self { temporary, target: target.to_owned() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Flushes all that it holds and gives the folder its name, in one step.
    ///
    /// # Errors
    /// Whatever the system says; nothing is left then.
    pub fn publish(self) -> io::Result<()> {
        flush(self.path())?;
        let path = self.temporary.keep();
        // Renaming onto an empty folder replaces it.
        fs::rename(&path, &self.target)
            .and_then(|()| flush_folder(parent(&self.target)))
            .inspect_err(|_| {
                let _ = fs::remove_dir_all(&path);
            })
    }
}

/// Gives the finished folder `from` the name `target`, on the same file system: flushes all that it holds,
/// and renames it in one step.
///
/// # Errors
/// Where `target` is a folder that holds something, and whatever the system says.
pub fn publish_folder(from: &Path, target: &Path) -> io::Result<()> {
    flush(from)?;
    fs::rename(from, target)?;
    flush_folder(parent(target))
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
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(usual(0o666));
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"));
    }
    let mut file = builder.tempfile_in(folder).map_err(without_path)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    flush_folder(folder)
}

/// The system's error without the temporary name, which means nothing to whoever gave another.
fn without_path(error: io::Error) -> io::Error {
    error.kind().into()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Permissions of which the system takes away what the process's mask says.
#[cfg(unix)]
fn usual(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// Removes the folders in `folder` whose name begins with `prefix` and goes on with a temporary one's
/// few letters.
fn forget(folder: &Path, prefix: &std::ffi::OsStr) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        if rest.is_some_and(|rest| !rest.contains(&b'-')) && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Flushes every file under a folder, and the folders.
fn flush(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            flush(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    flush_folder(folder)
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
        let error = replace(&desk.path().join("missing/a"), b"one").unwrap_err();
        assert_eq!(error.to_string(), "its folder does not exist");
        std::fs::write(desk.path().join("file"), "").unwrap();
        let error = PendingFolder::beside(&desk.path().join("file/a/b")).unwrap_err();
        assert!(!error.to_string().contains(".pending"), "{error}");
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
