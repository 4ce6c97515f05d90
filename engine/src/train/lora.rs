//! Training a low-rank adapter of a frozen model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};

use super::alignment;
use super::config::TrainConfig;
use super::diffusion::{Captions, Diffusion};
use super::error::TrainError;
use super::event::TrainSummary;
use super::samples::Ready;
use super::trainee::Trainee;
use crate::adapter::{AdapterCard, LoraConfig, Networks, attach};
use crate::data::Dataset;
use crate::device::CancelToken;
use crate::model::{Bundle, Part, TextEncoder, Unet};
use crate::noise::Schedule;

/// The adapter alone moves; UNet, text encoder and autoencoder stay.
pub(super) struct LoraTask {
    unet: Unet,
    text: TextEncoder,
    config: LoraConfig,
    variables: BTreeMap<String, Var>,
    diffusion: Diffusion,
    card: AdapterCard,
    model: PathBuf,
    device: Device,
}

impl LoraTask {
    pub(super) fn new(
        config: &TrainConfig,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, TrainError> {
        let bundle = Bundle::open(&config.model)?;
        let dataset = Dataset::open(&config.dataset)?;
        let vae = bundle.vae(device)?;
        let (unet, weights) = bundle.unet(false, device)?;
        let (text, _) = bundle.text_encoder(Part::TextEncoder, false, device)?;
        let lora_config = LoraConfig {
            peft_type: "LORA".into(),
            r: config.rank,
            lora_alpha: config.alpha,
            target_modules: config.targets.clone(),
        };
        let (lora, mut variables) = lora_config.fresh(&weights, config.seed, device)?;
        attach(&Networks::unet(&weights), &[(&lora, 1.0)], false)?;
        let tokenizer = bundle.tokenizer(Part::TextEncoder)?;
        let captions =
            Captions { tokenizer: &tokenizer, length: text.config().max_position_embeddings };
        let schedule = Schedule::new(bundle.schedule()?);
        let mut diffusion =
            Diffusion::new(config, &dataset, &vae, captions, schedule, device, cancel)?;
        diffusion.freeze_texts(&text)?;
        variables.extend(diffusion.align(config, &dataset, &unet, cancel)?);
        Ok(Self {
            unet,
            text,
            config: lora_config,
            variables,
            diffusion,
            card: AdapterCard {
                name: config.name.clone(),
                method: "lora".into(),
                base_model: bundle.card().name.clone(),
                base_sha256: bundle.card().weights_sha256.clone(),
                dataset: dataset.card().name.clone(),
                licence: dataset.card().licence.clone(),
                attribution: dataset.card().attribution.clone(),
                ..AdapterCard::default()
            },
            model: config.model.clone(),
            device: device.clone(),
        })
    }
}

impl Trainee for LoraTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        self.diffusion.samples()
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        Ok(self.diffusion.loss(step, &self.unet, &self.text)?)
    }

    fn validation_loss(&self) -> Result<f32, TrainError> {
        Ok(self.diffusion.validation_loss(&self.unet, &self.text)?)
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let card = AdapterCard {
            steps: summary.steps,
            validation_loss_before: summary.validation_loss_before,
            validation_loss_after: summary.validation_loss_after,
            ..self.card.clone()
        };
        let mut weights = weights.clone();
        weights.retain(|name, _| !name.starts_with(alignment::PREFIX));
        Ok(self.config.save(out, &weights, &card)?)
    }

    fn ready(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        Ready::adapted(&self.model, result, &self.device).map(Some)
    }
}
