//! The training loop, and a task a file.
//!
//! A run is a folder: `config.json`, `inputs.json`, `metrics.jsonl` (one [`TrainEvent`] a line), `checkpoints/`,
//! and `result/` with what was trained. The API and the command line call the same [`run`].

mod alignment;
mod augment;
mod base;
mod buckets;
mod caution;
mod checkpoint;
mod clip;
mod compare;
mod concept;
mod condition;
mod config;
mod controlnet;
mod diffusion;
mod draw;
mod error;
mod estimate;
mod event;
mod fine_tune;
mod folder;
mod inputs;
mod judge;
mod lora;
mod mask;
mod objective;
mod optimiser;
mod owed;
mod plot;
mod prefix;
mod prior;
mod run;
mod samples;
mod search;
mod textual_inversion;
mod trainee;
mod vae;
mod whole;

#[cfg(test)]
mod tests;

pub use alignment::AlignmentConfig;
pub use augment::Augment;
pub use buckets::AspectBucketsConfig;
pub use clip::ClipConfig;
pub use compare::{ComparedRun, Comparison, compare};
pub use concept::ConceptConfig;
pub use config::{RateSchedule, Task, TextSizes, TrainConfig};
pub use controlnet::ControlnetConfig;
pub use error::TrainError;
pub use event::{TrainEvent, TrainSummary};
pub use fine_tune::FineTuneConfig;
pub use judge::JudgeConfig;
pub use lora::{LoraConfig, Targets};
pub use objective::{ObjectiveConfig, TimestepDraw};
pub use optimiser::{OptimiserKind, Precision};
pub use prefix::PrefixConfig;
pub use prior::PriorConfig;
pub use run::{has_checkpoint, run};
pub use search::{AdapterCost, FoundLayer, HeldOut, Measure, SearchConfig, SearchReport, search};
pub use textual_inversion::TextualInversionConfig;
pub use vae::{AdversaryConfig, VaeLossConfig};
