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
    ///
    /// # Errors
    /// Where a part is missing or damaged, or the parts do not fit each other.
    pub fn load(bundle: &Bundle, device: &Device) -> std::result::Result<Self, ModelError> {
        let (unet, unet_weights) = bundle.unet(false, device)?;
        let (text, _) = bundle.text_encoder(false, device)?;
        let (vae, tokenizer) = (bundle.vae(device)?, bundle.tokenizer()?);
        check(bundle, &unet, &text, &vae, &tokenizer)?;
        Ok(Self {
            unet,
            text,
            vae,
            tokenizer,
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

/// Parts that each load may still come from different models.
fn check(
    bundle: &Bundle,
    unet: &Unet,
    text: &TextEncoder,
    vae: &Vae,
    tokenizer: &Tokenizer,
) -> std::result::Result<(), ModelError> {
    let fault = |part, field, cause: String| Err(ModelError::Config { part, field, cause });
    let (unet, text, vae) = (unet.config(), text.config(), vae.config());
    for (field, channels) in
        [("in_channels", unet.in_channels), ("out_channels", unet.out_channels)]
    {
        if channels != vae.latent_channels {
            let latent = vae.latent_channels;
            return fault("unet", field, format!("is {channels}, and the latent has {latent}"));
        }
    }
    if unet.cross_attention_dim != text.hidden_size {
        let (context, width) = (unet.cross_attention_dim, text.hidden_size);
        let cause = format!("is {context}, and the text encoder's hidden_size {width}");
        return fault("unet", "cross_attention_dim", cause);
    }
    if tokenizer.largest_token() as usize >= text.vocab_size {
        let cause = format!(
            "is {}, and the tokenizer's largest token {}",
            text.vocab_size,
            tokenizer.largest_token()
        );
        return fault("text_encoder", "vocab_size", cause);
    }
    if bundle.card().image_size != vae.sample_size {
        let cause = format!(
            "image_size is {}, and the autoencoder's sample_size {}",
            bundle.card().image_size,
            vae.sample_size
        );
        return Err(ModelError::file(bundle.folder().join("card.json"), cause));
    }
    Ok(())
}
