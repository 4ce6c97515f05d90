//! The image encoder, in the layout of transformers' `CLIPVisionModelWithProjection` (Radford et al.,
//! arXiv 2103.00020; the network is a vision transformer, Dosovitskiy et al., arXiv 2010.11929).

use std::path::Path;

use candle_core::{DType, Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::clip::{Activation, Layer, LayerSizes};
use super::disk::{read_json, sha256_file};
use super::error::ModelError;
use super::part::weight_files;
use crate::kernel::{Convolution, Weight, conv2d, map_shards};
use crate::nn::{Cut, Init, LayerNorm, Linear, Stored, Weights, to_map};

/// Patches along a side, at most: the attention's memory grows with the fourth power.
const MOST_PATCHES: usize = 64;

/// `image_encoder/config.json`. What it leaves out has transformers' values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    /// Width of a token.
    pub hidden_size: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Width of the image's embedding.
    pub projection_dim: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of the attention.
    pub num_attention_heads: usize,
    /// Channels of the image: 3.
    pub num_channels: usize,
    /// Sides of the image, in pixels.
    pub image_size: usize,
    /// Sides of a patch, which becomes a token, in pixels.
    pub patch_size: usize,
    /// `quick_gelu` or `gelu`.
    pub hidden_act: String,
    /// Keeps the norms finite.
    pub layer_norm_eps: f64,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
        }
    }
}

impl VisionConfig {
    /// Reads the configuration of an image encoder, or of a whole CLIP model, whose image encoder stands in
    /// `vision_config`; the answer says whether it was whole.
    ///
    /// # Errors
    /// Where it is of another kind of network, or holds a value that no network can be built from.
    fn read(path: &Path) -> std::result::Result<(Self, bool), ModelError> {
        let mut value: Value = read_json(path)?;
        let nested = value.get_mut("vision_config").map(Value::take);
        let whole = nested.is_some();
        let value = nested.unwrap_or(value);
        if let Some(kind) = value.get("model_type").and_then(Value::as_str)
            && !matches!(kind, "clip" | "clip_vision_model")
        {
            let cause = format!("is of a network of the kind {kind}, not of CLIP's image encoder");
            return Err(ModelError::file(path, cause));
        }
        let config: Self =
            serde_json::from_value(value).map_err(|cause| ModelError::file(path, cause))?;
        config.validate()?;
        Ok((config, whole))
    }

    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let hold = |holds: bool, field, cause: &str| {
            let fault = || ModelError::Config { part: "image_encoder", field, cause: cause.into() };
            if holds { Ok(()) } else { Err(fault()) }
        };
        hold(
            (1..=16_384).contains(&self.hidden_size)
                && self.num_attention_heads > 0
                && self.hidden_size.is_multiple_of(self.num_attention_heads),
            "hidden_size",
            "must be a multiple of num_attention_heads, 16,384 at most",
        )?;
        let inner = (1..=65_536).contains(&self.intermediate_size);
        hold(inner, "intermediate_size", "must lie between 1 and 65,536")?;
        let projection = (1..=16_384).contains(&self.projection_dim);
        hold(projection, "projection_dim", "must lie between 1 and 16,384")?;
        let layers = (1..=128).contains(&self.num_hidden_layers);
        hold(layers, "num_hidden_layers", "must lie between 1 and 128")?;
        hold(self.num_channels == 3, "num_channels", "must be 3")?;
        hold((1..=4096).contains(&self.patch_size), "patch_size", "must lie between 1 and 4096")?;
        hold(
            (1..=MOST_PATCHES).contains(&(self.image_size / self.patch_size)),
            "image_size",
            "must hold between 1 and 64 patches",
        )?;
        let known = Activation::named(&self.hidden_act).is_some();
        hold(known, "hidden_act", "must be quick_gelu or gelu")
    }

    /// Tokens of an image: its patches, and one for all of it.
    pub fn tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2) + 1
    }

    fn layer(&self) -> Result<LayerSizes> {
        let Some(activation) = Activation::named(&self.hidden_act) else {
            bail!("hidden_act must be quick_gelu or gelu");
        };
        Ok(LayerSizes {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            epsilon: self.layer_norm_eps,
            activation,
        })
    }
}

/// What an image encoder gives.
#[derive(Debug, Clone)]
pub struct VisionOutput {
    /// The projected embedding of the whole image, `[batch, projection]`.
    pub image_embeds: Tensor,
    /// Before the last layer, without a norm, `[batch, tokens, width]`: transformers' `hidden_states[-2]`.
    pub penultimate: Tensor,
}

