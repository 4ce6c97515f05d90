//! Noise schedules and prediction types, one file a scheduler. Under training and sampling alike.

mod config;
mod course;
mod ddim;
mod ddpm;
mod dpm_solver;
mod euler;
mod euler_ancestral;
mod flow_match;
mod heun;
mod lcm;
mod limit;
mod multistep;
mod pndm;
mod sampler;
mod schedule;
mod settings;
mod sigmas;
mod source;
mod table;
mod unipc;

#[cfg(test)]
mod tests;

pub use config::SchedulerConfig;
pub use course::Course;
pub use sampler::{Sampler, Stepped};
pub use schedule::{BetaSchedule, Prediction, Schedule, ScheduleConfig, Spacing};
pub use source::NoiseSource;
