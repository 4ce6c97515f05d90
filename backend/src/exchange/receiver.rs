//! The receiver: the engine's provider on threads of its own, whose objects go over the desk.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::exchange::{
    Caller, ExchangeError, Incoming, Provider, ProviderOptions, Receive, Status,
};
use tokio::runtime::Handle;

use super::{Desk, Kept, Sender};
use crate::audit::Actor;
use crate::config::{ReceiverConfig, ReceiverTls};

/// A receiver that listens.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    cancel: CancelToken,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Begins to listen and to answer. Objects are taken in on the runtime that this is called on.
    ///
    /// # Errors
    /// [`ExchangeError`] names the setting that cannot be used.
    pub fn start(config: &ReceiverConfig, desk: Desk) -> Result<Self, ExchangeError> {
        let options = ProviderOptions {
            ae_title: config.ae_title.clone(),
            calling: config.calling_ae_titles.clone(),
            tls: config.tls.as_ref().map(ReceiverTls::provider),
            most_pdu: config.most_pdu,
            most_associations: config.most_associations,
            idle: Duration::from_secs(config.idle_seconds),
            object_bytes: desk.limits.file_bytes,
            // What a killed process leaves there is cleared away with the uploads that were cut off.
            spool: desk.folders.scratch(),
        };
        let counter = Counter { desk, runtime: Handle::current(), senders: Mutex::default() };
        let provider = Provider::bind(config.bind, options, Arc::new(counter))?;
        let (address, cancel) = (provider.address()?, CancelToken::new());
        let thread = std::thread::spawn({
            let cancel = cancel.clone();
            move || provider.run(&cancel)
        });
        Ok(Self { address, cancel, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, once the objects that are on their way over the desk are answered.
    pub async fn end(self) {
        self.cancel.cancel();
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the receiver panicked");
        }
    }
}

/// The desk's side that faces the threads of associations.
struct Counter {
    desk: Desk,
    runtime: Handle,
    /// By association: one that sends several objects sends one upload.
    senders: Mutex<HashMap<u64, Sender>>,
}

impl Counter {
    fn sender(&self, caller: &Caller) -> Sender {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.remove(&caller.association).unwrap_or_else(|| Sender {
            actor: Actor::claimed(
                &format!("ae:{}", caller.ae_title),
                Some(caller.address.ip().to_string()),
            ),
            upload: None,
        })
    }

    fn put_back(&self, caller: &Caller, sender: Sender) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.insert(caller.association, sender);
    }
}

impl Receive for Counter {
    fn receive(&self, caller: &Caller, object: Incoming) -> (Status, String) {
        let mut sender = self.sender(caller);
        let file = object.file.to_path_buf();
        // This is a thread of the association's own: the runtime works meanwhile on others.
        let taken = self.runtime.block_on(self.desk.take(&mut sender, file, object.bytes));
        self.put_back(caller, sender);
        match taken {
            Ok(Kept::Yes) => (Status::COERCED, "identifiers were taken out".to_owned()),
            Ok(Kept::Refused(cause)) => (Status::CANNOT_UNDERSTAND, cause),
            Ok(Kept::TooLarge) => (Status::OUT_OF_RESOURCES, "too large".to_owned()),
            Ok(Kept::NobodysUpload) => {
                (Status::NOT_AUTHORIZED, "the receiver has no user".to_owned())
            }
            Err(error) => {
                tracing::error!(?error, "an object could not be taken in");
                (Status::OUT_OF_RESOURCES, "the platform failed".to_owned())
            }
        }
    }

    fn ended(&self, caller: &Caller) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.remove(&caller.association);
    }
}
