//! The configuration of a run: everything that decides what it computes.

mod validate;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::buckets::AspectBucketsConfig;
use super::clip::ClipConfig;
use super::concept::ConceptConfig;
use super::controlnet::ControlnetConfig;
use super::fine_tune::FineTuneConfig;
use super::judge::JudgeConfig;
use super::lora::LoraConfig;
use super::objective::ObjectiveConfig;
use super::optimiser::{OptimiserKind, Precision};
use super::prefix::PrefixConfig;
use super::prior::PriorConfig;
use super::search::SearchConfig;
use super::textual_inversion::TextualInversionConfig;
use super::vae::VaeLossConfig;
use crate::model::{ModelCard, UnetConfig, VaeConfig};
use crate::noise::ScheduleConfig;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The autoencoder between image and latent.
    Vae,
    /// UNet and text encoder from the start, or on from a whole model (`fine_tune`).
    Base,
    /// An adapter of a frozen model's layers: LoRA, DoRA, LoHa or LoKr.
    Lora,
    /// A classifier of findings, or a segmenter of lungs.
    Judge,
    /// A network that leads a frozen model by a condition image.
    Controlnet,
    /// An image and a text encoder that say how well the two agree.
    Clip,
    /// A new concept, seen by a frozen model beside the text.
    Concept,
    /// Vectors before the text that a frozen model is told.
    Prefix,
    /// A word that a frozen model lacks.
    TextualInversion,
}

impl Task {
    /// Whether its network's blocks can be computed once more on the way back, in place of being kept.
    pub fn checkpoints(self) -> bool {
        match self {
            Self::Base
            | Self::Lora
            | Self::Controlnet
            | Self::Concept
            | Self::Prefix
            | Self::TextualInversion => true,
            Self::Vae | Self::Judge | Self::Clip => false,
        }
    }

