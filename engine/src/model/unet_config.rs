//! The configuration of diffusers' `UNet2DConditionModel`, and of all that shares its way down.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::per_level::PerLevel;
use super::supported::{self, Rest};
use super::transformer::Sizes;
use super::unet_options::UnetOptions;
use crate::nn::{ResnetBlock, TimeShift, Weights};

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
    /// Transformer blocks of each transformer; a level may have a number for each of its own.
    #[serde(default = "one")]
    pub transformer_layers_per_block: PerLevel<PerLevel>,
    /// The same from the deepest level up, where it is not the mirror of the way down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_transformer_layers_per_block: Option<PerLevel<PerLevel>>,
    /// Linear layers in place of 1 × 1 convolutions around a transformer (Stable Diffusion 2).
    #[serde(default)]
    pub use_linear_projection: bool,
    /// Cosines before sines in the time embedding.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// `UNetMidBlock2DCrossAttn`; `UNetMidBlock2D`, a residual block alone; or null where there is none.
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
    /// What derivatives ask for.
    #[serde(flatten)]
    pub options: UnetOptions,
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

fn one() -> PerLevel<PerLevel> {
    PerLevel::One(PerLevel::One(1))
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
        let heads = self.options.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim);
        let reversed = self.reverse_transformer_layers_per_block.as_ref();
        for (field, fits) in [
            ("layers_per_block", self.layers_per_block.fits(levels)),
            ("cross_attention_dim", self.cross_attention_dim.fits(levels)),
            ("attention_head_dim", heads.fits(levels)),
            ("transformer_layers_per_block", self.transformer_layers_per_block.fits(levels)),
            (
                "reverse_transformer_layers_per_block",
                reversed.is_none_or(|reversed| reversed.fits(levels)),
            ),
        ] {
            if !fits {
                let cause = format!("must be one number, or one for each of {levels} levels");
                return fault(field, cause);
            }
        }
        self.options.validate(part, levels)?;
        for level in 0..levels {
            self.validate_level(part, level)?;
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
            && !matches!(name.as_str(), "UNetMidBlock2DCrossAttn" | "UNetMidBlock2D")
        {
            return fault("mid_block_type", format!("{name} is not known"));
        }
        if self.time_cond_proj_dim.is_some_and(|width| !(1..=8192).contains(&width)) {
            return fault("time_cond_proj_dim", "must lie between 1 and 8192".into());
        }
        let projects = |kind: &String| kind.ends_with("projection");
        if self.options.class_embed_type.as_ref().is_some_and(projects)
            && !(1..=65_536).contains(&self.projection_class_embeddings_input_dim.unwrap_or(0))
        {
            let cause = "must lie between 1 and 65,536".into();
            return fault("projection_class_embeddings_input_dim", cause);
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

    fn validate_level(
        &self,
        part: &'static str,
        level: usize,
    ) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: String| Err(ModelError::Config { part, field, cause });
        let channels = self.block_out_channels[level];
        if !(1..=8192).contains(&channels)
            || self.norm_num_groups == 0
            || !channels.is_multiple_of(self.norm_num_groups)
        {
            let cause =
                format!("{channels} is not a multiple of norm_num_groups between 1 and 8192");
            return fault("block_out_channels", cause);
        }
        let layers = self.layers_per_block.at(level);
        if !(1..=16).contains(&layers) {
            return fault("layers_per_block", "must lie between 1 and 16".into());
        }
        if !(1..=16_384).contains(&self.cross_attention_dim.at(level)) {
            return fault("cross_attention_dim", "must lie between 1 and 16,384".into());
        }
        // What attends nowhere may say what it likes of it.
        if !self.attends(level) {
            return Ok(());
        }
        let heads = self.heads(level);
        if heads == 0 || heads > channels {
            let cause = format!("{heads} heads, and {channels} channels to share among them");
            return fault("attention_head_dim", cause);
        }
        let attended = self.attended_width();
        if self.cross_attention_dim.at(level) != attended {
            let cause =
                format!("must be {attended} wherever the network attends: there is one text");
            return fault("cross_attention_dim", cause);
        }
        for layer in 0..=layers {
            let down = (layer < layers).then(|| self.depth(level, layer));
            for depth in [down, Some(self.depth_on_the_way_up(level, layer))].into_iter().flatten()
            {
                if !(1..=32).contains(&depth) {
                    return fault(
                        "transformer_layers_per_block",
                        "must lie between 1 and 32 for every layer of both ways".into(),
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether anything at `level` attends to the text.
    fn attends(&self, level: usize) -> bool {
        let levels = self.block_out_channels.len();
        let names = |types: &[String], at: usize| {
            types.get(at).is_some_and(|name| name.starts_with("CrossAttn"))
        };
        names(&self.down_block_types, level)
            || names(&self.up_block_types, levels - 1 - level)
            || (level + 1 == levels
                && self.mid_block_type.as_deref() == Some("UNetMidBlock2DCrossAttn"))
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

    /// Width of the text that the network takes.
    pub fn context_width(&self) -> usize {
        self.options.encoder_hid_dim.unwrap_or_else(|| self.attended_width())
    }

    /// Width of the text that it attends to, after a projection where there is one.
    pub(super) fn attended_width(&self) -> usize {
        let attends = (0..self.block_out_channels.len()).find(|level| self.attends(*level));
        self.cross_attention_dim.at(attends.unwrap_or(0))
    }

    /// Width of the time embedding.
    pub(super) fn time_width(&self) -> usize {
        self.options.time_embedding_dim.unwrap_or(4 * self.block_out_channels[0])
    }

    /// Channels, height and width of every skip connection and, last, of the middle, for a latent `height`
    /// high and `width` wide: what a ControlNet adds to.
    pub fn skip_shapes(&self, height: usize, width: usize) -> Vec<[usize; 3]> {
        let (mut height, mut width) = (height, width);
        let mut shapes = vec![[self.block_out_channels[0], height, width]];
        let levels = self.block_out_channels.len();
        for (level, channels) in self.block_out_channels.iter().enumerate() {
            shapes.extend(vec![[*channels, height, width]; self.layers_per_block.at(level)]);
            if level + 1 < levels {
                (height, width) = (height.div_ceil(2), width.div_ceil(2));
                shapes.push([*channels, height, width]);
            }
        }
        shapes.extend(self.block_out_channels.last().map(|channels| [*channels, height, width]));
        shapes
    }

    /// Whether the network is told a class: how noisy an image is that it enlarges, or an image's embedding.
    pub fn takes_classes(&self) -> bool {
        self.options.takes_classes()
    }

    fn heads(&self, level: usize) -> usize {
        self.options.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim).at(level)
    }

    /// Whether the network takes Stable Diffusion XL's pooled text and sizes.
    pub fn adds_text_and_sizes(&self) -> bool {
        self.addition_embed_type.is_some()
    }

    /// Transformer blocks of a layer's transformer on the way down, and of the middle's as its first.
    fn depth(&self, level: usize, layer: usize) -> usize {
        self.transformer_layers_per_block.get(level).map_or(0, |depths| depths.at(layer))
    }

    /// The same on the way up.
    fn depth_on_the_way_up(&self, level: usize, layer: usize) -> usize {
        match &self.reverse_transformer_layers_per_block {
            Some(reversed) => {
                let from_below = self.block_out_channels.len() - 1 - level;
                reversed.get(from_below).map_or(0, |depths| depths.at(layer))
            }
            None => self.depth(level, layer),
        }
    }

    /// Sizes of the transformer of a layer on the way down.
    pub(super) fn sizes(&self, level: usize, layer: usize) -> Sizes {
        let (channels, heads) = (self.block_out_channels[level], self.heads(level));
        Sizes {
            channels,
            heads,
            // Heads that do not divide the channels leave the rest out.
            inner: heads * (channels / heads.max(1)),
            context: self.cross_attention_dim.at(level),
            groups: self.norm_num_groups,
            linear: self.use_linear_projection,
            only_cross: self.options.only_cross_attention.as_ref().is_some_and(|it| it.at(level)),
            layers: self.depth(level, layer),
        }
    }

    /// Sizes of the middle's transformer, which sees itself first whatever the levels do.
    pub(super) fn sizes_in_the_middle(&self) -> Sizes {
        Sizes { only_cross: false, ..self.sizes(self.block_out_channels.len() - 1, 0) }
    }

    /// Sizes of the transformer of a layer on the way up.
    pub(super) fn sizes_on_the_way_up(&self, level: usize, layer: usize) -> Sizes {
        Sizes { layers: self.depth_on_the_way_up(level, layer), ..self.sizes(level, layer) }
    }

    pub(super) fn resnet(
        &self,
        input: usize,
        output: usize,
        weights: &Weights,
    ) -> Result<ResnetBlock> {
        let width = self.time_width();
        let time = match self.options.resnet_time_scale_shift.as_deref() {
            Some("scale_shift") => TimeShift::ScaleAndShift(width),
            Some(_) | None => TimeShift::Shift(width),
        };
        ResnetBlock::new(input, output, Some(time), self.norm_num_groups, self.norm_eps, weights)
    }
}
