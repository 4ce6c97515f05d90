//! An image and a text encoder that say how well a picture and a sentence agree, in the layout of transformers'
//! `CLIPModel` (Radford et al., arXiv 2103.00020).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::disk::{read_json, save_weights, write_json};
use super::error::ModelError;
use super::image_processor::ImageProcessor;
use super::part::weight_files;
use super::text::{TextConfig, TextEncoder};
use super::tokenizer::Tokenizer;
use super::vision::{VisionConfig, VisionEncoder};
use crate::dicom::Frame;
use crate::kernel::map_shards;
use crate::nn::{Init, Weights};

const WEIGHTS: &str = "model.safetensors";
/// The largest factor on a cosine, as in the paper.
const LARGEST_SCALE: f64 = 100.0;

/// `config.json` of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipPairConfig {
    /// transformers' name of the class.
    #[serde(default = "architectures")]
    pub architectures: Vec<String>,
    /// transformers' name of the kind of network.
    #[serde(default = "model_type")]
    pub model_type: String,
    /// Width of both embeddings.
    pub projection_dim: usize,
    /// Logarithm of the factor on cosines before training.
    #[serde(default = "logit_scale")]
    pub logit_scale_init_value: f64,
    /// The text encoder.
    pub text_config: TextConfig,
    /// The image encoder.
    pub vision_config: VisionConfig,
}

fn architectures() -> Vec<String> {
    vec!["CLIPModel".into()]
}

fn model_type() -> String {
    "clip".into()
}

/// A temperature of 0.07, as in the paper.
fn logit_scale() -> f64 {
    (1.0 / 0.07f64).ln()
}

impl ClipPairConfig {
    /// A pair of these encoders, whose embeddings are `projection_dim` wide.
    pub fn new(projection_dim: usize, text: TextConfig, vision: VisionConfig) -> Self {
        Self {
            architectures: architectures(),
            model_type: model_type(),
            projection_dim,
            logit_scale_init_value: logit_scale(),
            text_config: text,
            vision_config: vision,
        }
        .projecting()
    }

    /// Both encoders project: in a whole model's file their own configurations do not say so.
    fn projecting(mut self) -> Self {
        self.text_config.architectures = vec!["CLIPTextModelWithProjection".into()];
        self.text_config.projection_dim = Some(self.projection_dim);
        self.vision_config.projection_dim = self.projection_dim;
        self
    }

    /// # Errors
    /// Where no networks can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        self.text_config.validate()?;
        self.vision_config.validate()?;
        if self.logit_scale_init_value.is_finite() {
            return Ok(());
        }
        let cause = "must be a number".into();
        Err(ModelError::Config { part: "clip", field: "logit_scale_init_value", cause })
    }
}

/// Both networks, and the factor on the cosines between what they give.
pub struct ClipPair {
    text: TextEncoder,
    vision: VisionEncoder,
    logit_scale: Tensor,
}

impl ClipPair {
    /// Builds the networks from their weights.
    pub fn new(config: &ClipPairConfig, weights: &Weights, device: &Device) -> Result<Self> {
        Ok(Self {
            text: TextEncoder::new(config.text_config.clone(), weights)?,
            vision: VisionEncoder::new(config.vision_config.clone(), weights, device)?,
            logit_scale: weights.get(
                "logit_scale",
                (),
                Init::Constant(config.logit_scale_init_value),
            )?,
        })
    }

    /// Embeddings of unit length `[batch, projection]` of `tokens` `[batch, length]`.
    pub fn texts(&self, tokens: &Tensor) -> Result<Tensor> {
        unit(&self.text.encode(tokens)?.pooled)
    }

    /// Embeddings of unit length `[batch, projection]` of `pixels` `[batch, 3, size, size]`.
    pub fn images(&self, pixels: &Tensor) -> Result<Tensor> {
        unit(&self.vision.encode(pixels)?.image_embeds)
    }

    /// Scores `[images, texts]` of embeddings of unit length: their cosines times the learned factor, which is
    /// held at 100.
    pub fn scores(&self, images: &Tensor, texts: &Tensor) -> Result<Tensor> {
        let scale = self.logit_scale.minimum(LARGEST_SCALE.ln())?.exp()?;
        images.matmul(&texts.t()?)?.broadcast_mul(&scale)
    }
}

