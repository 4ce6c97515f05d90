//! A whole model under training: its networks, its words, and what all tasks share whose loss is its UNet's.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};

use super::buckets::framing;
use super::caution::check_captions;
use super::config::TrainConfig;
use super::diffusion::{Captions, Diffusion};
use super::error::TrainError;
use super::event::TrainSummary;
use super::owed::{Owes, stated};
use super::prior::Prior;
use super::samples::Ready;
use super::trainee::Trainee;
use crate::adapter::{AdapterCard, Networks};
use crate::data::{Dataset, Framing, latents_of};
use crate::device::CancelToken;
use crate::model::{Bundle, Owed, Part, TextEncoder, Tokenizer, Unet, Vae};
use crate::nn::{Tape, Weights};
use crate::noise::Schedule;

/// What of a model moves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moving {
    pub(super) unet: bool,
    pub(super) text: bool,
}

/// A model that was loaded whole but for its autoencoder, and the data set that it learns from.
pub(super) struct Whole {
    pub(super) bundle: Bundle,
    pub(super) dataset: Dataset,
    pub(super) tokenizer: Tokenizer,
    pub(super) unet: Unet,
    pub(super) unet_weights: Weights,
    pub(super) text: TextEncoder,
    pub(super) text_weights: Weights,
    pub(super) device: Device,
}

impl Whole {
    /// # Errors
    /// Where model or data set do not load, the model is of a kind that is not trained here, or no image
    /// has a caption.
    pub(super) fn open(
        config: &TrainConfig,
        moving: Moving,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let bundle = Bundle::open(&config.model)?;
        let dataset = Dataset::open(&config.dataset)?;
        let refused = |cause: &str| Err(TrainError::Config { field: "model", cause: cause.into() });
        if bundle.has(Part::TextEncoder2) {
            return refused("has two text encoders; models of one are trained here");
        }
        check_captions(&dataset)?;
        let unet = bundle.unet_config()?;
        if unet.in_channels != bundle.vae_config()?.latent_channels {
            return refused("its UNet takes more than the latent (it paints into images)");
        }
        if unet.adds_text_and_sizes() || unet.takes_classes() {
            let cause =
                "its UNet is told sizes (Stable Diffusion XL) or a class, which is not trained";
            return refused(cause);
        }
        let (unet, unet_weights) = bundle.unet(moving.unet, device)?;
        let (text, text_weights) = bundle.text_encoder(Part::TextEncoder, moving.text, device)?;
        let tokenizer = bundle.tokenizer(Part::TextEncoder)?;
        let device = device.clone();
        Ok(Self { bundle, dataset, tokenizer, unet, unet_weights, text, text_weights, device })
    }

    /// The model as it was before, ready to sample with what was trained for it.
    pub(super) fn ready(&self) -> Result<Ready, TrainError> {
        Ready::model(&self.bundle, &self.device)
    }

    /// The networks that adapters change.
    pub(super) fn networks(&self) -> Networks<'_> {
        Networks {
            unet: &self.unet_weights,
            text_encoder: Some(&self.text_weights),
            text_encoder_2: None,
        }
    }

    /// Encodes images and captions, and makes the images of the prior where there is one; `told` is what the
    /// model is told for a prompt of the prior.
    pub(super) fn losses(
        &self,
        config: &TrainConfig,
        told: &dyn Fn(&str) -> String,
        cancel: &CancelToken,
    ) -> Result<Losses, TrainError> {
        let vae = self.bundle.vae(&self.device)?;
        let diffusion = self.diffusion(config, &self.dataset, &vae, cancel)?;
        let prior = match &config.prior {
            Some(wanted) => {
                let images = wanted.images(config, &self.bundle, &self.device, cancel)?;
                let latents = latents_of(&images, &vae, &self.device)?;
                let Captions { tokenizer, length } = self.captions();
                let tokens = (0..images.len())
                    .map(|index| Ok(tokenizer.encode(&told(wanted.prompt(index)), length)?.tokens))
                    .collect::<Result<Vec<_>, TrainError>>()?;
                Some(Prior::new(wanted, diffusion.over(latents, tokens, Prior::seed(config))))
            }
            None => None,
        };
        Ok(Losses { diffusion, prior })
    }

    /// The loss on the images of `dataset`, which the model's `vae` encodes, for what is trained beside the model:
    /// captions are encoded once, too.
    pub(super) fn beside(
        &self,
        config: &TrainConfig,
        dataset: &Dataset,
        vae: &Vae,
        cancel: &CancelToken,
    ) -> Result<Diffusion, TrainError> {
        let mut diffusion = self.diffusion(config, dataset, vae, cancel)?;
        diffusion.freeze_texts(&self.text)?;
        Ok(diffusion)
    }

    fn diffusion(
        &self,
        config: &TrainConfig,
        dataset: &Dataset,
        vae: &Vae,
        cancel: &CancelToken,
    ) -> Result<Diffusion, TrainError> {
        let schedule = Schedule::new(self.bundle.schedule()?);
        let images = (vae, &self.framing(config)?);
        Diffusion::new(config, dataset, images, self.captions(), schedule, &self.device, cancel)
    }

    /// In which sizes images are trained on.
    pub(super) fn framing(&self, config: &TrainConfig) -> Result<Framing, TrainError> {
        framing(config, &self.bundle.vae_config()?, Some(self.unet.config()))
    }

    fn captions(&self) -> Captions<'_> {
        let length = self.text.config().max_position_embeddings;
        Captions { tokenizer: &self.tokenizer, length }
    }

    /// The card of an adapter of this model, of which training has yet to say how it went.
    pub(super) fn adapter_card(&self, config: &TrainConfig, method: &str) -> AdapterCard {
        let owed = self.owed();
        AdapterCard {
            name: config.name.clone(),
            method: method.into(),
            base_model: self.bundle.card().name.clone(),
            base_sha256: self.bundle.card().weights_sha256.clone(),
            dataset: self.dataset.card().name.clone(),
            licence: owed.licence(),
            attribution: owed.attribution(),
            ..AdapterCard::default()
        }
    }

    /// Whom it is owed to that something learns from the data set beside the model.
    pub(super) fn owed(&self) -> Owed {
        stated(self.bundle.card()).and_set(self.dataset.card())
    }
}

