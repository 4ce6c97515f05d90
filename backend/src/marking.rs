//! How this installation marks what it makes, and what it holds files of others against: the watermark's key, the
//! signer of content credentials, the certificates that are trusted.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use skiagraph_engine::credential::{Chain, Signer, check_anchors};
use skiagraph_engine::verify::Means;
use skiagraph_engine::watermark::Key;

use crate::config::Config;
use crate::secrets;

/// The organisation that an installation without a certificate of its own signs as.
const ORGANISATION: &str = "Skiagraph installation, self-signed";
/// Between the secret's two parts.
const BEGIN_KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// Marks of this installation; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Marking {
    /// The key of the watermark; without one, images get none.
    pub watermark: Option<Key>,
    /// The key of one's own, which is looked for also where new images get no mark.
    own_key: Option<Key>,
    /// What signs PNGs; without it they get no credential.
    pub signer: Option<Signer>,
    /// The certificates (PEM) whose signers are trusted.
    anchors: Option<String>,
}

/// Where the certificate lies that vouches for the installation's own.
pub fn root_file(data_dir: &Path) -> PathBuf {
    data_dir.join("credential-root.pem")
}

impl Marking {
    /// What the settings say. An installation without a certificate makes its own at the first start: its key
    /// is a secret, and the root that vouches for it is put beside the secrets, for whoever verifies elsewhere.
    ///
    /// # Errors
    /// Names the setting, and what is wrong with its file.
    pub fn open(config: &Config) -> io::Result<Self> {
        let own_key = match &config.watermark_key {
            None => None,
            Some(path) => {
                let secret = of_setting("watermark_key", path, fs::read(path))?;
                Some(of_setting("watermark_key", path, Key::from_secret(&secret))?)
            }
        };
        let watermark = config.watermark.then(|| own_key.clone().unwrap_or_default());
        let mut anchors = match &config.trusted_certificates {
            None => String::new(),
            Some(path) => {
                let text = of_setting("trusted_certificates", path, fs::read_to_string(path))?;
                of_setting("trusted_certificates", path, check_anchors(&text))?;
                text
            }
        };
        let signer = match (&config.credential_certificate, &config.credential_key) {
            _ if !config.credentials => None,
            (None, None) => {
                let (signer, root) = own(&config.data_dir)?;
                anchors.push('\n');
                anchors.push_str(&root);
                Some(signer)
            }
            (Some(certificate), Some(key)) => {
                let of_key = of_setting("credential_key", key, fs::read_to_string(key))?;
                let read = fs::read_to_string(certificate);
                let chain = of_setting("credential_certificate", certificate, read)?;
                let signer = Signer::new(&chain, &of_key);
                // Whoever was given this certificate trusts it.
                anchors.push('\n');
                anchors.push_str(&chain);
                Some(of_setting("credential_certificate", certificate, signer)?)
            }
            (Some(_), None) | (None, Some(_)) => {
                let cause = "credential_certificate and credential_key must be given together";
                return Err(io::Error::other(cause));
            }
        };
        let anchors = Some(anchors).filter(|anchors| !anchors.trim().is_empty());
        Ok(Self { watermark, own_key, signer, anchors })
    }

    /// What files are held against: the installation's own marks, and those that everybody has.
    pub fn means(&self) -> Means {
        Means { keys: self.own_key.iter().cloned().collect(), anchors: self.anchors.clone() }
    }
}

