//! Upload intake: from an untrusted stream to checked DICOM files in a scratch folder.
//!
//! ```text
//! multipart ─receive→ scratch/<id>/parts ─check→ one verdict over all ─Import→ objects, report, rows, event
//!                                        └ ZIP ─archive→ scratch/<id>/entries ┘
//! ```
//!
//! What is checked is de-identified as well, before it is kept; what cannot be shown clean is a fault. What is clean
//! and yet odd (another view, black and white exchanged, a near copy) is kept with its doubts, for a person to decide.
//!
//! Nothing is kept of an upload that has one bad file: the checks run over everything before the
//! first object is stored, and the scratch folder goes with the request. What a killed process
//! leaves behind is removed by the [`Janitor`] at the next start.
//!
//! A fault names the position of a file (`files[3]`, `files[0]/entry 12`) and never its name,
//! which may hold a patient's.

mod archive;
mod check;
mod fault;
mod identity;
mod import;
mod limits;
mod receive;
mod scratch;
mod store;

#[cfg(test)]
mod tests;

pub use check::{Checked, Examiner, check, check_object};
pub use fault::{Fault, IntakeError};
pub use identity::examiner;
pub use import::{Import, Imported};
pub use limits::Limits;
pub use receive::{Received, ReceivedFile, receive, receive_related};
pub use scratch::{Abandoned, Scratch};
pub use store::{Janitor, NewUpload, StoreError};
