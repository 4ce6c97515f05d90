//! The audit log: what an event is, how events are chained, how a break is found, how they leave.
//!
//! ```text
//! action (DICOM CID 400/401) → event → canonical form → hash over it and the hash before → verifier
//!                                    └→ CSV
//! ```

mod action;
mod canonical;
mod event;
mod export;
mod verify;

#[cfg(test)]
mod tests;

pub use action::{Action, Code};
pub use canonical::{GENESIS, hash};
pub use event::{Event, Outcome};
pub use export::{CSV_COLUMNS, CsvError, csv_header, csv_record};
pub use verify::{Break, Cause, Head, Verdict, Verifier};
