//! Certificates of one's own, for who has none of a public authority.

use chrono::{Datelike, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use super::CredentialError;

/// Years that a chain is good for. Without a time stamp of an authority, a credential ends with its certificate.
const YEARS: i32 = 10;
/// The purpose of signing claims: 1.3.6.1.4.1.62558.2.1 (C2PA 2.2, 14.5.1, certificate profiles).
const CLAIM_SIGNING: [u64; 9] = [1, 3, 6, 1, 4, 1, 62558, 2, 1];

/// A certificate for signing with its key, and the root that vouches for it and for nothing else: the root's key
/// is thrown away.
pub struct Chain {
    /// The signer's certificate and the root's, as PEM.
    pub certificates: String,
    /// The signer's private key (ECDSA over P-256), as PEM.
    pub key: String,
    /// The root's certificate, as PEM: whoever trusts it trusts the signer.
    pub root: String,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Chain {
    /// A new chain in the name of `organisation`, good from yesterday on for ten years.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new(organisation: &str) -> Result<Self, CredentialError> {
        Self::make(organisation)
            .map_err(|cause| CredentialError::Signer { cause: cause.to_string() })
    }

    fn make(organisation: &str) -> Result<Self, rcgen::Error> {
        let mut root = parameters(organisation, "Skiagraph installation root")?;
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let root_certificate = root.self_signed(&root_key)?;

        let mut signer = parameters(organisation, "Skiagraph content credentials")?;
        signer.is_ca = IsCa::ExplicitNoCa;
        signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A reader that was given no list of purposes knows the second alone.
        signer.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::Other(CLAIM_SIGNING.to_vec()),
            ExtendedKeyUsagePurpose::EmailProtection,
        ];
        signer.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = signer.signed_by(&key, &Issuer::new(root, root_key))?;
        let root = root_certificate.pem();
        Ok(Self {
            certificates: format!("{}{root}", certificate.pem()),
            key: key.serialize_pem(),
            root,
        })
    }
}

fn parameters(organisation: &str, name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::<String>::new())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    subject.push(DnType::CommonName, name);
    parameters.distinguished_name = subject;
    // Clocks differ: what is signed today is good on a machine that is behind.
    let today = Utc::now().date_naive();
    let from = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    parameters.not_before = date_time_ymd(from.year(), from.month() as u8, from.day() as u8);
    // The first of the month is a day of every year.
    parameters.not_after = date_time_ymd(from.year() + YEARS, from.month() as u8, 1);
    Ok(parameters)
}
