//! Prior preservation (Ruiz et al., arXiv 2208.12242, section 3.3): images that the base makes of a class go
//! along with those of the data set, so that the class is not forgotten for the few that are learned.

use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::diffusion::Diffusion;
use super::error::TrainError;
use crate::control::read_picture;
use crate::device::CancelToken;
use crate::dicom::{Frame, Provenance, SyntheticDescription, png_with_provenance};
use crate::files;
use crate::model::{Bundle, TextEncoder, Unet, read_json, write_json};
use crate::nn::Tape;
use crate::sample::{Pipeline, RANDOM_GENERATOR, Request, SampleError, generate};

/// Keeps the draws of the prior apart from those of the data set.
const APART: u64 = 0x7072_696f_7200_0000;
/// Images of a prior, at most.
const MOST_IMAGES: usize = 100_000;

/// What the model should still make of a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// The prompts of the class, in turn.
    pub prompts: Vec<String>,
    /// Images that the untouched model makes of them.
    #[serde(default = "usual_images")]
    pub images: usize,
    /// How much their loss counts beside that of the data set; λ of the paper.
    #[serde(default = "usual_weight")]
    pub weight: f64,
    /// Denoising steps; without it those of the model's card.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Strength of guidance; without it that of the model's card.
    #[serde(default)]
    pub guidance_scale: Option<f32>,
}

fn usual_images() -> usize {
    200
}

fn usual_weight() -> f64 {
    1.0
}

/// What decides the images of a prior: with another of these they are made anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recipe {
    model_sha256: String,
    prompts: Vec<String>,
    images: usize,
    steps: u32,
    guidance_scale: f32,
    seed: u64,
}

impl PriorConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        let some =
            !self.prompts.is_empty() && self.prompts.iter().all(|prompt| !prompt.trim().is_empty());
        check(some, "prior.prompts", "a prompt of the class is missing")?;
        check(
            (self.prompts.len()..=MOST_IMAGES).contains(&self.images),
            "prior.images",
            "must lie between the number of prompts and 100,000",
        )?;
        check(
            self.weight > 0.0 && self.weight <= 100.0,
            "prior.weight",
            "must lie above 0 and at most at 100",
        )
    }

    /// The prompt of an image.
    pub(super) fn prompt(&self, index: usize) -> &str {
        &self.prompts[index % self.prompts.len()]
    }

    /// The images, from the folder `prior` of the run where they were made before; each is kept as soon as
    /// it is made.
    ///
    /// # Errors
    /// Where the model cannot make them, or a file cannot be written or read.
    pub(super) fn images(
        &self,
        config: &TrainConfig,
        bundle: &Bundle,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Vec<Frame>, TrainError> {
        let card = bundle.card();
        let recipe = Recipe {
            model_sha256: card.weights_sha256.clone(),
            prompts: self.prompts.clone(),
            images: self.images,
            steps: self.steps.unwrap_or(card.default_steps),
            guidance_scale: self.guidance_scale.unwrap_or(card.default_guidance_scale),
            seed: config.seed,
        };
        let folder = config.out.join("prior");
        let said = folder.join("recipe.json");
        let fault = |cause: std::io::Error| TrainError::file(&folder, cause);
        if said.exists() && read_json::<Recipe>(&said).is_ok_and(|before| before == recipe) {
            tracing::debug!("the prior's images of an earlier start are taken");
        } else {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).map_err(fault)?;
            }
            std::fs::create_dir_all(&folder).map_err(fault)?;
            write_json(&said, &recipe)?;
        }
        let mut pipeline = None;
        let mut frames = Vec::with_capacity(self.images);
        for index in 0..self.images {
            let path = folder.join(format!("{index:05}.png"));
            if !path.is_file() {
                if pipeline.is_none() {
                    pipeline = Some(Pipeline::load(bundle, device)?);
                }
                if let Some(pipeline) = &pipeline {
                    self.make(pipeline, bundle, &recipe, index, &path, cancel)?;
                }
            }
            // Always what the file holds, so that a run that goes on sees the same.
            let bytes = std::fs::read(&path).map_err(|cause| TrainError::file(&path, cause))?;
            frames.push(read_picture(&bytes).map_err(|cause| TrainError::file(&path, cause))?);
        }
        Ok(frames)
    }

    /// Makes the image `index`, and keeps it as a PNG that says what it is.
    fn make(
        &self,
        pipeline: &Pipeline,
        bundle: &Bundle,
        recipe: &Recipe,
        index: usize,
        path: &Path,
        cancel: &CancelToken,
    ) -> Result<(), TrainError> {
        let request = Request {
            prompt: self.prompt(index).to_owned(),
            seed: recipe.seed.wrapping_add(index as u64),
            steps: recipe.steps as usize,
            guidance_scale: f64::from(recipe.guidance_scale),
            ..Request::default()
        };
        let frame = generate(pipeline, &request, 0, &mut |_| (), cancel).map_err(failed)?;
        let card = bundle.card();
        let scheduler = pipeline.scheduler();
        let description = SyntheticDescription {
            prompt: request.prompt.clone(),
            provenance: Provenance {
                program: "Skiagraph".into(),
                version: crate::VERSION.into(),
                model: format!("{} {}", card.name, card.version).trim_end().to_owned(),
                model_sha256: card.weights_sha256.clone(),
                seed: request.seed,
                random_generator: RANDOM_GENERATOR.into(),
                steps: recipe.steps,
                guidance_scale: recipe.guidance_scale,
                scheduler: scheduler.class_name().to_owned(),
                scheduler_config: scheduler.to_json(),
                width: frame.width,
                height: frame.height,
                ..Provenance::default()
            },
            ..SyntheticDescription::default()
        };
        let png = png_with_provenance(&frame, &description)
            .map_err(|cause| TrainError::file(path, cause))?;
        files::replace(path, &png).map_err(|cause| TrainError::file(path, cause))
    }
}

fn failed(error: SampleError) -> TrainError {
    match error {
        SampleError::Cancelled => TrainError::Cancelled { step: 0 },
        SampleError::Invalid { field, cause } => {
            TrainError::Config { field: "prior", cause: format!("{field}: {cause}") }
        }
        SampleError::Model(error) => error.into(),
        SampleError::Tensor(error) => error.into(),
        SampleError::NotFinite => {
            let cause = "the model makes no image of the class, but values that are no numbers";
            TrainError::Config { field: "prior", cause: cause.into() }
        }
    }
}

/// The loss on the prior's images.
pub(super) struct Prior {
    diffusion: Diffusion,
    weight: f64,
}

impl Prior {
    /// `diffusion` is over the prior's images.
    pub(super) fn new(wanted: &PriorConfig, diffusion: Diffusion) -> Self {
        Self { diffusion, weight: wanted.weight }
    }

    /// The seed of its draws.
    pub(super) fn seed(config: &TrainConfig) -> u64 {
        config.seed ^ APART
    }

    pub(super) fn put_before(&mut self, vectors: &Tensor) {
        self.diffusion.put_before(vectors);
    }

    /// The weighted loss of a step, a scalar; a function of seed and step.
    pub(super) fn loss<'a>(
        &self,
        step: u64,
        unet: &'a Unet,
        text: &TextEncoder,
        tape: Option<&Tape<'a>>,
    ) -> Result<Tensor, TrainError> {
        Ok((self.diffusion.loss(step, unet, text, tape)? * self.weight)?)
    }
}
