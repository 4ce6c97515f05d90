//! The engine's long work, as jobs call it. Every function here blocks.

use std::path::{Path, PathBuf};

use skiagraph_engine::data::{self, BuildOptions, DataError, Dataset};
use skiagraph_engine::device::{CancelToken, Device};
use skiagraph_engine::dicom::{AgeGroup, Sex};
use skiagraph_engine::prompt::StructuredPrompt;
use skiagraph_engine::serve::{AdapterRef, GenerateRequest, GeneratedImage, ServeError, Service};
use skiagraph_engine::train::{self, Task, TrainConfig, TrainError, TrainEvent, TrainSummary};
use skiagraph_engine::verify;

use crate::marking::Marking;
use crate::models::generations::{GenerationRequest, Prompt};
use crate::models::registry::{self, Identifiers};
use crate::models::runs::RunConfig;

/// Why work did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was asked to stop.
    Cancelled,
    /// The record cannot succeed; the cause is for its owner, and names no path and no patient.
    Refused(String),
    /// Something below failed; the cause is for the log.
    Internal(String),
}

/// A data set to build.
#[derive(Debug)]
pub(super) struct DatasetOrder {
    /// Its name.
    pub name: String,
    /// A folder with its DICOM files, named in the order of `radiographs`.
    pub sources: PathBuf,
    /// Identifiers of the radiographs.
    pub radiographs: Vec<String>,
    /// The folder to make.
    pub out: PathBuf,
    /// Share of patients kept for validation.
    pub validation_fraction: f32,
    /// Seed of the split.
    pub seed: u64,
    /// Licence of the sources.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
}

/// Builds a data set, or opens the one that a killed worker had finished. Returns its card.
pub(super) fn build_dataset(
    order: &DatasetOrder,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelToken,
) -> Result<serde_json::Value, Failure> {
    let card = if order.out.join("card.json").exists() {
        Dataset::open(&order.out).map(|dataset| dataset.card().clone())
    } else {
        let options = BuildOptions {
            name: order.name.clone(),
            sources: vec![order.sources.clone()],
            out: order.out.clone(),
            validation_fraction: order.validation_fraction,
            seed: order.seed,
            licence: order.licence.clone(),
            attribution: order.attribution.clone(),
            allow_synthetic: false,
            masks: None,
        };
        data::build(&options, progress, cancel)
    };
    let card = card.map_err(|error| data_failure(&error, &order.radiographs))?;
    serde_json::to_value(card).map_err(|error| Failure::Internal(error.to_string()))
}

fn data_failure(error: &DataError, radiographs: &[String]) -> Failure {
    // The engine counts sources from 1 in the order of their paths, which is the order of the list.
    let radiograph = |number: usize| {
        let id = number.checked_sub(1).and_then(|index| radiographs.get(index));
        id.map_or_else(|| format!("radiograph {number}"), |id| format!("radiograph {id}"))
    };
    match error {
        DataError::Cancelled => Failure::Cancelled,
        DataError::Option { .. } | DataError::Sources { .. } => Failure::Refused(error.to_string()),
        DataError::Source { number, source, .. } => {
            Failure::Refused(format!("{}: {source}", radiograph(*number)))
        }
        DataError::Unfit { number, cause, .. } => {
            Failure::Refused(format!("{}: {cause}", radiograph(*number)))
        }
        DataError::Damaged { .. } | DataError::Encode(_) | DataError::Io { .. } => {
            Failure::Internal(error.to_string())
        }
    }
}

/// A run to do, or to go on with.
#[derive(Debug)]
pub(super) struct RunOrder {
    /// The adapter's name.
    pub name: String,
    /// The model's folder.
    pub model: PathBuf,
    /// The data set's folder.
    pub dataset: PathBuf,
    /// The run's folder.
    pub out: PathBuf,
    /// What computes.
    pub device: Device,
    /// How to train.
    pub config: RunConfig,
}