/// The image encoder.
pub struct VisionEncoder {
    class_embedding: Tensor,
    patch_embedding: Weight,
    position_embedding: Tensor,
    /// So misspelt in every checkpoint.
    pre_layrnorm: LayerNorm,
    layers: Vec<Layer>,
    post_layernorm: LayerNorm,
    visual_projection: Linear,
    config: VisionConfig,
    device: Device,
}

impl VisionEncoder {
    /// Opens a folder in transformers' layout: `config.json` beside `model.safetensors`. Of a whole CLIP
    /// model the image encoder is taken alone.
    ///
    /// # Errors
    /// Where either is missing, there is a pickle alone, or the weights are not those of the configuration.
    pub fn open(folder: &Path, device: &Device) -> std::result::Result<Self, ModelError> {
        let fault = |cause: &dyn std::fmt::Display| ModelError::file(folder, cause);
        let (config, whole) = VisionConfig::read(&folder.join("config.json"))?;
        let files = weight_files(folder, "model.safetensors")?;
        let files = map_shards(&files).map_err(|cause| fault(&cause))?;
        let stored = Stored::renamed(files, |name| {
            let text = name.starts_with("text_model.")
                || matches!(name, "text_projection.weight" | "logit_scale");
            if whole && text { Vec::new() } else { vec![(name.to_owned(), Cut::Whole)] }
        });
        let stored = stored.map_err(|cause| fault(&cause))?;
        let weights = Weights::from_file(stored, false, DType::F32, device);
        let encoder = Self::new(config, &weights, device)?;
        weights.finish().map_err(|cause| fault(&cause))?;
        Ok(encoder)
    }

    /// SHA-256 of the weights in `folder`, in hexadecimal; over the hashes of the files where there are several.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn sha256(folder: &Path) -> std::result::Result<String, ModelError> {
        let files = weight_files(folder, "model.safetensors")?;
        if let [one] = files.as_slice() {
            return sha256_file(one);
        }
        let mut hash = Sha256::new();
        for file in files {
            hash.update(sha256_file(&file)?.as_bytes());
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// Builds the network from its weights.
    pub fn new(config: VisionConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let (width, patch) = (config.hidden_size, config.patch_size);
        let init = Init::Normal(0.02);
        let model = weights.pp("vision_model");
        let embeddings = model.pp("embeddings");
        let norm = |name: &str| LayerNorm::new(width, config.layer_norm_eps, &model.pp(name));
        let sizes = config.layer()?;
        Ok(Self {
            class_embedding: embeddings.get("class_embedding", width, init)?,
            patch_embedding: Weight::new(embeddings.pp("patch_embedding").get(
                "weight",
                (width, config.num_channels, patch, patch),
                init,
            )?)?,
            position_embedding: embeddings.pp("position_embedding").get(
                "weight",
                (config.tokens(), width),
                init,
            )?,
            pre_layrnorm: norm("pre_layrnorm")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::new(sizes, &model.pp("encoder.layers").pp(index)))
                .collect::<Result<_>>()?,
            post_layernorm: norm("post_layernorm")?,
            visual_projection: Linear::without_bias(
                width,
                config.projection_dim,
                &weights.pp("visual_projection"),
            )?,
            device: device.clone(),
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Encodes `pixels` `[batch, 3, size, size]`, as [`ImageProcessor`](super::ImageProcessor) gives them.
    ///
    /// # Errors
    /// Where the images have another size than the network's.
    pub fn encode(&self, pixels: &Tensor) -> Result<VisionOutput> {
        let (batch, _, height, width) = pixels.dims4()?;
        let size = self.config.image_size;
        if (height, width) != (size, size) {
            bail!("an image of {width} × {height}, and the encoder sees {size} × {size}");
        }
        let convolution = Convolution { stride: self.config.patch_size, padding: 0 };
        let patches = conv2d(&to_map(pixels)?, &self.patch_embedding, None, convolution)?;
        let patches = patches.flatten(1, 2)?;
        let class = self.class_embedding.broadcast_as((batch, 1, self.config.hidden_size))?;
        let x = Tensor::cat(&[&class, &patches], 1)?.contiguous()?;
        let mut x = self.pre_layrnorm.forward(&x.broadcast_add(&self.position_embedding)?)?;
        let mut penultimate = x.clone();
        for layer in &self.layers {
            penultimate = x;
            x = layer.forward(&penultimate, None)?;
        }
        let pooled = self.post_layernorm.forward(&x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)?;
        Ok(VisionOutput { image_embeds: self.visual_projection.forward(&pooled)?, penultimate })
    }
}
