//! The parts of a bundle, loaded and ready.

use candle_core::{DType, Device, Result, Tensor};

use super::error::SampleError;
use super::request::{LONGEST_SIDE, Request};
use crate::adapter::{Adapter, AdapterError, Networks, attach};
use crate::dicom::Frame;
use crate::model::{Bundle, ModelError, TextEncoder, Tokenizer, Unet, Vae};
use crate::nn::Weights;
use crate::noise::{NoiseSource, Schedule};

/// A loaded model.
pub struct Pipeline {
    pub(super) unet: Unet,
    pub(super) text: TextEncoder,
    pub(super) vae: Vae,
    pub(super) tokenizer: Tokenizer,
    pub(super) schedule: Schedule,
    pub(super) device: Device,
    unet_weights: Weights,
    text_weights: Weights,
}

impl Pipeline {
    /// Loads every part of `bundle`.
    ///
    /// # Errors
    /// Where a part is missing or damaged, or the parts do not fit each other.
    pub fn load(bundle: &Bundle, device: &Device) -> std::result::Result<Self, ModelError> {
        let (unet, unet_weights) = bundle.unet(false, device)?;
        let (text, text_weights) = bundle.text_encoder(false, device)?;
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
            text_weights,
        })
    }

    /// The networks that adapters change.
    pub fn networks(&self) -> Networks<'_> {
        Networks {
            unet: &self.unet_weights,
            text_encoder: Some(&self.text_weights),
            text_encoder_2: None,
        }
    }

    /// Puts `adapters`, each with its scale, on the model in place of those before; the base stays
    /// loaded. `merged` trades memory for speed.
    ///
    /// # Errors
    /// Where an adapter does not fit. The model is then as it was.
    pub fn adapt(
        &self,
        adapters: &[(&Adapter, f32)],
        merged: bool,
    ) -> std::result::Result<(), AdapterError> {
        attach(&self.networks(), adapters, merged)
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

    /// Sides of the square image that the model makes unless asked for another, in pixels.
    pub fn image_size(&self) -> usize {
        self.vae.config().sample_size
    }

    /// Whether the network takes a mask and a masked image beside the latent.
    pub(super) fn paints_into_images(&self) -> bool {
        self.unet.config().in_channels > self.vae.config().latent_channels
    }

    /// Height and width of a request's image.
    pub(super) fn size(
        &self,
        request: &Request,
    ) -> std::result::Result<(usize, usize), SampleError> {
        let (height, width) = request.size.unwrap_or((self.image_size(), self.image_size()));
        let unit = self.vae.config().compression();
        for side in [height, width] {
            if side == 0 || side > LONGEST_SIDE || !side.is_multiple_of(unit) {
                let cause =
                    format!("each side must be a multiple of {unit} pixels, up to {LONGEST_SIDE}");
                return Err(SampleError::invalid("size", cause));
            }
        }
        Ok((height, width))
    }

    /// Zeros in the shape of one latent, `[1, channels, h, w]`.
    pub(super) fn blank_latent(&self, height: usize, width: usize) -> Result<Tensor> {
        let config = self.vae.config();
        let unit = config.compression();
        let shape = (1, config.latent_channels, height / unit, width / unit);
        Tensor::zeros(shape, DType::F32, &self.device)
    }

    /// A frame as the autoencoder takes it, between −1 and 1, `[1, channels, h, w]`.
    pub(super) fn picture(&self, frame: &Frame, height: usize, width: usize) -> Result<Tensor> {
        let frame = frame.resized(width as u32, height as u32);
        let grey = Tensor::from_vec(frame.pixels, (1, 1, height, width), &self.device)?;
        Tensor::cat(&vec![grey.affine(2.0, -1.0)?; self.vae.config().in_channels], 1)
    }

    /// A scaled latent of an image `[1, channels, h, w]`, drawn from the encoder's distribution.
    pub(super) fn encode(&self, image: &Tensor, noise: &mut dyn NoiseSource) -> Result<Tensor> {
        let (mean, log_variance) = self.vae.encode(image)?;
        let draw = noise.next(&mean)?;
        (mean + (draw * (log_variance * 0.5)?.exp()?)?)? * self.vae.config().scaling_factor
    }

    /// The image of a scaled latent, about 0 … 1, `[1, channels, h, w]`.
    pub(super) fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        self.vae.decode(&(latent / self.vae.config().scaling_factor)?)?.affine(0.5, 0.5)
    }

    /// Grey values of an image `[1, channels, h, w]`; colour is averaged.
    pub(super) fn frame(image: &Tensor) -> Result<Frame> {
        let grey = image.mean(1)?.clamp(0f32, 1f32)?;
        let (_, height, width) = grey.dims3()?;
        let pixels = grey.flatten_all()?.to_vec1()?;
        Ok(Frame { width: width as u32, height: height as u32, pixels })
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
    let latent = vae.latent_channels;
    // A network that paints into images sees a mask and the masked image's latent as well.
    if ![latent, 2 * latent + 1].contains(&unet.in_channels) {
        let cause = format!("is {}, and the latent has {latent}", unet.in_channels);
        return fault("unet", "in_channels", cause);
    }
    if unet.out_channels != latent {
        let cause = format!("is {}, and the latent has {latent}", unet.out_channels);
        return fault("unet", "out_channels", cause);
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
