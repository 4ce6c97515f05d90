//! The denoising network, in the layout of diffusers' `UNet2DConditionModel`
//! (Rombach et al., arXiv 2112.10752).

use candle_core::{Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::transformer::{Sizes, Transformer};
use crate::nn::{Conv2d, GroupNorm, ResnetBlock, TimestepEmbedding, Weights, timestep_embedding};

/// A number for every level, or one for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// The same at every level.
    One(usize),
    /// One a level.
    Each(Vec<usize>),
}

impl PerLevel {
    fn at(&self, level: usize) -> usize {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values.get(level).copied().unwrap_or(0),
        }
    }
}

/// `unet/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnetConfig {
    /// diffusers' name of the class.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Sides of the latent in training.
    pub sample_size: usize,
    /// Channels of the noisy latent.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// `CrossAttnDownBlock2D` or `DownBlock2D` for each level.
    pub down_block_types: Vec<String>,
    /// `CrossAttnUpBlock2D` or `UpBlock2D` for each level, from the deepest up.
    pub up_block_types: Vec<String>,
    /// Residual blocks of a level on the way down; on the way up there is one more.
    pub layers_per_block: usize,
    /// Width of the text's embedding.
    pub cross_attention_dim: usize,
    /// Heads at each level (diffusers calls the count of heads by this name).
    pub attention_head_dim: PerLevel,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Keeps the group norms finite.
    #[serde(default = "epsilon")]
    pub norm_eps: f64,
    /// Transformer blocks of each transformer.
    #[serde(default = "one")]
    pub transformer_layers_per_block: PerLevel,
    /// Linear layers in place of 1 × 1 convolutions around a transformer (Stable Diffusion 2).
    #[serde(default)]
    pub use_linear_projection: bool,
    /// Cosines before sines in the time embedding.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
}

fn class_name() -> String {
    "UNet2DConditionModel".into()
}

fn epsilon() -> f64 {
    1e-5
}

fn one() -> PerLevel {
    PerLevel::One(1)
}

fn yes() -> bool {
    true
}

impl UnetConfig {
    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: String| Err(ModelError::Config { part: "unet", field, cause });
        let levels = self.block_out_channels.len();
        if !(1..=8).contains(&levels) {
            return fault("block_out_channels", "must have between 1 and 8 levels".into());
        }
        for (level, channels) in self.block_out_channels.iter().enumerate() {
            if !(1..=8192).contains(channels)
                || self.norm_num_groups == 0
                || channels % self.norm_num_groups != 0
            {
                return fault(
                    "block_out_channels",
                    format!("{channels} is not a multiple of norm_num_groups between 1 and 8192"),
                );
            }
            let heads = self.attention_head_dim.at(level);
            if heads == 0 || channels % heads != 0 {
                return fault(
                    "attention_head_dim",
                    format!("{heads} heads do not divide {channels} channels"),
                );
            }
            if !(1..=32).contains(&self.transformer_layers_per_block.at(level)) {
                return fault("transformer_layers_per_block", "must lie between 1 and 32".into());
            }
        }
        if self.down_block_types.len() != levels || self.up_block_types.len() != levels {
            return fault(
                "down_block_types",
                format!("must name {levels} levels, as must up_block_types"),
            );
        }
        for name in &self.down_block_types {
            if !matches!(name.as_str(), "CrossAttnDownBlock2D" | "DownBlock2D") {
                return fault("down_block_types", format!("{name} is not known"));
            }
        }
        for name in &self.up_block_types {
            if !matches!(name.as_str(), "CrossAttnUpBlock2D" | "UpBlock2D") {
                return fault("up_block_types", format!("{name} is not known"));
            }
        }
        if !(1..=16).contains(&self.layers_per_block) {
            return fault("layers_per_block", "must lie between 1 and 16".into());
        }
        if !(1..=1024).contains(&self.in_channels) || !(1..=1024).contains(&self.out_channels) {
            return fault("in_channels", "channels must lie between 1 and 1024".into());
        }
        if !(1..=16_384).contains(&self.cross_attention_dim) {
            return fault("cross_attention_dim", "must lie between 1 and 16,384".into());
        }
        Ok(())
    }

    fn sizes(&self, level: usize) -> Sizes {
        Sizes {
            channels: self.block_out_channels[level],
            heads: self.attention_head_dim.at(level),
            context: self.cross_attention_dim,
            groups: self.norm_num_groups,
            linear: self.use_linear_projection,
            layers: self.transformer_layers_per_block.at(level),
        }
    }

    fn resnet(&self, input: usize, output: usize, weights: &Weights) -> Result<ResnetBlock> {
        let time = 4 * self.block_out_channels[0];
        ResnetBlock::new(input, output, Some(time), self.norm_num_groups, self.norm_eps, weights)
    }
}

/// One level, on the way down or up.
struct Level {
    resnets: Vec<ResnetBlock>,
    attentions: Vec<Transformer>,
    resize: Option<Conv2d>,
}

impl Level {
    fn layer(&self, index: usize, x: &Tensor, time: &Tensor, context: &Tensor) -> Result<Tensor> {
        let x = self.resnets[index].forward(x, Some(time))?;
        match self.attentions.get(index) {
            Some(attention) => attention.forward(&x, context),
            None => Ok(x),
        }
    }
}

struct MidBlock {
    first: ResnetBlock,
    attention: Transformer,
    second: ResnetBlock,
}

/// The denoising network.
pub struct Unet {
    conv_in: Conv2d,
    time_embedding: TimestepEmbedding,
    down_blocks: Vec<Level>,
    mid_block: MidBlock,
    up_blocks: Vec<Level>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UnetConfig,
}