/// The engine's configuration of a run. The same order gives the same configuration: a run that
/// goes on must be the run that was stopped.
fn train_config(order: &RunOrder) -> TrainConfig {
    let RunConfig { rank, alpha, steps, batch_size, learning_rate, seed, method: _ } =
        order.config.clone();
    TrainConfig {
        name: order.name.clone(),
        model: order.model.clone(),
        rank,
        alpha,
        batch_size,
        learning_rate,
        seed,
        // Twenty checkpoints at least, so that a restart costs a twentieth at most.
        checkpoint_every: (steps / 20).clamp(1, 100),
        validate_every: (steps / 10).clamp(1, 200),
        ..TrainConfig::new(Task::Lora, order.dataset.clone(), order.out.clone(), steps)
    }
}

/// Trains an adapter, from its last checkpoint where there is one.
pub(super) fn train(
    order: &RunOrder,
    on_event: &mut dyn FnMut(TrainEvent),
    cancel: &CancelToken,
) -> Result<TrainSummary, Failure> {
    train::run(&train_config(order), true, &order.device, on_event, cancel).map_err(|error| {
        match error {
            TrainError::Cancelled { .. } => Failure::Cancelled,
            TrainError::Config { .. } | TrainError::NotFinite { .. } => {
                Failure::Refused(error.to_string())
            }
            TrainError::Data(_)
            | TrainError::Model(_)
            | TrainError::Adapter(_)
            | TrainError::Evaluate(_)
            | TrainError::File { .. }
            | TrainError::Sample(_)
            | TrainError::Tensor(_) => Failure::Internal(error.to_string()),
        }
    })
}

/// The engine's request for one image of a generation.
pub(super) fn image_request(
    request: &GenerationRequest,
    index: u32,
    adapter: Option<&Path>,
    marking: &Marking,
) -> GenerateRequest {
    GenerateRequest {
        prompt: structured(&request.prompt),
        negative: request.negative.clone(),
        seed: request.seed + u64::from(index),
        steps: request.steps,
        guidance_scale: request.guidance_scale,
        count: 1,
        adapters: adapter
            .map(|path| AdapterRef {
                path: path.to_owned(),
                scale: request.adapter_scale.unwrap_or(1.0),
            })
            .into_iter()
            .collect(),
        watermark: marking.watermark.clone(),
        ..GenerateRequest::default()
    }
}

fn structured(prompt: &Prompt) -> StructuredPrompt {
    StructuredPrompt {
        findings: prompt.findings.clone(),
        age_group: prompt.age_group.as_deref().and_then(AgeGroup::parse),
        sex: prompt.sex.as_deref().and_then(Sex::parse),
        view_position: prompt.view_position.clone(),
        style: prompt.style.clone(),
        text: prompt.text.clone(),
    }
}

/// An image whose PNG is signed, and by what its files will be known again.
#[derive(Debug)]
pub(super) struct Made {
    /// The image.
    pub image: GeneratedImage,
    /// Of both of its files.
    pub identifiers: Identifiers,
}

/// Makes one image. `on_step` hears of every finished step, with a PNG preview now and then.
pub(super) fn generate(
    service: &Service,
    request: &GenerateRequest,
    marking: &Marking,
    on_step: &mut dyn FnMut(u32, Option<Vec<u8>>),
    cancel: &CancelToken,
) -> Result<Made, Failure> {
    let images = service
        .generate(request, &mut |progress| on_step(progress.step, progress.preview_png), cancel)
        .map_err(|error| match error {
            ServeError::Cancelled => Failure::Cancelled,
            ServeError::Invalid { .. } => Failure::Refused(error.to_string()),
            ServeError::Stopped
            | ServeError::Model(_)
            | ServeError::Adapter(_)
            | ServeError::Dicom(_)
            | ServeError::Sample(_) => Failure::Internal(error.to_string()),
        })?;
    let image = images.into_iter().next();
    let mut image = image.ok_or_else(|| Failure::Internal("no image came back".to_owned()))?;
    if let Some(signer) = &marking.signer {
        let signed = signer.sign_png(&image.png);
        image.png = signed.map_err(|error| Failure::Internal(error.to_string()))?;
    }
    let mut identifiers = Identifiers::new();
    for file in [&image.dicom, &image.png] {
        let of = verify::identify(file).map_err(|error| Failure::Internal(error.to_string()))?;
        identifiers.extend(registry::of(of));
    }
    Ok(Made { image, identifiers })
}
