//! The audit log's writing and reading side: entries become chained rows.
//!
//! What an event is, and when the chain is whole, `skiagraph_compliance::audit` knows.

mod actor;
mod append;
mod csv;
mod entry;
mod verify;

pub use actor::Actor;
pub(crate) use actor::role_words;
pub use append::append;
pub use csv::csv;
pub use entry::Entry;
pub use verify::verify;