impl Unet {
    /// Builds the network from its weights. Fresh weights predict zero.
    pub fn new(config: UnetConfig, weights: &Weights) -> Result<Self> {
        let channels = config.block_out_channels.clone();
        let (levels, first) = (channels.len(), channels[0]);
        let down_blocks = (0..levels)
            .map(|level| Self::down_block(&config, level, &weights.pp("down_blocks").pp(level)))
            .collect::<Result<_>>()?;
        let up_blocks = (0..levels)
            .map(|index| Self::up_block(&config, index, &weights.pp("up_blocks").pp(index)))
            .collect::<Result<_>>()?;
        let (deepest, mid) = (channels[levels - 1], weights.pp("mid_block"));
        Ok(Self {
            conv_in: Conv2d::new(config.in_channels, first, 3, 1, 1, &weights.pp("conv_in"))?,
            time_embedding: TimestepEmbedding::new(
                first,
                4 * first,
                &weights.pp("time_embedding"),
            )?,
            down_blocks,
            mid_block: MidBlock {
                first: config.resnet(deepest, deepest, &mid.pp("resnets.0"))?,
                attention: Transformer::new(config.sizes(levels - 1), &mid.pp("attentions.0"))?,
                second: config.resnet(deepest, deepest, &mid.pp("resnets.1"))?,
            },
            up_blocks,
            conv_norm_out: GroupNorm::new(
                config.norm_num_groups,
                first,
                config.norm_eps,
                &weights.pp("conv_norm_out"),
            )?,
            conv_out: Conv2d::zeroed(first, config.out_channels, 3, &weights.pp("conv_out"))?,
            config,
        })
    }

    fn down_block(config: &UnetConfig, level: usize, weights: &Weights) -> Result<Level> {
        let output = config.block_out_channels[level];
        let before = config.block_out_channels[level.saturating_sub(1)];
        let mut block = Level { resnets: Vec::new(), attentions: Vec::new(), resize: None };
        for index in 0..config.layers_per_block {
            let input = if index == 0 { before } else { output };
            block.resnets.push(config.resnet(input, output, &weights.pp("resnets").pp(index))?);
            if config.down_block_types[level] == "CrossAttnDownBlock2D" {
                let weights = weights.pp("attentions").pp(index);
                block.attentions.push(Transformer::new(config.sizes(level), &weights)?);
            }
        }
        if level + 1 < config.block_out_channels.len() {
            let weights = weights.pp("downsamplers.0.conv");
            block.resize = Some(Conv2d::new(output, output, 3, 2, 1, &weights)?);
        }
        Ok(block)
    }

    fn up_block(config: &UnetConfig, index: usize, weights: &Weights) -> Result<Level> {
        let channels = &config.block_out_channels;
        let level = channels.len() - 1 - index;
        let output = channels[level];
        let before = channels[(level + 1).min(channels.len() - 1)];
        let mut block = Level { resnets: Vec::new(), attentions: Vec::new(), resize: None };
        for layer in 0..=config.layers_per_block {
            let input = if layer == 0 { before } else { output };
            // The last skip of a level comes from the level above.
            let skip = if layer == config.layers_per_block {
                channels[level.saturating_sub(1)]
            } else {
                output
            };
            let resnet = config.resnet(input + skip, output, &weights.pp("resnets").pp(layer))?;
            block.resnets.push(resnet);
            if config.up_block_types[index] == "CrossAttnUpBlock2D" {
                let weights = weights.pp("attentions").pp(layer);
                block.attentions.push(Transformer::new(config.sizes(level), &weights)?);
            }
        }
        if level > 0 {
            let weights = weights.pp("upsamplers.0.conv");
            block.resize = Some(Conv2d::new(output, output, 3, 1, 1, &weights)?);
        }
        Ok(block)
    }

    /// The configuration.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// Predicts from `sample` `[batch, in, h, w]` at `timesteps` (one a sample) under `context`
    /// `[batch, tokens, width]`; the answer has `out` channels.
    pub fn forward(&self, sample: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor> {
        if sample.dim(0)? != timesteps.len() {
            bail!("{} timesteps for a batch of {}", timesteps.len(), sample.dim(0)?);
        }
        let time = timestep_embedding(
            timesteps,
            self.config.block_out_channels[0],
            self.config.flip_sin_to_cos,
            self.config.freq_shift,
            sample.dtype(),
            sample.device(),
        )?;
        let time = self.time_embedding.forward(&time)?;
        let mut x = self.conv_in.forward(sample)?;
        let mut skips = vec![x.clone()];
        for block in &self.down_blocks {
            for layer in 0..block.resnets.len() {
                x = block.layer(layer, &x, &time, context)?;
                skips.push(x.clone());
            }
            if let Some(resize) = &block.resize {
                x = resize.forward(&x)?;
                skips.push(x.clone());
            }
        }
        x = self.mid_block.first.forward(&x, Some(&time))?;
        x = self.mid_block.attention.forward(&x, context)?;
        x = self.mid_block.second.forward(&x, Some(&time))?;
        for block in &self.up_blocks {
            for layer in 0..block.resnets.len() {
                let Some(skip) = skips.pop() else {
                    bail!("the way up has more layers than the way down");
                };
                x = block.layer(layer, &Tensor::cat(&[&x, &skip], 1)?, &time, context)?;
            }
            if let Some(resize) = &block.resize {
                // The next skip knows the size: an odd map was rounded up on the way down.
                let (height, width) = match skips.last() {
                    Some(skip) => (skip.dim(2)?, skip.dim(3)?),
                    None => (2 * x.dim(2)?, 2 * x.dim(3)?),
                };
                x = resize.forward(&x.upsample_nearest2d(height, width)?)?;
            }
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)
    }
}
