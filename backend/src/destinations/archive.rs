//! An archive as it is spoken with, by an association or by the web. Everything here blocks.

use std::io;
use std::time::Duration;

use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::exchange::{
    self, ExchangeError, Outcome, Peer, PeerTls, Pem, USUAL_PDU,
};
use url::Url;

use super::stow::{self, Credential, WebPeer};
use crate::config::OWN_TITLE;
use crate::entities::destinations::Model;
use crate::models::destinations::{Authentication, DestinationKind};

/// Whom images are sent to.
#[derive(Debug, Clone)]
pub enum Archive {
    /// By C-STORE.
    Dimse(Peer),
    /// By STOW-RS.
    Web(WebPeer),
}

/// An archive was not reached, or did not do what it was asked. No value of an attribute stands in it,
/// and nothing that opens the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// On an association, or before anybody was asked.
    #[error(transparent)]
    Dicom(#[from] ExchangeError),
    /// On the web.
    #[error("{peer}: {cause}")]
    Web {
        /// Host and port.
        peer: String,
        /// Why.
        cause: String,
    },
}

impl Archive {
    /// The word in the audit log for how images go there.
    pub const fn by(&self) -> &'static str {
        match self {
            Self::Dimse(_) => "c_store",
            Self::Web(_) => "stow_rs",
        }
    }

    /// Asks whether it is there and lets this platform in: C-ECHO, or a search for one study whose
    /// answer is not read.
    ///
    /// # Errors
    /// [`ArchiveError`] says what of it failed.
    pub fn echo(&self) -> Result<(), ArchiveError> {
        match self {
            Self::Dimse(peer) => Ok(exchange::echo(peer)?),
            Self::Web(peer) => stow::echo(peer),
        }
    }

    /// Sends `count` objects. `read` gives the bytes of an object, from 0, as a Part 10 file, twice
    /// each; `told` hears what became of each. What the archive does not keep keeps the others from
    /// nothing.
    ///
    /// # Errors
    /// Before anybody is asked where an object cannot be read or must not go there; later what ends
    /// all of it.
    pub fn send(
        &self,
        count: usize,
        read: &mut dyn FnMut(usize) -> io::Result<Vec<u8>>,
        told: &mut dyn FnMut(usize, &Outcome),
        cancel: &CancelToken,
    ) -> Result<(), ArchiveError> {
        match self {
            Self::Dimse(peer) => Ok(exchange::send(peer, count, read, told, cancel)?),
            Self::Web(peer) => stow::send(peer, count, read, told, cancel),
        }
    }
}

/// The archive of a record; `secret` reads what opens it, where something does.
pub(super) fn of_record(
    model: &Model,
    secret: impl FnOnce() -> io::Result<String>,
) -> io::Result<Archive> {
    let timeout = Duration::from_secs(u64::from(model.timeout_seconds.max(1).unsigned_abs()));
    let accepts_synthetic = model.accepts_synthetic;
    match DestinationKind::parse(&model.kind).ok_or_else(|| unknown("kind"))? {
        DestinationKind::Dimse => {
            let own = || OWN_TITLE.to_owned();
            let tls = model.tls.then(|| PeerTls {
                authorities: Pem::Text(model.authorities.clone().unwrap_or_default()),
                identity: None,
                server_name: model.server_name.clone(),
            });
            Ok(Archive::Dimse(Peer {
                address: model.address.clone(),
                called: model.ae_title.clone().unwrap_or_default(),
                calling: model.calling_ae_title.clone().unwrap_or_else(own),
                tls,
                timeout,
                most_pdu: USUAL_PDU,
                accepts_synthetic,
            }))
        }
        DestinationKind::Dicomweb => {
            let way = Authentication::parse(&model.authentication);
            let credential = match way.ok_or_else(|| unknown("authentication"))? {
                Authentication::None => Credential::None,
                Authentication::Bearer => Credential::Bearer(secret()?),
                Authentication::Basic => Credential::Basic {
                    username: model.username.clone().unwrap_or_default(),
                    password: secret()?,
                },
            };
            Ok(Archive::Web(WebPeer {
                service: Url::parse(&model.address).map_err(|_| unknown("address"))?,
                authorities: model.authorities.clone(),
                credential,
                timeout,
                accepts_synthetic,
            }))
        }
    }
}

fn unknown(column: &str) -> io::Error {
    io::Error::other(format!("a destination's {column} cannot be read"))
}
