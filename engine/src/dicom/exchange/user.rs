//! Service class user: Verification and Storage (PS3.4 annexes A and B).

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dicom_dictionary_std::uids;
use dicom_ul::association::client::{CloseSocket, TlsStream};
use dicom_ul::association::{ClientAssociation, ClientAssociationOptions};
use dicom_ul::pdu::{PDataValueType, Pdu};

use super::association::{Gathered, command_pdu};
use super::command::Command;
use super::part10::{Identity, data_set, identify, offered};
use super::tls::PeerTls;
use super::{ExchangeError, Status, VERIFICATION, check_ae_title, words};
use crate::device::CancelToken;

/// Presentation contexts that an association has room for: odd numbers of a byte (PS3.8 9.3.2.2).
const MOST_CONTEXTS: usize = 128;

/// Whom to ask for an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Host and port.
    pub address: String,
    /// Called AE title: the peer's.
    pub called: String,
    /// Calling AE title: this side's.
    pub calling: String,
    /// TLS; without it everything is readable on the way.
    pub tls: Option<PeerTls>,
    /// How long to wait for the peer, each time.
    pub timeout: Duration,
    /// Largest P-DATA-TF that the peer may send.
    pub most_pdu: u32,
    /// Whether synthetic objects may be sent there.
    pub accepts_synthetic: bool,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// What the peer answered, or why it was not asked.
    pub status: Result<Status, String>,
}

impl Outcome {
    /// Whether the peer has kept it.
    pub fn is_kept(&self) -> bool {
        self.status.as_ref().is_ok_and(|status| status.is_kept())
    }
}

/// Asks whether somebody answers: C-ECHO.
///
/// # Errors
/// [`ExchangeError`] says what of it failed.
pub fn echo(peer: &Peer) -> Result<(), ExchangeError> {
    let contexts =
        vec![(VERIFICATION.to_owned(), vec![uids::IMPLICIT_VR_LITTLE_ENDIAN.to_owned()])];
    match connect(peer, &contexts)? {
        Connected::Plain(association) => echo_on(peer, association),
        Connected::Secured(association) => echo_on(peer, *association),
    }
}

fn echo_on<S: CloseSocket + Read + Write>(
    peer: &Peer,
    mut association: ClientAssociation<S>,
) -> Result<(), ExchangeError> {
    let context = association.presentation_contexts().first().map_or(1, |context| context.id);
    association
        .send(&command_pdu(context, &Command::echo(1)))
        .map_err(|error| broken(peer, words(&error)))?;
    let status = answer(peer, &mut association, 1)?;
    association.release().map_err(|error| broken(peer, words(&error)))?;
    match status {
        Status::SUCCESS => Ok(()),
        Status(status) => Err(ExchangeError::Refused { peer: peer.address.clone(), status }),
    }
}

/// Sends `count` objects on one association: C-STORE. `read` gives the bytes of an object, from 0, as a
/// Part 10 file, twice each; `told` hears what became of each.
///
/// What the peer does not keep keeps the others from nothing. An object goes as it is stored; one that
/// is not compressed goes in Implicit VR Little Endian where the peer takes no other.
///
/// # Errors
/// [`ExchangeError::Synthetic`] and [`ExchangeError::Object`] before anybody is asked; later what ends
/// the association.
pub fn send(
    peer: &Peer,
    count: usize,
    read: &mut dyn FnMut(usize) -> io::Result<Vec<u8>>,
    told: &mut dyn FnMut(usize, &Outcome),
    cancel: &CancelToken,
) -> Result<(), ExchangeError> {
    let mut objects = Vec::with_capacity(count);
    for index in 0..count {
        objects.push(admit(index + 1, &read(index)?, &peer.address, peer.accepts_synthetic)?);
    }
    let contexts = contexts(&objects)?;
    if contexts.is_empty() {
        return Ok(());
    }
    match connect(peer, &contexts)? {
        Connected::Plain(association) => send_on(peer, association, &objects, read, told, cancel),
        Connected::Secured(association) => {
            send_on(peer, *association, &objects, read, told, cancel)
        }
    }
}

/// Reads what object `number` (from 1) is, and holds it against what `peer` is said to take: the one
/// rule for everything that is sent, by whatever means.
///
/// # Errors
/// [`ExchangeError::Object`] where it cannot be read, [`ExchangeError::Synthetic`] where it must not go
/// there.
pub fn admit(
    number: usize,
    bytes: &[u8],
    peer: &str,
    accepts_synthetic: bool,
) -> Result<Identity, ExchangeError> {
    let identity = identify(bytes).map_err(|source| ExchangeError::Object { number, source })?;
    if identity.synthetic && !accepts_synthetic {
        return Err(ExchangeError::Synthetic { number, peer: peer.to_owned() });
    }
    Ok(identity)
}

