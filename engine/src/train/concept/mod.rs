//! Teaching a frozen model a new concept, in two stages: an autoencoder over the concept's images gives feature
//! tokens; the model sees these through gated cross-attention of its own beside the text's.

mod features;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use serde::{Deserialize, Serialize};

pub(super) use self::features::FeatureTask;
use self::features::Features;
use self::report::Before;
use super::caution::check_captions;
use super::config::TrainConfig;
use super::diffusion::{Asked, Diffusion};
use super::draw::source;
use super::error::TrainError;
use super::event::TrainSummary;
use super::owed::Owes;
use super::run::begin;
use super::trainee::Trainee;
use super::whole::{Moving, Whole, finished};
use crate::adapter::{AdapterCard, CONCEPT, Concept, GatedReaders};
use crate::data::{Dataset, Split};
use crate::device::CancelToken;
use crate::model::{FeatureConfig, UnetInput};
use crate::nn::{Tape, Weights};

/// Name of the readers among the trained weights.
const READERS: &str = "readers";

/// `[concept]` of a run's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConceptConfig {
    /// Feature tokens of an image.
    pub tokens: usize,
    /// Width of a token.
    pub width: usize,
    /// Sides of the square image that is encoded, in pixels.
    pub image_size: usize,
    /// Channels of the encoder's levels, each at half the sides of the one before.
    pub channels: Vec<usize>,
    /// Steps of the first stage.
    pub feature_steps: u64,
    /// Learning rate of the first stage.
    pub feature_learning_rate: f64,
    /// Share of images that are shown by the mean of all, as generation shows the concept, and not by their own
    /// tokens.
    pub mean_share: f64,
    /// Folder of a data set of what the model could do before. Its images are learned along, with the concept in
    /// sight, so that other prompts stay what they were (prior preservation, Ruiz et al., arXiv 2208.12242).
    pub replay: Option<PathBuf>,
    /// Weight of the loss on these.
    pub replay_weight: f64,
    /// Prompts that are made before and after, to measure what was kept.
    pub report_prompts: usize,
    /// Denoising steps of these; without it the model's default.
    pub report_steps: Option<usize>,
}

impl Default for ConceptConfig {
    fn default() -> Self {
        Self {
            tokens: 4,
            width: 64,
            image_size: 64,
            channels: vec![32, 64, 128, 128],
            feature_steps: 500,
            feature_learning_rate: 1e-3,
            mean_share: 0.5,
            replay: None,
            replay_weight: 1.0,
            report_prompts: 4,
            report_steps: None,
        }
    }
}

impl ConceptConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let hold = |holds: bool, field, cause: &str| {
            let fault = || TrainError::Config { field, cause: cause.to_owned() };
            if holds { Ok(()) } else { Err(fault()) }
        };
        self.features().validate()?;
        let steps = (1..=1_000_000).contains(&self.feature_steps);
        hold(steps, "concept.feature_steps", "must lie between 1 and 1,000,000")?;
        let rate = self.feature_learning_rate > 0.0 && self.feature_learning_rate <= 1.0;
        hold(rate, "concept.feature_learning_rate", "must lie above 0 and at most at 1")?;
        let share = (0.0..=1.0).contains(&self.mean_share);
        hold(share, "concept.mean_share", "must lie between 0 and 1")?;
        let weight = self.replay_weight >= 0.0 && self.replay_weight.is_finite();
        hold(weight, "concept.replay_weight", "must be a number of 0 or more")?;
        let prompts = self.report_prompts <= 64;
        hold(prompts, "concept.report_prompts", "must be 64 at most")?;
        let steps = self.report_steps.is_none_or(|steps| (1..=1000).contains(&steps));
        hold(steps, "concept.report_steps", "must lie between 1 and 1,000")
    }

    fn features(&self) -> FeatureConfig {
        FeatureConfig {
            image_size: self.image_size,
            channels: self.channels.clone(),
            tokens: self.tokens,
            width: self.width,
        }
    }
}

