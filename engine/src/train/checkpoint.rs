//! Checkpoints: whole or absent, the last few kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::optimiser::Learner;
use crate::files::PendingFolder;
use crate::kernel::map_weights;
use crate::model::{read_json, save_weights, write_json};

/// What a checkpoint holds beside tensors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The last finished step.
    pub(super) step: u64,
    /// Loss of that step.
    pub(super) loss: f32,
    /// Loss on held-out patients before the first step.
    pub(super) validation_loss_before: f32,
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
    let fault = |cause| TrainError::file(&target, cause);
    // A run that went on from an older checkpoint reaches this step again.
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(fault)?;
    }
    let pending = PendingFolder::beside(&target).map_err(fault)?;
    let weights: BTreeMap<String, Tensor> = variables
        .iter()
        .map(|(name, value)| (name.clone(), learners[name].weight(value)))
        .collect();
    save_weights(&pending.path().join("weights.safetensors"), &weights, DType::F32)?;
    let moments: BTreeMap<String, Tensor> = learners
        .iter()
        .flat_map(|(name, learner)| {
            let of = move |(end, state): (&str, &Var)| {
                (format!("{name}{end}"), state.as_detached_tensor())
            };
            learner.states().into_iter().map(of)
        })
        .collect();
    save_weights(&pending.path().join("optimiser.safetensors"), &moments, DType::F32)?;
    write_json(&pending.path().join("state.json"), &state)?;
    pending.publish().map_err(fault)?;
    let mut all = finished(run);
    all.truncate(all.len().saturating_sub(keep));
    for (_, path) in all {
        std::fs::remove_dir_all(&path).map_err(|cause| TrainError::file(&path, cause))?;
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
