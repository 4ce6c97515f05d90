//! The training loop, and a task a file.
//!
//! A run is a folder: `config.json`, `metrics.jsonl` (one [`TrainEvent`] a line), `checkpoints/`, and
//! `result/` with what was trained. The API and the command line call the same [`run`].

mod alignment;
mod base;
mod caution;
mod checkpoint;
mod config;
mod diffusion;
mod draw;
mod error;
mod estimate;
mod event;
mod folder;
mod lora;
mod mask;
mod objective;
mod optimiser;
mod plot;
mod run;
mod samples;
mod trainee;
mod vae;

#[cfg(test)]
mod tests;

pub use alignment::AlignmentConfig;
pub use config::{RateSchedule, Task, TextSizes, TrainConfig};
pub use error::TrainError;
pub use event::{TrainEvent, TrainSummary};
pub use objective::{ObjectiveConfig, TimestepDraw};
pub use optimiser::{OptimiserKind, Precision};
pub use run::{has_checkpoint, run};
