//! The key that signs the log, and its public half for whoever verifies an export.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use skiagraph_compliance::audit::Signer;

use crate::secrets;

/// Where the public key lies in a data directory.
pub fn public_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("audit-public-key.pem")
}

/// The key of this installation; made at random when there is none yet. Its public half is put beside
/// the secrets, where everybody who may enter the data directory can read it.
///
/// # Errors
/// When the secret cannot be used, or the public key cannot be written.
pub fn signer(data_dir: &Path) -> io::Result<Signer> {
    let signer = Signer::new(&secrets::load_or_create(data_dir, "audit.key")?);
    let pem = signer.public_key().to_pem().map_err(io::Error::other)?;
    let path = public_key_file(data_dir);
    if std::fs::read_to_string(&path).ok().as_deref() != Some(pem.as_str()) {
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        file.write_all(pem.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
    }
    Ok(signer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use skiagraph_compliance::audit::PublicKey;

    use super::*;

    #[test]
    fn the_public_key_lies_beside_the_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let key = signer(folder.path()).unwrap().public_key();
        let file = public_key_file(folder.path());
        let read = || PublicKey::from_pem(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(read(), key);
        // What somebody put in its place does not stay.
        std::fs::write(&file, "another").unwrap();
        assert_eq!(signer(folder.path()).unwrap().public_key(), key);
        assert_eq!(read(), key);
    }
}
