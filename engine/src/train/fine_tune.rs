//! Training UNet and text encoder on, from a whole model's weights: what an adapter is compared with.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::base::{TEXT, UNET, copy_part, findings, part};
use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainSummary;
use super::owed::{Owes, stated};
use super::samples::Ready;
use super::whole::{Denoiser, Denoises, Losses, Moving, Whole};
use crate::device::CancelToken;
use crate::model::{Bundle, ModelCard, Part};

/// That `base` starts from the weights of `model`, and what of them moves beside the UNet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuneConfig {
    /// Whether the text encoder moves as well.
    pub text_encoder: bool,
}

/// UNet, and perhaps text encoder, of a whole model.
pub(super) struct FineTuneTask {
    config: TrainConfig,
    pub(super) whole: Whole,
    moving: Moving,
    variables: BTreeMap<String, Var>,
    losses: Losses,
}

impl FineTuneTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let text = config.fine_tune.as_ref().is_some_and(|own| own.text_encoder);
        let moving = Moving { unet: true, text };
        let whole = Whole::open(config, moving, device)?;
        let mut variables = BTreeMap::new();
        for (prefix, weights) in [(UNET, &whole.unet_weights), (TEXT, &whole.text_weights)] {
            let named = weights.variables().into_iter();
            variables.extend(named.map(|(name, variable)| (format!("{prefix}{name}"), variable)));
        }
        let mut losses = whole.losses(config, &str::to_owned, cancel)?;
        if !moving.text {
            losses.freeze_texts(&whole.text)?;
        }
        variables.extend(losses.align(config, &whole, cancel)?);
        Ok(Self { config: config.clone(), whole, moving, variables, losses })
    }

    /// The base's card, with what was learnt and whom that is owed to.
    fn card(&self, summary: &TrainSummary) -> ModelCard {
        let (before, learnt) = (self.whole.bundle.card(), self.whole.dataset.card());
        let owed = stated(before).and_set(learnt);
        let mut card = ModelCard {
            licence: owed.licence(),
            attribution: owed.attribution(),
            ..before.clone()
        };
        if !self.config.name.is_empty() {
            card.name.clone_from(&self.config.name);
        }
        card.findings = findings(&self.whole.dataset, &before.findings);
        card.figures.insert("validation_loss".into(), f64::from(summary.validation_loss_after));
        let moved = if self.moving.text { "UNet and text encoder" } else { "UNet" };
        card.training = format!(
            "{}; {moved}, trained on from {}: {} steps of {} images of {}",
            before.training, before.name, summary.steps, self.config.batch_size, learnt.name
        );
        card
    }
}

impl Denoises for FineTuneTask {
    fn denoiser(&self) -> Denoiser<'_> {
        let Self { whole, variables, losses, .. } = self;
        Denoiser { variables, losses, unet: &whole.unet, text: &whole.text }
    }

    fn write(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let Whole { bundle, unet, text, tokenizer, .. } = &self.whole;
        Bundle::write_part(out, Part::Unet, unet.config(), &part(weights, UNET))?;
        if self.moving.text {
            Bundle::write_part(out, Part::TextEncoder, text.config(), &part(weights, TEXT))?;
        } else {
            copy_part(bundle, Part::TextEncoder, out)?;
        }
        tokenizer.save(&out.join("tokenizer"), text.config().max_position_embeddings)?;
        copy_part(bundle, Part::Vae, out)?;
        Ok(Bundle::write_index(out, &bundle.schedule()?, &self.card(summary))?)
    }

    fn sampler(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        Ready::model(&Bundle::open(result)?, &self.whole.device).map(Some)
    }
}
