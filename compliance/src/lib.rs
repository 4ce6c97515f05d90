//! What the standards ask of Skiagraph, as types and pure functions: no input or output, no clock,
//! no HTTP, no SQL.
//!
//! - [`audit`]: events with their DICOM codes, the hash chain, its verification, the CSV form;
//! - [`deidentification`]: PS3.15 Annex E, tables by edition;
//! - [`marking`]: how a synthetic image says what it is;
//! - [`role`]: who may be what;
//! - [`retention`]: how long what is kept.

pub mod audit;
pub mod deidentification;
pub mod marking;
pub mod retention;
pub mod role;
