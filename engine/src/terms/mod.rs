//! The words of the clinic: findings with place and severity, view positions, styles, age groups,
//! sexes.
//!
//! They stand on the ground floor, since what writes a radiograph, what captions it and what reads
//! a prompt must all mean the same by them.

mod described;
mod findings;
mod patient;
mod places;
mod severity;
mod styles;
mod views;

pub use described::{Described, DescribedFinding, DescriptionFault};
pub use findings::{Finding, NORMAL, finding, finding_by_code, findings};
pub use patient::{AgeGroup, Sex};
pub use places::{Laterality, Place, place, place_of, places};
pub use severity::Severity;
pub use styles::{Style, style, styles};
pub use views::{ViewPosition, view_position, view_positions};
