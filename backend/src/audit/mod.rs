//! The audit log's writing and reading side: entries become chained rows.
//!
//! What an event is, and when the chain is whole, `skiagraph_compliance::audit` knows.

mod actor;
mod append;
mod change;
mod entry;
mod export;
mod signer;
mod verify;

pub use actor::Actor;
pub(crate) use actor::role_words;
pub use append::{append, checkpoint};
pub use change::Change;
pub use entry::Entry;
pub use export::{Rows, export, select};
pub use signer::{public_key_file, signer};
pub use verify::verify;
