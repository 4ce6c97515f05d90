//! The training loop, and a task a file.
//!
//! A run is a folder: `config.json`, `metrics.jsonl` (one [`TrainEvent`] a line), `checkpoints/`, and
//! `result/` with what was trained. The API and the command line call the same [`run`].

mod augment;
mod base;
mod checkpoint;
mod clip;
mod concept;
mod condition;
mod config;
mod controlnet;
mod diffusion;
mod draw;
mod error;
mod event;
mod frozen;
mod judge;
mod lora;
mod run;
mod trainee;
mod vae;

#[cfg(test)]
mod tests;

pub use augment::Augment;
pub use clip::ClipConfig;
pub use concept::ConceptConfig;
pub use config::{RateSchedule, Task, TextSizes, TrainConfig};
pub use controlnet::ControlnetConfig;
pub use error::TrainError;
pub use event::{TrainEvent, TrainSummary};
pub use judge::JudgeConfig;
pub use run::{has_checkpoint, run};
pub use vae::{AdversaryConfig, VaeLossConfig};
