//! De-identification by PS3.15 Annex E: which attribute is treated how, as tables by edition, and the
//! rules by which identifiers, dates and texts are replaced. What an object is, the caller knows.
//!
//! A new edition is a new table beside `2026c.csv`, made by `scripts/deidentification-tables.py`.

mod action;
mod dates;
mod option;
mod private;
mod pseudonym;
mod table;
mod words;

#[cfg(test)]
mod tests;

pub use action::{Action, AttributeType};
pub use dates::{shifted_date, shifted_datetime};
pub use option::{Policy, PolicyError, ProfileOption};
pub use private::{SafePrivate, safe_private};
pub use pseudonym::{KeyError, Pseudonyms};
pub use table::{Edition, Image, Table};
pub use words::cleaned;

/// Coding scheme of the codes of CID 7050.
pub const SCHEME: &str = "DCM";
/// Code and meaning of the Basic Profile (CID 7050).
pub const BASIC_PROFILE: (&str, &str) = ("113100", "Basic Application Confidentiality Profile");
