//! The configuration of diffusers' `UNet2DConditionModel`, and of all that shares its way down.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::supported::{self, Rest};
use super::transformer::Sizes;
use crate::nn::{ResnetBlock, Weights};

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
    pub(super) fn at(&self, level: usize) -> usize {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values.get(level).copied().unwrap_or(0),
        }
    }
}

/// A side for both, or height and width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sides {
    /// Square.
    Square(usize),
    /// Height and width.
    Each(Vec<usize>),
}

/// `unet/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnetConfig {
    /// diffusers' name of the class.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Sides of the latent in training; nothing is computed from it.
    #[serde(default)]
    pub sample_size: Option<Sides>,
    /// Channels of the noisy latent.
    #[serde(default = "four")]
    pub in_channels: usize,
    /// Channels of the prediction.
    #[serde(default = "four")]
    pub out_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// `CrossAttnDownBlock2D` or `DownBlock2D` for each level.
    pub down_block_types: Vec<String>,
    /// `CrossAttnUpBlock2D` or `UpBlock2D` for each level, from the deepest up; a ControlNet has none.
    #[serde(default)]
    pub up_block_types: Vec<String>,
    /// Residual blocks of a level on the way down; on the way up there is one more.
    #[serde(default = "two")]
    pub layers_per_block: PerLevel,
    /// Width of the text's embedding.
    pub cross_attention_dim: PerLevel,
    /// Heads at each level (diffusers calls the count of heads by this name).
    #[serde(default = "eight")]
    pub attention_head_dim: PerLevel,
    /// Groups of the group norms.
    #[serde(default = "groups")]
    pub norm_num_groups: usize,
    /// Keeps the group norms finite.
    #[serde(default = "epsilon")]
    pub norm_eps: f64,
    /// Transformer blocks of each transformer.
    #[serde(default = "one")]
    pub transformer_layers_per_block: PerLevel,
    /// The same from the deepest level up, where it is not the mirror of the way down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_transformer_layers_per_block: Option<PerLevel>,
    /// Linear layers in place of 1 × 1 convolutions around a transformer (Stable Diffusion 2).
    #[serde(default)]
    pub use_linear_projection: bool,
    /// Cosines before sines in the time embedding.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// `UNetMidBlock2DCrossAttn`, or null where there is no middle block.
    #[serde(default = "mid_block")]
    pub mid_block_type: Option<String>,
    /// `text_time` in Stable Diffusion XL.
    #[serde(default)]
    pub addition_embed_type: Option<String>,
    /// Width of the embedding of each of XL's six sizes.
    #[serde(default)]
    pub addition_time_embed_dim: Option<usize>,
    /// Width of the pooled text with the six embeddings.
    #[serde(default)]
    pub projection_class_embeddings_input_dim: Option<usize>,
    /// Width of the embedded guidance scale in a network that was taught it (Meng et al., arXiv
    /// 2210.03142; Luo et al., arXiv 2310.04378).
    #[serde(default)]
    pub time_cond_proj_dim: Option<usize>,
    /// What else the file says.
    #[serde(flatten)]
    pub rest: Rest,
}

fn class_name() -> String {
    "UNet2DConditionModel".into()
}

#[expect(clippy::unnecessary_wraps, reason = "the field is null where there is none")]
fn mid_block() -> Option<String> {
    Some("UNetMidBlock2DCrossAttn".into())
}

fn epsilon() -> f64 {
    1e-5
}

fn groups() -> usize {
    32
}

fn four() -> usize {
    4
}

fn one() -> PerLevel {
    PerLevel::One(1)
}

fn two() -> PerLevel {
    PerLevel::One(2)
}

fn eight() -> PerLevel {
    PerLevel::One(8)
}

fn yes() -> bool {
    true
}

