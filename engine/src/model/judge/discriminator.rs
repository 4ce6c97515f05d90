//! The discriminator that an autoencoder is trained against.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::encoder::EPSILON;
use super::sizes::Sizes;
use crate::model::ModelError;
use crate::nn::{Conv2d, GroupNorm, Weights, silu, space_to_channels, to_map};

/// The sizes of a discriminator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// Sides of the pixel squares that are folded into channels before the first convolution.
    pub patch_size: usize,
    /// Channels of each level, finest first.
    pub block_out_channels: Vec<usize>,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
}

impl DiscriminatorConfig {
    /// # Errors
    /// Where no network can be built from the values, or images of `sample_size` do not go in; the field is
    /// named.
    pub fn validate(&self, sample_size: usize) -> std::result::Result<(), ModelError> {
        Sizes {
            part: "discriminator",
            sample_size,
            patch_size: self.patch_size,
            block_out_channels: &self.block_out_channels,
            layers_per_block: 1,
            norm_num_groups: self.norm_num_groups,
        }
        .validate()
    }
}

/// Says of every patch of an image whether it is real (PatchGAN; Isola et al., arXiv 1611.07004, section 3.2.2): a
/// patch is what one place of the last map sees. Group norms stand where PatchGAN has batch norms, so that an
/// image's answer hangs on none beside it.
pub struct Discriminator {
    patch_size: usize,
    conv_in: Conv2d,
    levels: Vec<(Conv2d, GroupNorm)>,
    conv_out: Conv2d,
}

impl Discriminator {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// Where a weight cannot be read.
    pub fn new(config: &DiscriminatorConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.block_out_channels;
        let folded = config.patch_size * config.patch_size;
        let mut levels = Vec::new();
        for (index, pair) in channels.windows(2).enumerate() {
            let weights = weights.pp("levels").pp(index);
            levels.push((
                Conv2d::new(pair[0], pair[1], 3, 2, 1, &weights.pp("conv"))?,
                GroupNorm::new(config.norm_num_groups, pair[1], EPSILON, &weights.pp("norm"))?,
            ));
        }
        let last = channels[channels.len() - 1];
        Ok(Self {
            patch_size: config.patch_size,
            conv_in: Conv2d::new(folded, channels[0], 3, 1, 1, &weights.pp("conv_in"))?,
            levels,
            conv_out: Conv2d::new(last, 1, 3, 1, 1, &weights.pp("conv_out"))?,
        })
    }

    /// Logits `[b, h', w', 1]`, one a patch, high where it looks real, of images `[b, 1, h, w]` between −1 and 1.
    ///
    /// # Errors
    /// Where a side is no multiple of the folded square.
    pub fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let folded = space_to_channels(&to_map(image)?, self.patch_size)?;
        let mut x = silu(&self.conv_in.forward(&folded)?)?;
        for (conv, norm) in &self.levels {
            x = norm.forward_silu(&conv.forward(&x)?)?;
        }
        self.conv_out.forward(&x)
    }
}
