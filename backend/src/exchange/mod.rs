//! Objects that come from archives, and the index in which archives and viewers find what is here.
//!
//! ```text
//! C-STORE → engine's provider (a thread an association) → Desk → intake → objects, rows, audit event
//! ```

mod desk;
mod index;
mod receiver;

#[cfg(test)]
mod tests;

pub use desk::{Desk, Kept, Sender};
pub use index::fill;
pub use receiver::Receiver;