impl UnetConfig {
    /// Everything that a network's two ways share.
    ///
    /// # Errors
    /// Where no way down can be built from the values.
    pub(super) fn validate_down(&self, part: &'static str) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: String| Err(ModelError::Config { part, field, cause });
        supported::check(part, &self.rest, &supported::unet())?;
        let levels = self.block_out_channels.len();
        if !(1..=8).contains(&levels) {
            return fault("block_out_channels", "must have between 1 and 8 levels".into());
        }
        for (field, per_level) in [
            ("layers_per_block", &self.layers_per_block),
            ("cross_attention_dim", &self.cross_attention_dim),
            ("attention_head_dim", &self.attention_head_dim),
            ("transformer_layers_per_block", &self.transformer_layers_per_block),
        ] {
            if matches!(per_level, PerLevel::Each(values) if values.len() != levels) {
                return fault(
                    field,
                    format!("must be one number, or one for each of {levels} levels"),
                );
            }
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
            for layers in
                [self.transformer_layers_per_block.at(level), self.layers_on_the_way_up(level)]
            {
                if !(1..=32).contains(&layers) {
                    return fault(
                        "transformer_layers_per_block",
                        "must lie between 1 and 32".into(),
                    );
                }
            }
            if !(1..=16).contains(&self.layers_per_block.at(level)) {
                return fault("layers_per_block", "must lie between 1 and 16".into());
            }
            if !(1..=16_384).contains(&self.cross_attention_dim.at(level)) {
                return fault("cross_attention_dim", "must lie between 1 and 16,384".into());
            }
        }
        if self.down_block_types.len() != levels {
            return fault("down_block_types", format!("must name {levels} levels"));
        }
        for name in &self.down_block_types {
            if !matches!(name.as_str(), "CrossAttnDownBlock2D" | "DownBlock2D") {
                return fault("down_block_types", format!("{name} is not known"));
            }
        }
        if !(1..=1024).contains(&self.in_channels) || !(1..=1024).contains(&self.out_channels) {
            return fault("in_channels", "channels must lie between 1 and 1024".into());
        }
        if let Some(name) = &self.mid_block_type
            && name != "UNetMidBlock2DCrossAttn"
        {
            return fault("mid_block_type", format!("{name} is not known"));
        }
        if self.time_cond_proj_dim.is_some_and(|width| !(1..=8192).contains(&width)) {
            return fault("time_cond_proj_dim", "must lie between 1 and 8192".into());
        }
        match self.addition_embed_type.as_deref() {
            None => {}
            Some("text_time") => {
                let each = self.addition_time_embed_dim.unwrap_or(0);
                if !(1..=8192).contains(&each) {
                    return fault("addition_time_embed_dim", "must lie between 1 and 8192".into());
                }
                let all = self.projection_class_embeddings_input_dim.unwrap_or(0);
                if !(1..=65_536).contains(&all) {
                    let cause = "must lie between 1 and 65,536".into();
                    return fault("projection_class_embeddings_input_dim", cause);
                }
            }
            Some(name) => {
                return fault("addition_embed_type", format!("{name} is not known; text_time is"));
            }
        }
        Ok(())
    }

    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        self.validate_down("unet")?;
        let fault = |field, cause: String| Err(ModelError::Config { part: "unet", field, cause });
        let levels = self.block_out_channels.len();
        if self.up_block_types.len() != levels {
            return fault("up_block_types", format!("must name {levels} levels"));
        }
        for name in &self.up_block_types {
            if !matches!(name.as_str(), "CrossAttnUpBlock2D" | "UpBlock2D") {
                return fault("up_block_types", format!("{name} is not known"));
            }
        }
        Ok(())
    }

    /// Width of the text's embedding at `level`.
    pub fn context_width(&self, level: usize) -> usize {
        self.cross_attention_dim.at(level)
    }

    /// Whether the network takes Stable Diffusion XL's pooled text and sizes.
    pub fn adds_text_and_sizes(&self) -> bool {
        self.addition_embed_type.is_some()
    }

    /// Transformer blocks at `level` on the way up.
    fn layers_on_the_way_up(&self, level: usize) -> usize {
        match &self.reverse_transformer_layers_per_block {
            Some(reversed) => reversed.at(self.block_out_channels.len() - 1 - level),
            None => self.transformer_layers_per_block.at(level),
        }
    }

    pub(super) fn sizes(&self, level: usize) -> Sizes {
        Sizes {
            channels: self.block_out_channels[level],
            heads: self.attention_head_dim.at(level),
            context: self.cross_attention_dim.at(level),
            groups: self.norm_num_groups,
            linear: self.use_linear_projection,
            layers: self.transformer_layers_per_block.at(level),
        }
    }

    pub(super) fn sizes_on_the_way_up(&self, level: usize) -> Sizes {
        Sizes { layers: self.layers_on_the_way_up(level), ..self.sizes(level) }
    }

    pub(super) fn resnet(
        &self,
        input: usize,
        output: usize,
        weights: &Weights,
    ) -> Result<ResnetBlock> {
        let time = 4 * self.block_out_channels[0];
        ResnetBlock::new(input, output, Some(time), self.norm_num_groups, self.norm_eps, weights)
    }
}
