//! The parts of a bundle, loaded and ready.

use candle_core::{Device, Result, Tensor};

use crate::adapter::{Lora, attach};
use crate::model::{Bundle, ModelError, TextEncoder, Tokenizer, Unet, Vae};
use crate::nn::Weights;
use crate::noise::Schedule;

/// A loaded model.
pub struct Pipeline {
    pub(super) unet: Unet,
    pub(super) text: TextEncoder,
    pub(super) vae: Vae,
    pub(super) tokenizer: Tokenizer,
    pub(super) schedule: Schedule,
    pub(super) device: Device,
    unet_weights: Weights,
}

impl Pipeline {
    /// Loads every part of `bundle`.
    pub fn load(bundle: &Bundle, device: &Device) -> std::result::Result<Self, ModelError> {
        let (unet, unet_weights) = bundle.unet(false, device)?;
        let (text, _) = bundle.text_encoder(false, device)?;
        Ok(Self {
            unet,
            text,
            vae: bundle.vae(device)?,
            tokenizer: bundle.tokenizer()?,
            schedule: Schedule::new(bundle.schedule()?),
            device: device.clone(),
            unet_weights,
        })
    }

    /// The UNet's weights, which adapters are opened against.
    pub fn unet_weights(&self) -> &Weights {
        &self.unet_weights
    }

    /// Puts `adapters`, each with its scale, on the UNet in place of those before; the base stays
    /// loaded.
    pub fn adapt(&self, adapters: &[(&Lora, f32)]) {
        attach(&self.unet_weights, adapters);
    }

    /// Tokens of `text` beyond the encoder's window, which the model will not see.
    pub fn tokens_left_out(&self, text: &str) -> std::result::Result<usize, ModelError> {
        let length = self.text.config().max_position_embeddings;
        Ok(self.tokenizer.encode(text, length)?.left_out)
    }

    /// Embeddings of `texts`, `[texts, tokens, width]`.
    pub(super) fn context(&self, texts: &[&str]) -> std::result::Result<Tensor, ModelError> {
        let length = self.text.config().max_position_embeddings;
        let mut tokens = Vec::with_capacity(texts.len() * length);
        for text in texts {
            tokens.extend(self.tokenizer.encode(text, length)?.tokens);
        }
        let tokens = Tensor::from_vec(tokens, (texts.len(), length), &self.device)?;
        Ok(self.text.forward(&tokens)?)
    }

    /// Shape of one latent, `[1, channels, h, w]`.
    pub(super) fn latent_shape(&self) -> [usize; 4] {
        let config = self.vae.config();
        let side = config.sample_size / config.compression();
        [1, config.latent_channels, side, side]
    }

    /// Grey values between 0 and 1 of one scaled latent, row by row; colour is averaged.
    pub(super) fn decode(&self, latent: &Tensor) -> Result<Vec<f32>> {
        let image = self.vae.decode(&(latent / self.vae.config().scaling_factor)?)?;
        let grey = image.mean(1)?.affine(0.5, 0.5)?.clamp(0f32, 1f32)?;
        grey.flatten_all()?.to_vec1()
    }

    /// Sides of the square image, in pixels.
    pub fn image_size(&self) -> usize {
        self.vae.config().sample_size
    }
}
