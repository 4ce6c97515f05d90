//! Noise schedules and prediction types, one file a scheduler. Under training and sampling alike.

mod ddim;
mod schedule;
mod source;

#[cfg(test)]
mod tests;

pub use ddim::Ddim;
pub use schedule::{BetaSchedule, Prediction, Schedule, ScheduleConfig, Spacing};
pub use source::NoiseSource;
