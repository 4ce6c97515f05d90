//! Runs beside each other: what each trained, what that costs, and what it gained on held-out patients.

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::config::{Task, TrainConfig};
use super::error::TrainError;
use super::event::TrainEvent;
use super::search::{AdapterCost, HeldOut, multiply_adds};
use crate::data::{Dataset, Split};
use crate::model::{Bundle, Part, read_json};

/// A run among others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// Its folder; of a search, the run's within.
    pub name: String,
    /// The method of an adapter, `fine-tune`, or the task.
    pub kind: String,
    /// Patients that it was trained on.
    pub patients: u64,
    /// Their images.
    pub images: u64,
    /// Steps that were done.
    pub steps: u64,
    /// Weights that were trained.
    pub trained_weights: u64,
    /// The same, as a share of the UNet's weights.
    pub share_of_unet: f64,
    /// Multiply-adds of the adapter in one call of the networks for one image, where it is a LoRA.
    pub multiply_adds: Option<u64>,
    /// Of a search, the share of the multiply-adds of the adapter of one rank that is saved.
    pub saved: Option<f64>,
    /// Loss on held-out patients of the untouched base.
    pub loss_before: f32,
    /// The same after training.
    pub loss_after: f32,
    /// What the loss fell by.
    pub gain: f64,
    /// The gain, as a share of that of the run that all are compared with.
    pub share_of_gain: Option<f64>,
}

/// Runs beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The run that all are compared with.
    pub against: String,
    /// Weights of the UNet.
    pub unet_weights: u64,
    /// The runs, in the order in which they were named.
    pub runs: Vec<ComparedRun>,
}

/// What a search's report says of its adapters.
#[derive(Deserialize)]
struct Searched {
    uniform: AdapterCost,
    kept: AdapterCost,
    held_out: HeldOut,
}

/// Compares the finished runs and searches in `folders` with the run `against`, or with the one of them that trained
/// the most weights.
///
/// # Errors
/// Where a folder holds no finished run, model or data set of a run are gone, or the runs' losses on held-out patients
/// are not of the same model, images and noise.
pub fn compare(
    folders: &[PathBuf],
    against: Option<&Path>,
    device: &Device,
) -> Result<Comparison, TrainError> {
    let mut all: Vec<PathBuf> = folders.to_vec();
    if let Some(against) = against
        && !folders.iter().any(|folder| folder == against)
    {
        all.push(against.to_owned());
    }
    let configs = all.iter().map(|folder| config_of(folder)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = configs.first() else {
        return Err(fault("there is none".into()));
    };
    let sets = configs
        .iter()
        .map(|config| Ok(Dataset::open(&config.dataset)?))
        .collect::<Result<Vec<_>, TrainError>>()?;
    for ((folder, config), set) in all.iter().zip(&configs).zip(&sets) {
        same(folder, (config, set), (first, &sets[0]))?;
    }
    let unet_weights = unet_weights(&first.model)?;
    let mut runs = Vec::new();
    for ((folder, config), set) in all.iter().zip(&configs).zip(&sets) {
        runs.extend(rows(folder, (config, set), unet_weights, device)?);
    }
    let reference = match against {
        Some(folder) => {
            let name = folder.display().to_string();
            runs.iter().find(|run| run.name == name)
        }
        None => runs.iter().max_by_key(|run| run.trained_weights),
    };
    let Some(reference) = reference.cloned() else {
        return Err(fault("the run to compare with must be a run, and no search".into()));
    };
    for run in &mut runs {
        run.share_of_gain = (reference.gain > 0.0).then(|| run.gain / reference.gain);
    }
    Ok(Comparison { against: reference.name, unet_weights, runs })
}

fn fault(cause: String) -> TrainError {
    TrainError::Config { field: "runs", cause }
}

const SEARCH: &str = "search.json";

fn config_of(folder: &Path) -> Result<TrainConfig, TrainError> {
    let search = folder.join(SEARCH);
    Ok(read_json(&if search.is_file() { search } else { folder.join("config.json") })?)
}

/// # Errors
/// Where the losses of the two on held-out patients are not of the same model, images and noise. What they were trained
/// on may differ.
fn same(
    folder: &Path,
    (config, set): (&TrainConfig, &Dataset),
    (first, of_first): (&TrainConfig, &Dataset),
) -> Result<(), TrainError> {
    let held_out = |set: &Dataset| -> Vec<(String, String)> {
        let samples = set.samples(Split::Validation).into_iter().take(first.validation_samples);
        samples.map(|sample| (sample.sha256.clone(), sample.caption.clone())).collect()
    };
    let alike = [
        ("model", config.model == first.model),
        ("held-out part of the data set", held_out(set) == held_out(of_first)),
        ("seed", config.seed == first.seed),
        ("validation_samples", config.validation_samples == first.validation_samples),
        ("objective", config.objective == first.objective),
    ];
    match alike.into_iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((field, _)) => Err(fault(format!(
            "{} has another {field} than the first: their losses on held-out patients say nothing of each other",
            folder.display()
        ))),
    }
}

