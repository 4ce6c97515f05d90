//! Checkpoints: whole or absent, the last few kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::optimiser::Learner;
use crate::files::PendingFolder;
use crate::kernel::map_weights;
use crate::model::{ModelError, read_json, save_weights, write_json};

/// What a checkpoint holds beside tensors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The last finished step.
    pub(super) step: u64,
    /// Loss of that step.
    pub(super) loss: f32,
    /// Loss on held-out patients before the first step.
    pub(super) validation_loss_before: f32,
    /// The best look at held-out patients so far, where the run keeps it.
    #[serde(default)]
    pub(super) best: Option<Best>,
    /// Looks since then.
    #[serde(default)]
    pub(super) looks_since_best: u64,
    /// Seconds that the look before the first step took.
    #[serde(default)]
    pub(super) look_seconds: f64,
}

/// A look at held-out patients that was better than all before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    /// After which step.
    pub(super) step: u64,
    /// The loss.
    pub(super) loss: f32,
}

impl State {
    /// Before the first step.
    pub(super) fn fresh() -> Self {
        Self {
            step: 0,
            loss: f32::NAN,
            validation_loss_before: f32::NAN,
            best: None,
            looks_since_best: 0,
            look_seconds: 0.0,
        }
    }
}

/// Where the averaged weights of the best look lie.
fn best_folder(run: &Path, step: u64) -> PathBuf {
    folder(run).join(format!("best-{step:08}"))
}

/// Keeps the averaged `weights` of the best look. Those of earlier ones stay until a checkpoint no longer
/// speaks of them.
pub(super) fn save_best(
    run: &Path,
    best: Best,
    weights: &BTreeMap<String, Tensor>,
) -> Result<(), TrainError> {
    let target = best_folder(run, best.step);
    let fault = |cause| TrainError::file(&target, cause);
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(fault)?;
    }
    let pending = PendingFolder::beside(&target).map_err(fault)?;
    save_weights(&pending.path().join("weights.safetensors"), weights, DType::F32)
        .map_err(|cause| unwritten(run, &target, cause))?;
    pending.publish().map_err(|cause| unwritten(run, &target, cause))
}

/// The weights of the best look.
pub(super) fn load_best(
    run: &Path,
    best: Best,
    variables: &BTreeMap<String, Var>,
) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let path = best_folder(run, best.step).join("weights.safetensors");
    let weights = map_weights(&path).map_err(|cause| TrainError::file(path, cause))?;
    let of = |(name, variable): (&String, &Var)| {
        Ok((name.clone(), weights.load(name, variable.device())?))
    };
    variables.iter().map(of).collect()
}

/// Why a checkpoint in `target` could not be written, and what is left.
fn unwritten(run: &Path, target: &Path, cause: impl std::fmt::Display) -> TrainError {
    let left = match finished(run).pop() {
        Some((step, _)) => format!("the checkpoint of step {step} is whole, go on from it"),
        None => "there is no checkpoint yet".to_owned(),
    };
    TrainError::file(target, format!("{cause}; {left} when there is room"))
}

fn folder(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// Finished checkpoints by step, oldest first.
fn finished(run: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder(run)) else {
        return Vec::new();
    };
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let step = path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, path))
        })
        .collect();
    found.sort();
    found
}

/// The newest checkpoint of a run.
pub(super) fn newest(run: &Path) -> Option<PathBuf> {
    finished(run).pop().map(|(_, path)| path)
}

/// Writes a checkpoint beside the others, then removes those beyond the `keep` newest.
pub(super) fn save(
    run: &Path,
    state: State,
    variables: &BTreeMap<String, Var>,
    learners: &BTreeMap<String, Learner>,
    keep: usize,
) -> Result<(), TrainError> {
    let parent = folder(run);
    let target = parent.join(format!("step-{:08}", state.step));
    let fault = |cause: std::io::Error| unwritten(run, &target, cause);
    let unsaved = |cause: ModelError| unwritten(run, &target, cause);
    // A run that went on from an older checkpoint reaches this step again.
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(fault)?;
    }
    let pending = PendingFolder::beside(&target).map_err(fault)?;
    let weights: BTreeMap<String, Tensor> = variables
        .iter()
        .map(|(name, value)| (name.clone(), learners[name].weight(value)))
        .collect();
    save_weights(&pending.path().join("weights.safetensors"), &weights, DType::F32)
        .map_err(unsaved)?;
    let moments: BTreeMap<String, Tensor> = learners
        .iter()
        .flat_map(|(name, learner)| {
            let of = move |(end, state): (&str, &Var)| {
                (format!("{name}{end}"), state.as_detached_tensor())
            };
            learner.states().into_iter().map(of)
        })
        .collect();
    save_weights(&pending.path().join("optimiser.safetensors"), &moments, DType::F32)
        .map_err(unsaved)?;
    write_json(&pending.path().join("state.json"), &state).map_err(unsaved)?;
    pending.publish().map_err(fault)?;
    let mut all = finished(run);
    all.truncate(all.len().saturating_sub(keep));
    for (_, path) in all {
        std::fs::remove_dir_all(&path).map_err(|cause| TrainError::file(&path, cause))?;
    }
    forget_best(run, state.best)
}

/// Removes the weights of looks before `kept`.
fn forget_best(run: &Path, kept: Option<Best>) -> Result<(), TrainError> {
    let Some(kept) = kept else { return Ok(()) };
    let Ok(entries) = std::fs::read_dir(folder(run)) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix("best-"));
        if name.and_then(|step| step.parse::<u64>().ok()).is_some_and(|step| step < kept.step) {
            std::fs::remove_dir_all(&path).map_err(|cause| TrainError::file(&path, cause))?;
        }
    }
    Ok(())
}

/// Puts a checkpoint's values into the variables and their moments.
pub(super) fn load(
    path: &Path,
    variables: &BTreeMap<String, Var>,
    learners: &BTreeMap<String, Learner>,
) -> Result<State, TrainError> {
    let open = |name: &str| {
        let path = path.join(name);
        map_weights(&path).map_err(|cause| TrainError::file(path, cause))
    };
    let (weights, moments) = (open("weights.safetensors")?, open("optimiser.safetensors")?);
    for (name, variable) in variables {
        let device = variable.device();
        learners[name].restore(variable, &weights.load(name, device)?)?;
        for (end, state) in learners[name].states() {
            state.set(&moments.load(&format!("{name}{end}"), device)?)?;
        }
    }
    Ok(read_json(&path.join("state.json"))?)
}