/// `card`, with what training came to.
pub(super) fn finished(card: &AdapterCard, summary: &TrainSummary) -> AdapterCard {
    AdapterCard {
        steps: summary.steps,
        validation_loss_before: summary.validation_loss_before,
        validation_loss_after: summary.validation_loss_after,
        ..card.clone()
    }
}

/// A UNet under a text encoder, and the loss that moves something of it.
pub(super) struct Denoiser<'a> {
    pub(super) variables: &'a BTreeMap<String, Var>,
    pub(super) losses: &'a Losses,
    pub(super) unet: &'a Unet,
    pub(super) text: &'a TextEncoder,
}

/// A task whose loss is what a UNet says of noisy latents: what differs between such tasks is what moves, and
/// what they write.
pub(super) trait Denoises {
    /// What is trained, and by which loss.
    fn denoiser(&self) -> Denoiser<'_>;
    /// As [`Trainee::save`].
    fn write(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError>;
    /// As [`Trainee::ready`].
    fn sampler(&self, _result: &Path) -> Result<Option<Ready>, TrainError> {
        Ok(None)
    }
}

impl<T: Denoises> Trainee for T {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.denoiser().variables
    }

    fn samples(&self) -> (usize, usize) {
        self.denoiser().losses.diffusion.samples()
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let Denoiser { losses, unet, text, .. } = self.denoiser();
        losses.loss(step, unet, text, None)
    }

    fn loss_on<'a>(&'a self, step: u64, tape: &Tape<'a>) -> Result<Tensor, TrainError> {
        let Denoiser { losses, unet, text, .. } = self.denoiser();
        losses.loss(step, unet, text, Some(tape))
    }

    fn validation_loss(&self) -> Result<f32, TrainError> {
        let Denoiser { losses, unet, text, .. } = self.denoiser();
        Ok(losses.diffusion.validation_loss(unet, text)?)
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        self.write(weights, summary, out)
    }

    fn ready(&self, result: &Path) -> Result<Option<Ready>, TrainError> {
        self.sampler(result)
    }
}

/// The loss on a data set, and that on the prior's images where there are some.
pub(super) struct Losses {
    diffusion: Diffusion,
    prior: Option<Prior>,
}

impl From<Diffusion> for Losses {
    fn from(diffusion: Diffusion) -> Self {
        Self { diffusion, prior: None }
    }
}

impl Losses {
    /// Lets `vectors` `[n, width]` stand before the text of every caption and class prompt.
    pub(super) fn put_before(&mut self, vectors: &Tensor) {
        self.diffusion.put_before(vectors);
        if let Some(prior) = &mut self.prior {
            prior.put_before(vectors);
        }
    }

    /// Encodes every caption once, where nothing that is trained stands in the text encoder.
    pub(super) fn freeze_texts(&mut self, text: &TextEncoder) -> Result<(), TrainError> {
        Ok(self.diffusion.freeze_texts(text)?)
    }

    /// As [`Diffusion::align`], of the model's UNet.
    pub(super) fn align(
        &mut self,
        config: &TrainConfig,
        whole: &Whole,
        cancel: &CancelToken,
    ) -> Result<BTreeMap<String, Var>, TrainError> {
        self.diffusion.align(config, &whole.dataset, &whole.unet, cancel)
    }

    /// The loss of a step, a scalar; the network's blocks are pieces of the `tape`.
    fn loss<'a>(
        &self,
        step: u64,
        unet: &'a Unet,
        text: &TextEncoder,
        tape: Option<&Tape<'a>>,
    ) -> Result<Tensor, TrainError> {
        let loss = self.diffusion.loss(step, unet, text, tape)?;
        Ok(match &self.prior {
            Some(prior) => (loss + prior.loss(step, unet, text, tape)?)?,
            None => loss,
        })
    }
}