/// What the model could do before: the images of another data set.
struct Replay {
    diffusion: Diffusion,
    /// The loss on its held-out images without the concept.
    before: f32,
}

/// The second stage: the gated readers alone move; UNet, texts, autoencoder and feature encoder stay.
pub(super) struct ConceptTask {
    config: ConceptConfig,
    seed: u64,
    whole: Whole,
    readers: GatedReaders,
    variables: BTreeMap<String, Var>,
    diffusion: Diffusion,
    replay: Option<Replay>,
    features: Features,
    /// Error of the first stage on held-out images, of pixels from 0 to 1.
    feature_error: f32,
    prompts: Vec<String>,
    card: AdapterCard,
}

impl ConceptTask {
    /// Loads what is needed, then runs the first stage in the run's folder `features`, or goes on with it.
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let own = config.concept.clone().unwrap_or_default();
        let whole = Whole::open(config, Moving::default(), device)?;
        let weights = Weights::from_seed(config.seed, DType::F32, device);
        let attentions = whole.unet.cross_attentions();
        if attentions.is_empty() {
            let cause = "its UNet attends to no text, and could see no concept beside it".into();
            return Err(TrainError::Config { field: "model", cause });
        }
        let readers = GatedReaders::new(attentions, own.width, &weights.pp(READERS))?;
        let old = own.replay.as_ref().map(Dataset::open).transpose()?;
        let (vae, dataset) = (whole.bundle.vae(device)?, &whole.dataset);
        let diffusion = whole.beside(config, dataset, &vae, cancel)?;
        let replay = match &old {
            Some(old) => {
                // Other draws than the concept's: the same would pair them for ever.
                let seed = config.seed ^ 0x7265_706c_6179;
                let config = TrainConfig { seed, ..config.clone() };
                check_captions(old)?;
                let diffusion = whole.beside(&config, old, &vae, cancel)?;
                let before = diffusion.validation_loss(&whole.unet, &whole.text)?;
                Some(Replay { diffusion, before })
            }
            None => None,
        };
        let mut prompts: Vec<String> = Vec::new();
        for sample in old.as_ref().unwrap_or(dataset).samples(Split::Validation) {
            if prompts.len() < own.report_prompts && !prompts.contains(&sample.caption) {
                prompts.push(sample.caption.clone());
            }
        }
        let mut card = whole.adapter_card(config, CONCEPT);
        if let Some(old) = &old {
            let owed = whole.owed().and_set(old.card());
            (card.licence, card.attribution) = (owed.licence(), owed.attribution());
        }
        let first = first_stage(config, &own, dataset, device, cancel)?;
        let features = Features::open(&first.output, &own.features(), dataset, device)?;
        Ok(Self {
            config: own,
            seed: config.seed,
            whole,
            readers,
            variables: weights.variables(),
            diffusion,
            replay,
            features,
            feature_error: first.validation_loss_after,
            prompts,
            card,
        })
    }

    /// What the UNet predicts with `tokens` `[batch, tokens, width]` in sight; its blocks are pieces of the `tape`.
    fn predict<'a>(
        &'a self,
        asked: &Asked,
        tokens: &Tensor,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let contexts = self.readers.contexts(tokens, 1.0)?;
        let images: Vec<_> = contexts.into_iter().map(|context| vec![context]).collect();
        self.whole.unet.predict_on(&UnetInput { images: Some(&images), ..asked.input }, tape)
    }

    /// The concept's mean for as many images as are asked about.
    fn predict_by_mean<'a>(
        &'a self,
        asked: &Asked,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let (_, tokens, width) = self.features.mean.dims3()?;
        let shape = (asked.indices.len(), tokens, width);
        self.predict(asked, &self.features.mean.broadcast_as(shape)?.contiguous()?, tape)
    }

    /// Each image of a step by its own tokens, or by the mean.
    fn predict_training<'a>(
        &'a self,
        asked: &Asked,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let mut random = source(self.seed, asked.step, "concept");
        let rows = asked.indices.iter().map(|index| {
            let by_mean = random.random::<f64>() < self.config.mean_share;
            if by_mean {
                Ok(self.features.mean.clone())
            } else {
                self.features.tokens.narrow(0, *index, 1)
            }
        });
        let rows = rows.collect::<candle_core::Result<Vec<_>>>()?;
        self.predict(asked, &Tensor::cat(&rows, 0)?, tape)
    }

    fn loss_of<'a>(&'a self, step: u64, tape: Option<&Tape<'a>>) -> Result<Tensor, TrainError> {
        let text = &self.whole.text;
        let predict = |asked: &Asked| self.predict_training(asked, tape);
        let loss = self.diffusion.loss_of(step, text, &predict)?;
        let Some(replay) = &self.replay else { return Ok(loss) };
        let predict = |asked: &Asked| self.predict_by_mean(asked, tape);
        let old = replay.diffusion.loss_of(step, text, &predict)?;
        Ok((loss + (old * self.config.replay_weight)?)?)
    }
}