/// A presentation context for each pair of class and transfer syntax.
fn contexts(objects: &[Identity]) -> Result<Vec<(String, Vec<String>)>, ExchangeError> {
    let mut contexts: Vec<(String, Vec<String>)> = Vec::new();
    for object in objects {
        let offered: Vec<String> = offered(object).into_iter().map(str::to_owned).collect();
        let context = (object.class.clone(), offered);
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    if contexts.len() > MOST_CONTEXTS {
        let cause = format!("more than {MOST_CONTEXTS} pairs of class and transfer syntax");
        return Err(ExchangeError::Option { field: "objects", cause });
    }
    Ok(contexts)
}

fn send_on<S: CloseSocket + Read + Write>(
    peer: &Peer,
    mut association: ClientAssociation<S>,
    objects: &[Identity],
    read: &mut dyn FnMut(usize) -> io::Result<Vec<u8>>,
    told: &mut dyn FnMut(usize, &Outcome),
    cancel: &CancelToken,
) -> Result<(), ExchangeError> {
    for (index, object) in objects.iter().enumerate() {
        if cancel.is_cancelled() {
            // Nobody waits for the answer to it.
            let _ = association.abort();
            return Err(ExchangeError::Cancelled);
        }
        let accepted = association.presentation_contexts().iter().find_map(|context| {
            let fits = context.abstract_syntax == object.class
                && offered(object).contains(&context.transfer_syntax.as_str());
            fits.then(|| (context.id, context.transfer_syntax.clone()))
        });
        let status = match accepted {
            None => Err("the peer does not take its class in its transfer syntax".to_owned()),
            Some((context, syntax)) => {
                let number = index + 1;
                let set = data_set(&read(index)?, object, &syntax)
                    .map_err(|source| ExchangeError::Object { number, source })?;
                // Numbers of messages may come again once they are answered.
                let message = (index % usize::from(u16::MAX)) as u16 + 1;
                Ok(store(peer, &mut association, context, message, object, &set)?)
            }
        };
        told(index, &Outcome { sop_instance_uid: object.instance.clone(), status });
    }
    association.release().map_err(|error| broken(peer, words(&error)))
}

fn store<S: CloseSocket + Read + Write>(
    peer: &Peer,
    association: &mut ClientAssociation<S>,
    context: u8,
    message: u16,
    object: &Identity,
    set: &[u8],
) -> Result<Status, ExchangeError> {
    let command = Command::store(message, &object.class, &object.instance);
    association
        .send(&command_pdu(context, &command))
        .map_err(|error| broken(peer, words(&error)))?;
    let mut writer = association.send_pdata(context);
    writer
        .write_all(set)
        .and_then(|()| writer.finish())
        .map_err(|error| broken(peer, error.to_string()))?;
    answer(peer, association, message)
}

/// Waits for the response to a message.
fn answer<S: CloseSocket + Read + Write>(
    peer: &Peer,
    association: &mut ClientAssociation<S>,
    message: u16,
) -> Result<Status, ExchangeError> {
    let mut gathered = Gathered::default();
    loop {
        let data = match association.receive().map_err(|error| broken(peer, words(&error)))? {
            Pdu::PData { data } => data,
            Pdu::AbortRQ { .. } => return Err(broken(peer, "the peer aborted it".to_owned())),
            _ => return Err(broken(peer, "a message that nobody asked for".to_owned())),
        };
        for value in data {
            if value.value_type != PDataValueType::Command {
                continue;
            }
            let command = gathered.take(&value).map_err(|cause| broken(peer, cause.to_owned()))?;
            if let Some(command) = command
                && command.responds_to() == Some(message)
            {
                let without = || broken(peer, "an answer without a status".to_owned());
                return command.status().ok_or_else(without);
            }
        }
    }
}

enum Connected {
    Plain(ClientAssociation<TcpStream>),
    Secured(Box<ClientAssociation<TlsStream>>),
}

fn connect(peer: &Peer, contexts: &[(String, Vec<String>)]) -> Result<Connected, ExchangeError> {
    check_ae_title("called_ae_title", &peer.called)?;
    check_ae_title("calling_ae_title", &peer.calling)?;
    if !super::PDU_BYTES.contains(&peer.most_pdu) {
        let cause = format!("must lie between {:?}", super::PDU_BYTES);
        return Err(ExchangeError::Option { field: "most_pdu", cause });
    }
    let mut options = ClientAssociationOptions::new()
        .called_ae_title(&*peer.called)
        .calling_ae_title(&*peer.calling)
        .max_pdu_length(peer.most_pdu)
        .read_timeout(peer.timeout)
        .write_timeout(peer.timeout)
        .connection_timeout(peer.timeout);
    for (class, syntaxes) in contexts {
        options = options.with_presentation_context(class.clone(), syntaxes.clone());
    }
    let failed = |error: dicom_ul::association::Error| ExchangeError::Association {
        peer: peer.address.clone(),
        cause: words(&error),
    };
    let Some(tls) = &peer.tls else {
        return options.establish(peer.address.as_str()).map(Connected::Plain).map_err(failed);
    };
    let host = peer.address.rsplit_once(':').map_or(peer.address.as_str(), |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    options
        .tls_config(tls.config()?)
        .server_name(tls.server_name.as_deref().unwrap_or(host))
        .establish_tls(peer.address.as_str())
        .map(|association| Connected::Secured(Box::new(association)))
        .map_err(failed)
}

fn broken(peer: &Peer, cause: String) -> ExchangeError {
    ExchangeError::Broken { peer: peer.address.clone(), cause }
}
