//! The audit log: what an event is, how events are chained, how a break is found, how they leave.
//!
//! ```text
//! action (DICOM CID 400/401) → event → canonical form → hash over it and the hash before → verifier
//!                                    │                  └→ checkpoint: a row that signs those before
//!                                    └→ export: CSV, JSON lines, PS3.15 A.5 XML, FHIR → offline verifier
//! ```

mod action;
mod canonical;
mod checkpoint;
mod event;
mod export;
mod offline;
mod selection;
mod verify;

#[cfg(test)]
mod tests;

pub use action::{Action, Code};
pub use canonical::{GENESIS, hash};
pub use checkpoint::{INTERVAL, KeyError, PublicKey, Signer};
pub use event::{Event, Outcome};
pub use export::{CSV_COLUMNS, Exporter, Form, Source, Spelling};
pub use offline::{ExportVerifier, NotAnExport, Report};
pub use selection::{Selection, Selector};
pub use verify::{Break, Cause, Head, Signatures, Verdict, Verifier};