/// Runs the first stage, or goes on with it; a stage that is done takes no step.
fn first_stage(
    config: &TrainConfig,
    own: &ConceptConfig,
    dataset: &Dataset,
    device: &Device,
    cancel: &CancelToken,
) -> Result<TrainSummary, TrainError> {
    let stage = TrainConfig {
        out: config.out.join("features"),
        steps: own.feature_steps,
        learning_rate: own.feature_learning_rate,
        // Said by `steps`, which alone may change where a stage goes on.
        concept: Some(ConceptConfig {
            feature_steps: ConceptConfig::default().feature_steps,
            ..own.clone()
        }),
        ..config.clone()
    };
    let prepare = || -> Result<Box<dyn Trainee>, TrainError> {
        Ok(Box::new(FeatureTask::new(&stage, &own.features(), dataset, device)?))
    };
    // Its course stands in its own folder: whoever listens to the run hears of the second stage.
    begin(&stage, true, prepare, &mut |_| (), cancel).map_err(|error| match error {
        TrainError::Cancelled { .. } => TrainError::Cancelled { step: 0 },
        other => other,
    })
}

impl Trainee for ConceptTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        self.diffusion.samples()
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        self.loss_of(step, None)
    }

    fn loss_on<'a>(&'a self, step: u64, tape: &Tape<'a>) -> Result<Tensor, TrainError> {
        self.loss_of(step, Some(tape))
    }

    /// With the concept's mean in sight, as generation has it.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let predict = |asked: &Asked| self.predict_by_mean(asked, None);
        Ok(self.diffusion.validation_loss_of(&self.whole.text, &predict)?)
    }

    /// The concept, and the report of what was kept.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let mut all = self.features.weights.clone();
        all.insert("mean".into(), self.features.mean.clone());
        all.extend(weights.clone());
        let mut card = finished(&self.card, summary);
        Concept::write(out, &self.config.features(), &all, &card)?;
        let kept = match &self.replay {
            Some(replay) => {
                let predict = |asked: &Asked| self.predict_by_mean(asked, None);
                let with = replay.diffusion.validation_loss_of(&self.whole.text, &predict)?;
                let without =
                    replay.diffusion.validation_loss(&self.whole.unet, &self.whole.text)?;
                Some(report::OldLoss { before: replay.before, without, with })
            }
            None => None,
        };
        // Measured on what was written: it has to load.
        let card_of_base = self.whole.bundle.card();
        let steps = self.config.report_steps.unwrap_or(card_of_base.default_steps.max(1) as usize);
        let mut before =
            Before::new(&self.whole.bundle, &self.prompts, steps, self.seed, &self.whole.device)?;
        let report = before.after(out, kept, self.feature_error)?;
        card.figures = report.figures();
        report.write(out)?;
        Ok(Concept::write_card(out, &card)?)
    }
}
