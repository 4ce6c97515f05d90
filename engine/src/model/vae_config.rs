//! The configuration of diffusers' `AutoencoderKL`.

use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::supported::{self, Rest};

/// `vae/config.json`.
#[expect(clippy::struct_excessive_bools, reason = "the switches of the file")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaeConfig {
    /// diffusers' name of the class.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Channels of the image: 1 for a radiograph, 3 for a photograph.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of the decoded image.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of the latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// Channels of each level, from the image down.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level in the encoder; the decoder has one more.
    #[serde(default = "one")]
    pub layers_per_block: usize,
    /// Groups of the group norms.
    #[serde(default = "groups")]
    pub norm_num_groups: usize,
    /// Factor from the encoder's latent to the one that diffusion sees; files of Stable Diffusion 1 lack it.
    #[serde(default = "scaling")]
    pub scaling_factor: f64,
    /// Sides of the image in training, and of the tiles of one that is too large.
    #[serde(default = "side")]
    pub sample_size: usize,
    /// Whether the middle block attends over the map.
    #[serde(default = "yes")]
    pub mid_block_add_attention: bool,
    /// Sides of the pixel squares that are folded into channels before the first convolution
    /// (1: none, as in Stable Diffusion). Folding spares the convolutions at full size, which cost
    /// most and hold least.
    #[serde(default = "one")]
    pub patch_size: usize,
    /// Whether a change of size has a shortcut beside its convolution, from places to channels and back
    /// (DC-AE; Chen et al., arXiv 2410.10733), and changes the channels too. As `patch_size`, a key of ours:
    /// without it the network is diffusers'.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub residual_resampling: bool,
    /// Whether a 1 × 1 convolution follows the encoder.
    #[serde(default = "yes")]
    pub use_quant_conv: bool,
    /// Whether a 1 × 1 convolution precedes the decoder.
    #[serde(default = "yes")]
    pub use_post_quant_conv: bool,
    /// Mean of each channel of the encoder's latent, which is taken from it before it is scaled where there is
    /// a deviation as well (some networks of Stable Diffusion XL's form).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latents_mean: Option<Vec<f64>>,
    /// Deviation of each, by which it is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latents_std: Option<Vec<f64>>,
    /// What else the file says.
    #[serde(flatten)]
    pub rest: Rest,
}

fn class_name() -> String {
    "AutoencoderKL".into()
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn three() -> usize {
    3
}

fn four() -> usize {
    4
}

fn groups() -> usize {
    32
}

fn side() -> usize {
    32
}

fn scaling() -> f64 {
    0.18215
}

impl VaeConfig {
    /// Image pixels to a side of one latent value.
    pub fn compression(&self) -> usize {
        self.patch_size << (self.block_out_channels.len() - 1)
    }

    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        supported::check("vae", &self.rest, &supported::vae())?;
        let fault = |field, cause: &str| {
            Err(ModelError::Config { part: "vae", field, cause: cause.to_owned() })
        };
        if self.block_out_channels.is_empty() || self.block_out_channels.len() > 8 {
            return fault("block_out_channels", "must have between 1 and 8 levels");
        }
        if self.norm_num_groups == 0
            || self
                .block_out_channels
                .iter()
                .any(|c| *c == 0 || *c > 8192 || c % self.norm_num_groups != 0)
        {
            return fault(
                "block_out_channels",
                "must be multiples of norm_num_groups, 8192 at most",
            );
        }
        if !(1..=64).contains(&self.in_channels)
            || !(1..=64).contains(&self.out_channels)
            || !(1..=1024).contains(&self.latent_channels)
        {
            return fault("in_channels", "channels are out of range");
        }
        if !(1..=16).contains(&self.layers_per_block) {
            return fault("layers_per_block", "must lie between 1 and 16");
        }
        if !(1..=32).contains(&self.patch_size) {
            return fault("patch_size", "must lie between 1 and 32");
        }
        let first = self.block_out_channels[self.block_out_channels.len() - 1];
        let whole = |pair: &[usize]| {
            let (fine, coarse) = (pair[0], pair[1]);
            (4 * fine).is_multiple_of(coarse)
        };
        if self.residual_resampling
            && (!self.block_out_channels.windows(2).all(whole)
                || !first.is_multiple_of(self.latent_channels))
        {
            return fault(
                "residual_resampling",
                "asks for levels that divide four times the level above, and for a last level that is a \
                 multiple of latent_channels",
            );
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return fault("scaling_factor", "must be a positive number");
        }
        if !(1..=4096).contains(&self.sample_size) {
            return fault("sample_size", "must lie between 1 and 4096");
        }
        for (field, values) in
            [("latents_mean", &self.latents_mean), ("latents_std", &self.latents_std)]
        {
            if values.as_ref().is_some_and(|values| {
                values.len() != self.latent_channels
                    || values.iter().any(|value| !value.is_finite())
                    || (field == "latents_std" && values.contains(&0.0))
            }) {
                return fault(field, "must be a number for each of latent_channels");
            }
        }
        Ok(())
    }
}