    /// Whether pictures of prompts show on the way what it has learned. A concept shows it in its report.
    pub fn samples(self) -> bool {
        match self {
            Self::Base | Self::Lora | Self::Controlnet | Self::Prefix | Self::TextualInversion => {
                true
            }
            Self::Vae | Self::Judge | Self::Clip | Self::Concept => false,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSchedule {
    /// Stays.
    #[default]
    Constant,
    /// Falls along half a cosine to a tenth.
    Cosine,
    /// Falls in a straight line to a tenth.
    Linear,
}

/// Sizes of the text encoder that `base` starts; the vocabulary is learned from the captions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSizes {
    /// Entries of the vocabulary, at most.
    pub vocab_size: usize,
    /// Width of the embedding.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of the attention.
    pub num_attention_heads: usize,
    /// The longest text, in tokens.
    pub max_position_embeddings: usize,
}

/// A run's configuration, as TOML on the command line and JSON in the run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What is trained.
    pub task: Task,
    /// Name of what comes out.
    #[serde(default)]
    pub name: String,
    /// The bundle to start from: for `base` one with an autoencoder, for all that start from a model, or train
    /// beside or inside a frozen one, a whole one.
    #[serde(default)]
    pub model: PathBuf,
    /// Folder of the data set.
    pub dataset: PathBuf,
    /// Folder of the run.
    pub out: PathBuf,
    /// Steps in all.
    pub steps: u64,
    /// Images a step.
    #[serde(default = "defaults::batch_size")]
    pub batch_size: usize,
    /// Learning rate after the warm-up.
    #[serde(default = "defaults::learning_rate")]
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from zero.
    #[serde(default)]
    pub warmup_steps: u64,
    /// How the learning rate goes on.
    #[serde(default)]
    pub rate_schedule: RateSchedule,
    /// Decoupled weight decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    #[serde(default = "defaults::clip_norm")]
    pub clip_norm: f64,
    /// What stays of the weights' moving average at each step.
    #[serde(default = "defaults::average_decay")]
    pub average_decay: f64,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: u64,
    /// Computes the network's blocks once more on the way back in place of keeping what they computed: less
    /// memory for about a third more time (gradient checkpointing; Chen et al., arXiv 1604.06174).
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// Sides of the square image, in pixels, for `vae` and `clip`.
    #[serde(default = "defaults::image_size")]
    pub image_size: usize,
    /// Images in sizes near their own aspect, for all but `judge` and `clip`; squares without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect_buckets: Option<AspectBucketsConfig>,
    /// Share of captions left out, so that guidance has something to lead away from.
    #[serde(default = "defaults::caption_dropout")]
    pub caption_dropout: f64,
    /// γ of Min-SNR; 0 weighs every timestep the same. Those of a flow are weighed by how often they are drawn alone
    /// (`objective.timesteps`).
    #[serde(default = "defaults::min_snr_gamma")]
    pub min_snr_gamma: f64,
    /// 0 draws every image equally often, 1 every group of age and finding.
    #[serde(default)]
    pub balance: f64,
    /// Steps between two looks at held-out patients.
    #[serde(default = "defaults::validate_every")]
    pub validate_every: u64,
    /// Held-out images that a look takes, at most.
    #[serde(default = "defaults::validation_samples")]
    pub validation_samples: usize,
    /// Steps between two checkpoints.
    #[serde(default = "defaults::checkpoint_every")]
    pub checkpoint_every: u64,
    /// Checkpoints that are kept.
    #[serde(default = "defaults::keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// Rank of the adapter.
    #[serde(default = "defaults::rank")]
    pub rank: usize,
    /// The adapter's change is scaled by α / rank.
    #[serde(default = "defaults::alpha")]
    pub alpha: f64,
    /// Ends of the paths of the layers that the adapter changes.
    #[serde(default = "defaults::targets")]
    pub targets: Vec<String>,
    /// The autoencoder that `vae` starts.
    #[serde(default)]
    pub vae: Option<VaeConfig>,
    /// What the autoencoder is held to by `vae`; pixels, edges and the latent's spread without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae_loss: Option<VaeLossConfig>,
    /// The judge that `judge` trains, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeConfig>,
    /// The UNet that `base` starts.
    #[serde(default)]
    pub unet: Option<UnetConfig>,
    /// The text encoder that `base` or `clip` starts.
    #[serde(default)]
    pub text: Option<TextSizes>,
    /// The noise that `base` learns.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// The card of the model that `base` makes.
    #[serde(default)]
    pub card: Option<ModelCard>,
    /// What `controlnet` follows, and how it learns it.
    #[serde(default)]
    pub controlnet: Option<ControlnetConfig>,
    /// The image encoder that `clip` starts.
    #[serde(default)]
    pub clip: Option<ClipConfig>,
    /// How `concept` learns.
    #[serde(default)]
    pub concept: Option<ConceptConfig>,
    /// What the adapter of `lora` is made of, beside rank, α and targets.
    #[serde(default)]
    pub lora: Option<LoraConfig>,
    /// The size of the prefix that `prefix` trains.
    #[serde(default)]
    pub prefix: Option<PrefixConfig>,
    /// The word that `textual_inversion` learns.
    #[serde(default)]
    pub textual_inversion: Option<TextualInversionConfig>,
    /// That `base` starts from a whole model.
    #[serde(default)]
    pub fine_tune: Option<FineTuneConfig>,
    /// What the model should still make of a class, for all that start from a whole model.
    #[serde(default)]
    pub prior: Option<PriorConfig>,
    /// How `search lora` finds layers and ranks.
    #[serde(default)]
    pub search: Option<SearchConfig>,
    /// Timesteps, noise and weights of the loss.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// Batches whose gradients are averaged into one step: `accumulate` times `batch_size` images a step in the
    /// memory of `batch_size`.
    #[serde(default = "defaults::accumulate")]
    pub accumulate: u64,
    /// What moves the weights.
    #[serde(default)]
    pub optimiser: OptimiserKind,
    /// The number type in which the UNet of `base` computes.
    #[serde(default)]
    pub precision: Precision,
    /// Looks at held-out patients without a better one after which the run ends; its result are the weights of
    /// the best look then. None goes on to the last step and takes the last weights.
    #[serde(default)]
    pub patience: Option<u64>,
    /// Steps between two sheets of sample pictures; 0 makes none.
    #[serde(default)]
    pub sample_every: u64,
    /// What the sample pictures show; each is made from `seed`.
    #[serde(default)]
    pub sample_prompts: Vec<String>,
    /// Denoising steps of a sample picture.
    #[serde(default = "defaults::sample_steps")]
    pub sample_steps: usize,
    /// Guidance scale of a sample picture.
    #[serde(default = "defaults::sample_guidance_scale")]
    pub sample_guidance_scale: f64,
    /// Folder for encoded images, which runs may share; none encodes them at every start.
    #[serde(default)]
    pub latent_cache: Option<PathBuf>,
}

mod defaults {
    pub(super) fn batch_size() -> usize {
        8
    }
    pub(super) fn accumulate() -> u64 {
        1
    }
    pub(super) fn sample_steps() -> usize {
        20
    }
    pub(super) fn sample_guidance_scale() -> f64 {
        3.0
    }
    pub(super) fn learning_rate() -> f64 {
        1e-4
    }
    pub(super) fn clip_norm() -> f64 {
        1.0
    }
    pub(super) fn average_decay() -> f64 {
        0.999
    }
    pub(super) fn image_size() -> usize {
        128
    }
    pub(super) fn caption_dropout() -> f64 {
        0.1
    }
    pub(super) fn min_snr_gamma() -> f64 {
        5.0
    }
    pub(super) fn validate_every() -> u64 {
        100
    }
    pub(super) fn validation_samples() -> usize {
        64
    }
    pub(super) fn checkpoint_every() -> u64 {
        100
    }
    pub(super) fn keep_checkpoints() -> usize {
        2
    }
    pub(super) fn rank() -> usize {
        8
    }
    pub(super) fn alpha() -> f64 {
        8.0
    }
    pub(super) fn targets() -> Vec<String> {
        ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
            .map(str::to_owned)
            .to_vec()
    }
}

impl TrainConfig {
    /// A configuration with the defaults of its task.
    pub fn new(task: Task, dataset: PathBuf, out: PathBuf, steps: u64) -> Self {
        Self {
            task,
            name: String::new(),
            model: PathBuf::new(),
            dataset,
            out,
            steps,
            batch_size: defaults::batch_size(),
            learning_rate: defaults::learning_rate(),
            warmup_steps: 0,
            rate_schedule: RateSchedule::Constant,
            weight_decay: 0.0,
            clip_norm: defaults::clip_norm(),
            average_decay: defaults::average_decay(),
            seed: 0,
            gradient_checkpointing: false,
            image_size: defaults::image_size(),
            aspect_buckets: None,
            caption_dropout: defaults::caption_dropout(),
            min_snr_gamma: defaults::min_snr_gamma(),
            balance: 0.0,
            validate_every: defaults::validate_every(),
            validation_samples: defaults::validation_samples(),
            checkpoint_every: defaults::checkpoint_every(),
            keep_checkpoints: defaults::keep_checkpoints(),
            rank: defaults::rank(),
            alpha: defaults::alpha(),
            targets: defaults::targets(),
            vae: None,
            vae_loss: None,
            judge: None,
            unet: None,
            text: None,
            schedule: ScheduleConfig::default(),
            card: None,
            controlnet: None,
            clip: None,
            concept: None,
            lora: None,
            prefix: None,
            textual_inversion: None,
            fine_tune: None,
            prior: None,
            search: None,
            objective: ObjectiveConfig::default(),
            accumulate: defaults::accumulate(),
            optimiser: OptimiserKind::AdamW,
            precision: Precision::F32,
            patience: None,
            sample_every: 0,
            sample_prompts: Vec::new(),
            sample_steps: defaults::sample_steps(),
            sample_guidance_scale: defaults::sample_guidance_scale(),
            latent_cache: None,
        }
    }

    /// The learning rate of a step, counted from 1.
    pub fn rate_at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * step as f64 / self.warmup_steps as f64;
        }
        let length = self.steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let along = ((step - self.warmup_steps) as f64 / length).min(1.0);
        match self.rate_schedule {
            RateSchedule::Constant => self.learning_rate,
            RateSchedule::Cosine => {
                let fall = 0.5 * (1.0 + (std::f64::consts::PI * along).cos());
                self.learning_rate * (0.1 + 0.9 * fall)
            }
            RateSchedule::Linear => self.learning_rate * (1.0 - 0.9 * along),
        }
    }
}
