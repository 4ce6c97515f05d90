//! Signing a PNG.

use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use c2pa::{Builder, BuilderIntent, Context, DigitalSourceType, SigningAlg, create_signer};
use serde_json::json;

use super::{CredentialError, CredentialState, PROVENANCE_LABEL, read};
use crate::dicom::{Frame, SyntheticDescription, png_with_provenance, read_provenance};

/// The kinds of keys that sign, in the order in which they are tried.
const ALGORITHMS: [SigningAlg; 5] = [
    SigningAlg::Es256,
    SigningAlg::Es384,
    SigningAlg::Es512,
    SigningAlg::Ed25519,
    SigningAlg::Ps256,
];

/// A certificate with its key. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    certificates: Arc<str>,
    key: Arc<str>,
    algorithm: SigningAlg,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs with `certificates` (PEM, the signer's own first) and its private `key` (PEM, PKCS #8): ECDSA over
    /// P-256, P-384 or P-521, Ed25519, or RSA with PSS. A picture is signed and read back, so that what does
    /// not fit together, or is not for signing claims, is told here.
    ///
    /// # Errors
    /// [`CredentialError::Signer`] says why no credential of theirs would hold.
    pub fn new(certificates: &str, key: &str) -> Result<Self, CredentialError> {
        let fault = |cause: String| CredentialError::Signer { cause };
        if !certificates.contains("BEGIN CERTIFICATE") {
            return Err(fault("there is no certificate in PEM".to_owned()));
        }
        if !key.contains("BEGIN PRIVATE KEY") {
            return Err(fault(
                "there is no private key in PEM (PKCS #8, not encrypted)".to_owned(),
            ));
        }
        let fits = |algorithm: &SigningAlg| {
            let made =
                create_signer::from_keys(certificates.as_bytes(), key.as_bytes(), *algorithm, None);
            made.is_ok_and(|signer| signer.sign(b"Skiagraph").is_ok())
        };
        let algorithm = ALGORITHMS.into_iter().find(fits).ok_or_else(|| {
            fault(
                "the key is neither of ECDSA over P-256, P-384 or P-521 nor Ed25519 nor RSA"
                    .to_owned(),
            )
        })?;
        let signer = Self { certificates: certificates.into(), key: key.into(), algorithm };
        let frame = Frame { width: 2, height: 2, pixels: vec![0.0; 4] };
        let trial = png_with_provenance(&frame, &SyntheticDescription::default())?;
        let signed = signer.sign_png(&trial).map_err(|error| fault(error.to_string()))?;
        match read(&signed, None)? {
            Some(found) if found.state != CredentialState::Invalid => Ok(signer),
            Some(found) => Err(fault(found.faults.join(", "))),
            None => Err(fault("nothing was signed".to_owned())),
        }
    }

    /// The PNG with a credential that says how it was made, by what its own text says of it.
    ///
    /// # Errors
    /// Where the PNG says nothing of its making, or cannot be signed.
    pub fn sign_png(&self, png: &[u8]) -> Result<Vec<u8>, CredentialError> {
        let description = read_provenance(png)?;
        self.write(png, &description)
            .map_err(|cause| CredentialError::Write { cause: cause.to_string() })
    }

    fn write(&self, png: &[u8], description: &SyntheticDescription) -> c2pa::Result<Vec<u8>> {
        let (certificates, key) = (self.certificates.as_bytes(), self.key.as_bytes());
        let signer = create_signer::from_keys(certificates, key, self.algorithm, None)?;
        let context = Context::new().with_settings(super::read::settings(None))?;
        let mut builder = Builder::from_context(context).with_definition(json!({
            "claim_generator_info": [{ "name": "Skiagraph", "version": crate::VERSION }],
            "title": "Synthetic radiograph",
        }))?;
        builder.set_intent(BuilderIntent::Create(DigitalSourceType::TrainedAlgorithmicMedia));
        builder.add_assertion_json(PROVENANCE_LABEL, description)?;
        let mut signed = Cursor::new(Vec::new());
        builder.sign(signer.as_ref(), "image/png", &mut Cursor::new(png), &mut signed)?;
        Ok(signed.into_inner())
    }
}
