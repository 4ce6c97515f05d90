//! With whom objects are exchanged: archives that images are sent to, and the receiver.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skiagraph_engine::dicom::exchange::{Peer, PeerTls, Pem, ProviderTls, USUAL_PDU};

/// AE title of this platform where nobody says otherwise.
pub const OWN_TITLE: &str = "SKIAGRAPH";

/// An archive that images may be sent to by C-STORE: `[destinations.<name>]`. Administrators make others in the
/// pages, which are records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Host and port.
    pub address: String,
    /// Its AE title.
    pub ae_title: String,
    /// This platform's, as the archive knows it.
    #[serde(default = "own_title")]
    pub calling_ae_title: String,
    /// Whether synthetic images may be sent there: an archive of patients is none of these. Without it
    /// nothing is sent.
    #[serde(default)]
    pub accepts_synthetic: bool,
    /// TLS; without it everything is readable on the way.
    #[serde(default)]
    pub tls: Option<DestinationTls>,
    /// Seconds to wait for it, each time.
    #[serde(default = "usual_seconds")]
    pub timeout_seconds: u64,
    /// Largest P-DATA-TF that it may send.
    #[serde(default = "usual_pdu")]
    pub most_pdu: u32,
}

/// How an association with an archive is secured; all files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationTls {
    /// Certificates of whoever may vouch for the archive.
    pub authorities: PathBuf,
    /// This platform's certificate, where the archive asks for one.
    pub client: Option<ClientCertificate>,
    /// The name in the archive's certificate, where it is not the address's host.
    pub server_name: Option<String>,
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Whoever may send radiographs by C-STORE: `[receiver]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverConfig {
    /// Where the receiver listens; 104 and 11112 are the customary ports, 2762 that of TLS.
    pub bind: SocketAddr,
    /// Its AE title.
    #[serde(default = "own_title")]
    pub ae_title: String,
    /// AE titles that may call. They are claims: only client certificates show who calls.
    pub calling_ae_titles: Vec<String>,
    /// Name of the ML engineer whose uploads the received radiographs are.
    pub user: String,
    /// TLS; without it everything is readable on the way.
    #[serde(default)]
    pub tls: Option<ReceiverTls>,
    /// Largest P-DATA-TF that is taken.
    #[serde(default = "usual_pdu")]
    pub most_pdu: u32,
    /// Associations at one time.
    #[serde(default = "usual_associations")]
    pub most_associations: usize,
    /// Seconds that a caller may be silent.
    #[serde(default = "usual_seconds")]
    pub idle_seconds: u64,
}

/// How the receiver's associations are secured; all files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverTls {
    /// The receiver's certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Certificates of whoever may vouch for callers; with it, a caller needs a certificate.
    pub client_authorities: Option<PathBuf>,
}

fn own_title() -> String {
    OWN_TITLE.to_owned()
}

fn usual_pdu() -> u32 {
    USUAL_PDU
}

fn usual_seconds() -> u64 {
    30
}

fn usual_associations() -> usize {
    8
}

impl Destination {
    /// The archive as the engine calls it.
    pub fn peer(&self) -> Peer {
        Peer {
            address: self.address.clone(),
            called: self.ae_title.clone(),
            calling: self.calling_ae_title.clone(),
            tls: self.tls.as_ref().map(DestinationTls::peer),
            timeout: Duration::from_secs(self.timeout_seconds.max(1)),
            most_pdu: self.most_pdu,
            accepts_synthetic: self.accepts_synthetic,
        }
    }
}

impl DestinationTls {
    fn peer(&self) -> PeerTls {
        PeerTls {
            authorities: Pem::File(self.authorities.clone()),
            identity: self
                .client
                .as_ref()
                .map(|client| (client.certificate.clone(), client.key.clone())),
            server_name: self.server_name.clone(),
        }
    }
}

impl ReceiverTls {
    /// The same for the engine.
    pub fn provider(&self) -> ProviderTls {
        ProviderTls {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_authorities: self.client_authorities.clone(),
        }
    }
}