/// The installation's own signer, and the root (PEM) that vouches for it; made when there is none yet.
fn own(data_dir: &Path) -> io::Result<(Signer, String)> {
    let secret = secrets::text(data_dir, "credential.pem", || {
        let chain = Chain::new(ORGANISATION).map_err(io::Error::other)?;
        Ok(format!("{}{}", chain.certificates, chain.key))
    })?;
    let (certificates, key) = secret
        .find(BEGIN_KEY)
        .map(|at| secret.split_at(at))
        .ok_or_else(|| io::Error::other("the secret credential.pem holds no private key"))?;
    let signer = Signer::new(certificates, key).map_err(|cause| {
        io::Error::other(format!(
            "the secret credential.pem cannot be used: {cause}; without the file a new certificate is made, and the \
             old credential-root.pem belongs among the trusted_certificates"
        ))
    })?;
    // The signer's certificate comes first, the root last.
    let root =
        certificates.rfind("-----BEGIN CERTIFICATE-----").map_or("", |at| &certificates[at..]);
    let path = root_file(data_dir);
    if fs::read_to_string(&path).ok().as_deref() != Some(root) {
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        file.write_all(root.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
    }
    Ok((signer, root.to_owned()))
}

/// The error by the name of its setting and file.
fn of_setting<T, E: std::fmt::Display>(
    setting: &str,
    path: &Path,
    result: Result<T, E>,
) -> io::Result<T> {
    result.map_err(|cause| io::Error::other(format!("{setting}: {}: {cause}", path.display())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use skiagraph_engine::credential::CredentialState;
    use skiagraph_engine::dicom::{Frame, SyntheticDescription, png_with_provenance};
    use skiagraph_engine::verify::{CredentialFinding, verify};

    use super::*;

    fn config(folder: &Path) -> Config {
        Config { data_dir: folder.to_owned(), ..Config::default() }
    }

    /// What a picture that `by` has signed is worth to `to`.
    fn worth(by: &Marking, to: &Marking) -> CredentialState {
        let frame = Frame { width: 4, height: 4, pixels: vec![0.5; 16] };
        let png = png_with_provenance(&frame, &SyntheticDescription::default()).unwrap();
        let signed = by.signer.as_ref().unwrap().sign_png(&png).unwrap();
        match verify(&signed, &to.means()).unwrap().credential {
            CredentialFinding::Present(found) => found.state,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn an_installation_signs_with_the_same_certificate_after_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let first = Marking::open(&config(folder.path())).unwrap();
        let root = fs::read_to_string(root_file(folder.path())).unwrap();
        assert_eq!(root.matches("BEGIN CERTIFICATE").count(), 1);
        assert!(!root.contains("PRIVATE"));
        assert!(first.signer.is_some() && first.watermark == Some(Key::public()));
        fs::write(root_file(folder.path()), "another").unwrap();
        let second = Marking::open(&config(folder.path())).unwrap();
        assert_eq!(fs::read_to_string(root_file(folder.path())).unwrap(), root);
        assert_eq!(second.anchors, first.anchors);
        assert_eq!(worth(&first, &second), CredentialState::Trusted);

        // Another installation, which does not know this one, and then does.
        let elsewhere = tempfile::tempdir().unwrap();
        let stranger = Marking::open(&config(elsewhere.path())).unwrap();
        assert_eq!(worth(&first, &stranger), CredentialState::Valid);
        let trusted_certificates = Some(root_file(folder.path()));
        let friend = Config { trusted_certificates, ..config(elsewhere.path()) };
        let friend = Marking::open(&friend).unwrap();
        assert_eq!(worth(&first, &friend), CredentialState::Trusted);
        assert_eq!(worth(&friend, &friend), CredentialState::Trusted);
    }

    #[test]
    fn marks_can_be_turned_off_and_be_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let off = Config { watermark: false, credentials: false, ..config(folder.path()) };
        let none = Marking::open(&off).unwrap();
        assert!(none.signer.is_none() && none.watermark.is_none() && none.anchors.is_none());
        assert!(!folder.path().join("secrets").exists());

        let path = |name: &str| folder.path().join(name);
        let chain = Chain::new("Ward 7").unwrap();
        fs::write(path("chain.pem"), &chain.certificates).unwrap();
        fs::write(path("key.pem"), &chain.key).unwrap();
        fs::write(path("watermark.key"), [9; 32]).unwrap();
        let own = Config {
            watermark_key: Some(path("watermark.key")),
            credential_certificate: Some(path("chain.pem")),
            credential_key: Some(path("key.pem")),
            ..config(folder.path())
        };
        let marking = Marking::open(&own).unwrap();
        assert_eq!(marking.means().keys, [Key::from_secret(&[9; 32]).unwrap()]);
        assert!(marking.signer.is_some() && !root_file(folder.path()).exists());
        assert_eq!(worth(&marking, &marking), CredentialState::Trusted);
        // Images of before are still looked for.
        let no_more = Marking::open(&Config { watermark: false, ..own.clone() }).unwrap();
        assert_eq!((&no_more.watermark, no_more.means().keys.len()), (&None, 1));

        let refused = |config: Config| Marking::open(&config).unwrap_err().to_string();
        let half = Config { credential_key: None, ..own.clone() };
        assert!(refused(half).contains("must be given together"));
        fs::write(path("list.pem"), "no certificate").unwrap();
        let list = Config { trusted_certificates: Some(path("list.pem")), ..own.clone() };
        assert!(refused(list).starts_with("trusted_certificates: "));
        fs::write(path("watermark.key"), "short").unwrap();
        assert!(refused(own.clone()).starts_with("watermark_key: "));
        let gone = Config { watermark_key: None, credential_key: Some(path("gone")), ..own };
        assert!(refused(gone).starts_with("credential_key: "));
    }
}
