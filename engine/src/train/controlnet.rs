//! Training a ControlNet (Zhang et al., arXiv 2302.05543) beside a frozen model.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::config::TrainConfig;
use super::diffusion::{Asked, Diffusion};
use super::draw::source;
use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use super::trainee::Trainee;
use super::whole::{Moving, Whole};
use crate::control::ControlKind;
use crate::data::Split;
use crate::device::CancelToken;
use crate::model::{
    ControlNet, ControlNetConfig, Part, PartCard, UnetConfig, UnetInput, save_weights, write_json,
};
use crate::nn::Tape;

/// `[controlnet]` of a run's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlnetConfig {
    /// What the network follows: `mask` (or `lungmask`), `edges` or `sketch`.
    pub kind: ControlKind,
    /// Share of condition images that are shown black, so that the network knows what to do without one.
    #[serde(default = "condition_dropout")]
    pub condition_dropout: f64,
    /// Channels of the condition image; without it 3 where a value of the latent stands for 8 pixels a side,
    /// as diffusers' pipelines bring, and else 1.
    #[serde(default)]
    pub conditioning_channels: Option<usize>,
    /// Channels of the condition's embedding, a halving of the sides between each and the next; without it as
    /// [`ControlNetConfig::from_unet`] has it.
    #[serde(default)]
    pub embedding_channels: Option<Vec<usize>>,
}

fn condition_dropout() -> f64 {
    0.1
}

impl ControlnetConfig {
    /// A network that follows `kind`, with the defaults.
    pub fn new(kind: ControlKind) -> Self {
        Self {
            kind,
            condition_dropout: condition_dropout(),
            conditioning_channels: None,
            embedding_channels: None,
        }
    }

    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let fault = |field, cause: &str| Err(TrainError::Config { field, cause: cause.to_owned() });
        if self.kind == ControlKind::Ready {
            return fault("controlnet.kind", "must be mask, edges or sketch");
        }
        if !(0.0..1.0).contains(&self.condition_dropout) {
            return fault("controlnet.condition_dropout", "must lie from 0 to below 1");
        }
        Ok(())
    }

    /// The network's configuration beside `unet`, on latents whose sides are a `compression`th of an image's.
    fn network(
        &self,
        unet: &UnetConfig,
        compression: usize,
    ) -> Result<ControlNetConfig, TrainError> {
        let mut network = ControlNetConfig::from_unet(unet, compression)?;
        if let Some(channels) = self.conditioning_channels {
            network.conditioning_channels = channels;
        }
        if let Some(channels) = &self.embedding_channels {
            network.conditioning_embedding_out_channels.clone_from(channels);
        }
        network.validate()?;
        if network.compression() != compression {
            return Err(TrainError::Config {
                field: "controlnet.embedding_channels",
                cause: format!(
                    "halves the sides to a {}th, and the autoencoder's latent is a {compression}th",
                    network.compression()
                ),
            });
        }
        Ok(network)
    }
}

/// The ControlNet alone moves; UNet, text encoder and autoencoder stay. The loss reaches it through what it
/// adds to the UNet's skip connections: on the UNet's way down there is nothing to learn, and no gradient.
pub(super) struct ControlnetTask {
    config: ControlnetConfig,
    seed: u64,
    network: ControlNet,
    variables: BTreeMap<String, Var>,
    whole: Whole,
    diffusion: Diffusion,
    train: Conditions,
    validation: Conditions,
    card: PartCard,
}

impl ControlnetTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let Some(own) = config.controlnet.clone() else {
            return Err(TrainError::Config { field: "controlnet", cause: "is missing".into() });
        };
        let whole = Whole::open(config, Moving::default(), device)?;
        let (vae, dataset) = (whole.bundle.vae(device)?, &whole.dataset);
        let network_config = own.network(whole.unet.config(), vae.config().compression())?;
        let (network, weights) =
            ControlNet::from_unet(&whole.bundle, network_config, config.seed, device)?;
        let framing = whole.framing(config)?;
        let conditions = |split, limit| Conditions::load(dataset, split, own.kind, &framing, limit);
        let train = conditions(Split::Train, usize::MAX)?;
        let validation = conditions(Split::Validation, config.validation_samples)?;
        let diffusion = whole.beside(config, dataset, &vae, cancel)?;
        let owed = whole.owed();
        let card = PartCard {
            name: config.name.clone(),
            kind: "controlnet".into(),
            condition: Some(own.kind.word().into()),
            base_model: whole.bundle.card().name.clone(),
            base_sha256: whole.bundle.card().weights_sha256.clone(),
            dataset: dataset.card().name.clone(),
            licence: owed.licence(),
            attribution: owed.attribution(),
            ..PartCard::default()
        };
        Ok(Self {
            config: own,
            seed: config.seed,
            network,
            variables: weights.variables(),
            whole,
            diffusion,
            train,
            validation,
            card,
        })
    }

    /// What the UNet predicts where the ControlNet is shown the condition images for which `seen` says so; the blocks
    /// of both are pieces of the `tape`.
    fn predict<'a>(
        &'a self,
        asked: &Asked,
        seen: impl Fn(usize) -> bool,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let conditions = match asked.split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
        };
        let channels = self.network.config().conditioning_channels;
        let condition = conditions.tensor(asked.indices, seen, channels, &self.whole.device)?;
        let residuals = self.network.forward_on(&asked.input, &condition, tape)?;
        let input = UnetInput { residuals: Some(&residuals), ..asked.input };
        self.whole.unet.predict_on(&input, tape)
    }

    fn loss_of<'a>(&'a self, step: u64, tape: Option<&Tape<'a>>) -> Result<Tensor, TrainError> {
        let dropout = self.config.condition_dropout;
        let predict = |asked: &Asked| {
            let mut random = source(self.seed, asked.step, "condition");
            let shown: Vec<bool> =
                asked.indices.iter().map(|_| random.random::<f64>() >= dropout).collect();
            self.predict(asked, |place| shown[place], tape)
        };
        Ok(self.diffusion.loss_of(step, &self.whole.text, &predict)?)
    }

    fn held_out(&self, seen: bool) -> Result<f32, TrainError> {
        let predict = |asked: &Asked| self.predict(asked, |_| seen, None);
        Ok(self.diffusion.validation_loss_of(&self.whole.text, &predict)?)
    }
}

impl Trainee for ControlnetTask {
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

    fn validation_loss(&self) -> Result<f32, TrainError> {
        self.held_out(true)
    }

    /// A folder that diffusers' `ControlNetModel` opens, with its card.
    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let part = Part::ControlNet(0);
        write_json(&out.join("config.json"), self.network.config())?;
        save_weights(&out.join(part.weights_file()), weights, DType::F16)?;
        let figures = [
            // What the condition itself is worth: the same images with none shown.
            ("validation_loss_without_condition", f64::from(self.held_out(false)?)),
            ("training_images_with_condition", self.train.count() as f64),
        ];
        let card = PartCard {
            steps: summary.steps,
            validation_loss_before: summary.validation_loss_before,
            validation_loss_after: summary.validation_loss_after,
            figures: figures.map(|(name, value)| (name.to_owned(), value)).into(),
            ..self.card.clone()
        };
        Ok(write_json(&out.join(PartCard::FILE), &card)?)
    }

    /// Pictures of prompts, led by conditions of held-out patients.
    fn ready(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        self.whole.ready()?.control(result, self.validation.frames()).map(Some)
    }
}
