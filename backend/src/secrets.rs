//! Secrets of this installation: files in the data directory that only its owner may read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rand::TryRngCore;
use rand::rngs::OsRng;

/// Bytes of a secret.
pub const LENGTH: usize = 32;

/// The secret `name`; made at random when there is none yet.
///
/// # Errors
/// When the file cannot be read or made, is not of the right length, or others may read it.
pub fn load_or_create(data_dir: &Path, name: &str) -> io::Result<[u8; LENGTH]> {
    let bytes = load_or_make(data_dir, name, || {
        let mut secret = [0; LENGTH];
        OsRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
        Ok(secret.to_vec())
    })?;
    let path = data_dir.join("secrets").join(name);
    bytes.try_into().map_err(|_| refused(&path, "it is not of the right length"))
}

/// The secret text `name`; what `make` makes when there is none yet.
///
/// # Errors
/// When the file cannot be read or made, is no text, or others may read it.
pub fn text(
    data_dir: &Path,
    name: &str,
    make: impl FnOnce() -> io::Result<String>,
) -> io::Result<String> {
    let bytes = load_or_make(data_dir, name, || make().map(String::into_bytes))?;
    let path = data_dir.join("secrets").join(name);
    String::from_utf8(bytes).map_err(|_| refused(&path, "it is no text"))
}

/// Takes the secret `name` away; one that is not there is away.
///
/// # Errors
/// When the file cannot be removed.
pub fn remove(data_dir: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(data_dir.join("secrets").join(name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn load_or_make(
    data_dir: &Path,
    name: &str,
    make: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    let folder = data_dir.join("secrets");
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    }
    let path = folder.join(name);
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        result => return result,
    }
    let secret = make()?;
    // Written whole before it has its name; where another process was faster, its secret counts.
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => read(&path),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return Err(refused(path, "others may read it; its mode must be 0600"));
    }
    Ok(bytes)
}

fn refused(path: &Path, cause: &str) -> io::Error {
    io::Error::other(format!("the secret {} cannot be used: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_create(folder.path(), "token.key").unwrap();
        assert_eq!(load_or_create(folder.path(), "token.key").unwrap(), first);
        assert_ne!(load_or_create(folder.path(), "other.key").unwrap(), first);
        let path = folder.path().join("secrets/token.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_or_create(folder.path(), "token.key").is_err());
    }

    #[test]
    fn a_secret_that_is_removed_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        text(folder.path(), "one", || Ok("said once".to_owned())).unwrap();
        remove(folder.path(), "one").unwrap();
        remove(folder.path(), "one").unwrap();
        assert!(!folder.path().join("secrets/one").exists());
    }
}
