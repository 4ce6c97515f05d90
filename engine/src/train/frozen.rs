//! A whole model that stays as it is, for what is trained beside it or inside it.

use candle_core::Device;

use super::caution::check_captions;
use super::config::TrainConfig;
use super::diffusion::{Captions, Diffusion};
use super::error::TrainError;
use crate::data::Dataset;
use crate::device::CancelToken;
use crate::model::{Bundle, Part, TextEncoder, Tokenizer, Unet, Vae};
use crate::noise::Schedule;

/// The networks of a model, none of them to be trained.
pub(super) struct Frozen {
    pub(super) bundle: Bundle,
    pub(super) unet: Unet,
    pub(super) text: TextEncoder,
    pub(super) vae: Vae,
    tokenizer: Tokenizer,
}

impl Frozen {
    /// # Errors
    /// Where a part does not load, or the UNet is told more than the loss tells it.
    pub(super) fn open(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        let bundle = Bundle::open(&config.model)?;
        let vae = bundle.vae(device)?;
        let (unet, _) = bundle.unet(false, device)?;
        let fault =
            |cause: &str| Err(TrainError::Config { field: "model", cause: cause.to_owned() });
        if unet.config().in_channels != vae.config().latent_channels {
            return fault("its UNet takes more than the latent (it paints into images)");
        }
        if unet.config().adds_text_and_sizes() || unet.config().takes_classes() {
            return fault(
                "its UNet is told sizes or a class (Stable Diffusion XL), which is not trained",
            );
        }
        let (text, _) = bundle.text_encoder(Part::TextEncoder, false, device)?;
        let tokenizer = bundle.tokenizer(Part::TextEncoder)?;
        Ok(Self { bundle, unet, text, vae, tokenizer })
    }

    /// The loss on the images of `dataset`, which are encoded.
    ///
    /// # Errors
    /// Where none of them has a caption, or one does not load.
    pub(super) fn diffusion(
        &self,
        config: &TrainConfig,
        dataset: &Dataset,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Diffusion, TrainError> {
        check_captions(dataset)?;
        let length = self.text.config().max_position_embeddings;
        let captions = Captions { tokenizer: &self.tokenizer, length };
        let schedule = Schedule::new(self.bundle.schedule()?);
        let mut diffusion =
            Diffusion::new(config, dataset, &self.vae, captions, schedule, device, cancel)?;
        diffusion.freeze_texts(&self.text)?;
        Ok(diffusion)
    }
}
