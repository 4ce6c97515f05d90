//! The words of the clinic: findings, view positions, age groups, sexes.
//!
//! They stand on the ground floor, since what writes a radiograph, what captions it and what reads
//! a prompt must all mean the same by them.

mod findings;
mod patient;
mod views;

pub use findings::{Finding, NORMAL, finding, finding_by_code, findings};
pub use patient::{AgeGroup, Sex};
pub use views::{ViewPosition, view_position, view_positions};
