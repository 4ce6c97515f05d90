//! Service class provider: Verification and Storage (PS3.4 annexes A and B).
//!
//! The library's own acceptor is not used: its TLS handshake turns in a circle where a client hangs up
//! in the middle of its greeting, and it knows no limit of associations. Its PDUs are.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempPath;

use super::association::Line;
use super::serve::serve;
use super::tls::ProviderTls;
use super::{ExchangeError, PDU_BYTES, Status, check_ae_title};
use crate::device::CancelToken;

/// How often it is asked whether to go on while nobody calls.
const PAUSE: Duration = Duration::from_millis(50);
/// Callers beyond the limit who are still told that there is no room; whoever comes then finds the door
/// shut.
const TOLD_FULL: usize = 4;

/// Who may call, and how much of this machine they may take.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    /// This side's AE title; who calls another is rejected.
    pub ae_title: String,
    /// Calling AE titles that are let in. They are claims: only client certificates show who calls.
    pub calling: Vec<String>,
    /// TLS; without it everything is readable on the way.
    pub tls: Option<ProviderTls>,
    /// Largest P-DATA-TF that is taken.
    pub most_pdu: u32,
    /// Associations at one time.
    pub most_associations: usize,
    /// How long a peer may be silent.
    pub idle: Duration,
    /// Bytes of an object.
    pub object_bytes: u64,
    /// Where objects lie until they are handed on.
    pub spool: PathBuf,
}

/// The other side of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Number of the association, in this process.
    pub association: u64,
    /// Its calling AE title.
    pub ae_title: String,
    /// Its network address.
    pub address: SocketAddr,
}

/// An object that came in, as a Part 10 file that nobody has looked at.
#[derive(Debug)]
pub struct Incoming {
    /// The file; removed when dropped.
    pub file: TempPath,
    /// How many bytes it has.
    pub bytes: u64,
    /// Affected SOP Class UID of the request.
    pub sop_class_uid: String,
    /// Affected SOP Instance UID of the request.
    pub sop_instance_uid: String,
}

/// What is done with objects that come in. Called on the association's own thread.
pub trait Receive: Send + Sync {
    /// Keeps an object, or says why not: a status, and a comment of at most 64 characters without a
    /// value of an attribute.
    fn receive(&self, caller: &Caller, object: Incoming) -> (Status, String);

    /// An association is over.
    fn ended(&self, caller: &Caller);
}

/// A provider that listens.
pub struct Provider {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// What the threads of all associations share.
pub(super) struct Shared {
    pub(super) options: ProviderOptions,
    pub(super) receive: Arc<dyn Receive>,
    tls: Option<Arc<rustls::ServerConfig>>,
    live: AtomicUsize,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Provider {
    /// Begins to listen; nobody is answered before [`Provider::run`].
    ///
    /// # Errors
    /// [`ExchangeError::Option`] names the setting that cannot be used, [`ExchangeError::Io`] where the
    /// address cannot be listened on.
    pub fn bind(
        address: SocketAddr,
        options: ProviderOptions,
        receive: Arc<dyn Receive>,
    ) -> Result<Self, ExchangeError> {
        check_ae_title("ae_title", &options.ae_title)?;
        for title in &options.calling {
            check_ae_title("calling_ae_titles", title)?;
        }
        let fault = |field, cause: String| Err(ExchangeError::Option { field, cause });
        if options.calling.is_empty() {
            return fault("calling_ae_titles", "names nobody who may call".to_owned());
        }
        if !PDU_BYTES.contains(&options.most_pdu) {
            return fault("most_pdu", format!("must lie between {PDU_BYTES:?}"));
        }
        if options.most_associations == 0 || options.idle.is_zero() {
            return fault(
                "most_associations",
                "it and `idle_seconds` must be 1 or more".to_owned(),
            );
        }
        std::fs::create_dir_all(&options.spool)?;
        let tls = options.tls.as_ref().map(ProviderTls::config).transpose()?;
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let shared = Shared { options, receive, tls, live: AtomicUsize::new(0) };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Where it listens: of port 0, the one that the system has chosen.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the token is cancelled, a thread an association; then waits until the associations
    /// that there are have come to the end of their message.
    pub fn run(self, cancel: &CancelToken) {
        let mut threads: Vec<std::thread::JoinHandle<()>> = Vec::new();
        let mut number = 0;
        while !cancel.is_cancelled() {
            let (socket, address) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        tracing::warn!(%error, "a caller could not be let in");
                    }
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            threads.retain(|thread| !thread.is_finished());
            let live = self.shared.live.fetch_add(1, Ordering::AcqRel);
            let seat = Seat(Arc::clone(&self.shared));
            let most = self.shared.options.most_associations;
            if live >= most + TOLD_FULL {
                // Dropped: seat and socket go.
                continue;
            }
            number += 1;
            let caller = Caller { association: number, ae_title: String::new(), address };
            let (cancel, full) = (cancel.clone(), live >= most);
            threads.push(std::thread::spawn(move || {
                if let Err(cause) = answer(&seat.0, socket, caller, full, cancel) {
                    // The address alone: who calls may call itself anything.
                    tracing::info!(%address, %cause, "an association did not end well");
                }
            }));
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("the thread of an association panicked");
            }
        }
    }
}

/// A place among the associations at one time; free once dropped, also by a panic.
struct Seat(Arc<Shared>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(
    shared: &Shared,
    socket: TcpStream,
    caller: Caller,
    full: bool,
    cancel: CancelToken,
) -> Result<(), String> {
    // On some systems a socket has the listener's way of waiting.
    socket.set_nonblocking(false).map_err(|error| error.to_string())?;
    let line = Line::new(socket, shared.options.idle, cancel);
    let mut line = line.map_err(|error| error.to_string())?;
    let Some(tls) = &shared.tls else { return serve(shared, line, caller, full) };
    let mut connection =
        rustls::ServerConnection::new(Arc::clone(tls)).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut line).map_err(|error| format!("TLS: {error}"))?;
    }
    serve(shared, rustls::StreamOwned::new(connection, line), caller, full)
}