fn unet_weights(model: &Path) -> Result<u64, TrainError> {
    let stored = Bundle::glance(model)?.stored(Part::Unet)?;
    let sizes = stored.names().filter_map(|name| stored.shape(name));
    Ok(sizes.map(|shape| shape.iter().map(|side| *side as u64).product::<u64>()).sum())
}

fn rows(
    folder: &Path,
    (config, set): (&TrainConfig, &Dataset),
    unet_weights: u64,
    device: &Device,
) -> Result<Vec<ComparedRun>, TrainError> {
    let name = folder.display().to_string();
    let row = |name: String, kind: String, steps, trained_weights: u64, before: f32, after: f32| {
        ComparedRun {
            name,
            kind,
            patients: set.card().patients.train,
            images: set.card().samples.train,
            steps,
            trained_weights,
            share_of_unet: trained_weights as f64 / unet_weights.max(1) as f64,
            multiply_adds: None,
            saved: None,
            loss_before: before,
            loss_after: after,
            gain: f64::from(before) - f64::from(after),
            share_of_gain: None,
        }
    };
    if !folder.join(SEARCH).is_file() {
        let Course { steps, trained_weights, before, after } = Course::of(folder)?;
        let row = row(name, kind(config), steps, trained_weights, before, after);
        return Ok(vec![ComparedRun { multiply_adds: multiply_adds(config, device)?, ..row }]);
    }
    let Searched { uniform, kept, held_out } = read_json(&folder.join("report.json"))?;
    let searched = config.search.clone().unwrap_or_default();
    let saved = 1.0 - kept.multiply_adds as f64 / uniform.multiply_adds.max(1) as f64;
    let more = if searched.train { config.steps } else { 0 };
    let of = |within: &str, steps, cost: AdapterCost, after, saved| {
        let name = folder.join(within).display().to_string();
        let row = row(name, kind(config), steps, cost.parameters, held_out.base, after);
        ComparedRun { multiply_adds: Some(cost.multiply_adds), saved, ..row }
    };
    let steps = searched.steps + more;
    let (within, after) = match held_out.trained {
        Some(after) => ("trained", after),
        None => ("kept", held_out.kept),
    };
    let mut rows = vec![of(within, steps, kept, after, Some(saved))];
    rows.extend(held_out.uniform.map(|after| of("uniform", steps, uniform, after, None)));
    Ok(rows)
}

/// What a run trained, in a word.
fn kind(config: &TrainConfig) -> String {
    match config.task {
        Task::Lora => config.lora.clone().unwrap_or_default().method.name().to_owned(),
        Task::Base if config.fine_tune.is_some() => "fine-tune".into(),
        Task::Base => "base".into(),
        Task::Vae => "vae".into(),
        Task::Judge => "judge".into(),
        Task::Controlnet => "controlnet".into(),
        Task::Clip => "clip".into(),
        Task::Concept => "concept".into(),
        Task::Prefix => "prefix".into(),
        Task::TextualInversion => "textual_inversion".into(),
    }
}

/// How a run went.
struct Course {
    steps: u64,
    trained_weights: u64,
    before: f32,
    after: f32,
}

impl Course {
    /// # Errors
    /// Where the run is not finished.
    fn of(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join("metrics.jsonl");
        let text =
            std::fs::read_to_string(&path).map_err(|cause| TrainError::file(&path, cause))?;
        let (mut weights, mut finished) = (None, None);
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(TrainEvent::Started { trainable_weights, .. }) => {
                    weights = Some(trainable_weights as u64);
                }
                Ok(TrainEvent::Finished {
                    step,
                    validation_loss_before,
                    validation_loss_after,
                }) => finished = Some((step, validation_loss_before, validation_loss_after)),
                Ok(
                    TrainEvent::Warning { .. }
                    | TrainEvent::Estimate { .. }
                    | TrainEvent::Step { .. }
                    | TrainEvent::Validation { .. }
                    | TrainEvent::Figures { .. }
                    | TrainEvent::Checkpoint { .. },
                )
                | Err(_) => {}
            }
        }
        let Some((trained_weights, (steps, before, after))) = weights.zip(finished) else {
            return Err(fault(format!("{} is not finished", folder.display())));
        };
        Ok(Self { steps, trained_weights, before, after })
    }
}

impl Comparison {
    /// The runs as a page of Markdown.
    pub fn table(&self) -> String {
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        let lines = self.runs.iter().map(|run| {
            format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {:.5} | {:.5} | {:.5} | {} |\n",
                run.name,
                run.kind,
                run.patients,
                run.steps,
                run.trained_weights,
                percent(run.share_of_unet),
                or_none(run.multiply_adds.map(|count| count.to_string())),
                or_none(run.saved.map(percent)),
                run.loss_before,
                run.loss_after,
                run.gain,
                or_none(run.share_of_gain.map(percent)),
            )
        });
        format!(
            "# Runs beside each other\n\nLosses are of held-out patients, each with the same noise; gains are compared \
             with that of {}. The UNet has {} weights.\n\n| run | kind | patients | steps | weights trained | \
             of the UNet's | multiply-adds | saved | loss before | loss after | gain | of the gain |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|\n{}",
            self.against,
            self.unet_weights,
            lines.collect::<String>()
        )
    }
}