/// `x` `[batch, width]`, each row divided by its length.
fn unit(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&(x.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?)
}

/// A pair from disk, with what makes its inputs of pictures and sentences.
pub struct Clip {
    pair: ClipPair,
    tokenizer: Tokenizer,
    processor: ImageProcessor,
    length: usize,
    device: Device,
}

impl Clip {
    /// Opens a folder in transformers' layout – `config.json`, `model.safetensors`, the tokenizer's files and
    /// `preprocessor_config.json` – or the folder `clip` of a bundle.
    ///
    /// # Errors
    /// Where a file is missing or damaged, or the weights are not those of the configuration.
    pub fn open(folder: &Path, device: &Device) -> std::result::Result<Self, ModelError> {
        let folder = &Self::folder(folder);
        let config: ClipPairConfig = read_json(&folder.join("config.json"))?;
        let config = config.projecting();
        config.validate()?;
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(folder, cause);
        let files = map_shards(&weight_files(folder, WEIGHTS)?).map_err(|cause| fault(&cause))?;
        let weights = Weights::from_file(files, false, DType::F32, device);
        let pair = ClipPair::new(&config, &weights, device)?;
        weights.finish().map_err(|cause| fault(&cause))?;
        Ok(Self {
            pair,
            tokenizer: Tokenizer::open(folder)?,
            processor: ImageProcessor::open(folder, config.vision_config.image_size)?,
            length: config.text_config.max_position_embeddings,
            device: device.clone(),
        })
    }

    /// Where a pair lies: in the folder itself, or in `clip` of a bundle.
    pub fn folder(folder: &Path) -> PathBuf {
        let inner = folder.join("clip");
        if inner.join("config.json").exists() { inner } else { folder.to_owned() }
    }

    /// Writes a pair to `folder` as [`Self::open`] and transformers read it, the weights in half precision.
    /// Pictures come to it squashed to its square, between −1 and 1.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(
        folder: &Path,
        config: &ClipPairConfig,
        tokenizer: &Tokenizer,
        weights: &BTreeMap<String, Tensor>,
    ) -> std::result::Result<(), ModelError> {
        write_json(&folder.join("config.json"), config)?;
        save_weights(&folder.join(WEIGHTS), weights, DType::F16)?;
        tokenizer.save(folder, config.text_config.max_position_embeddings)?;
        let size = config.vision_config.image_size;
        let sides = json!({ "height": size, "width": size });
        let processor = json!({
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": true,
            "size": sides.clone(),
            "resample": 3,
            "do_center_crop": false,
            "crop_size": sides,
            "do_rescale": true,
            "rescale_factor": 1.0 / 255.0,
            "do_normalize": true,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        });
        write_json(&folder.join("preprocessor_config.json"), &processor)
    }

    /// The embedding of a picture, `[1, projection]` of unit length.
    ///
    /// # Errors
    /// Where the picture is empty or far too long.
    pub fn image(&self, picture: &Frame) -> std::result::Result<Tensor, ModelError> {
        let pixels = self.processor.pixels(picture, &self.device);
        let pixels = pixels.map_err(|cause| ModelError::file("picture", cause))?;
        Ok(self.pair.images(&pixels)?)
    }

    /// The embedding of a sentence, `[1, projection]` of unit length.
    ///
    /// # Errors
    /// Where it cannot be cut into tokens.
    pub fn text(&self, sentence: &str) -> std::result::Result<Tensor, ModelError> {
        let tokens = self.tokenizer.encode(sentence, self.length)?.tokens;
        Ok(self.pair.texts(&Tensor::from_vec(tokens, (1, self.length), &self.device)?)?)
    }

    /// How well a picture and a sentence agree: the cosine of their embeddings, −1 to 1.
    ///
    /// # Errors
    /// As [`Self::image`] and [`Self::text`].
    pub fn agreement(
        &self,
        picture: &Frame,
        sentence: &str,
    ) -> std::result::Result<f64, ModelError> {
        let product = (self.image(picture)? * self.text(sentence)?)?;
        Ok(f64::from(product.sum_all()?.to_scalar::<f32>()?))
    }
}
