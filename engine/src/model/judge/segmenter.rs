//! The lung segmenter: which pixels of a radiograph lie over a lung.

use std::path::Path;

use candle_core::{D, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::disk;
use super::encoder::{EPSILON, Encoder, blocks, through};
use super::sizes::Sizes;
use crate::model::{ModelCard, ModelError};
use crate::nn::{
    Conv2d, GroupNorm, ResnetBlock, Weights, channels_to_space, to_planes, upsample_nearest,
};

/// `config.json` of a segmenter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmenterConfig {
    /// Tells a segmenter's folder from others.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Sides of the square image, in pixels.
    pub sample_size: usize,
    /// Sides of the pixel squares that are folded into channels before the first convolution, and unfolded
    /// after the last.
    pub patch_size: usize,
    /// Channels of each level, finest first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level, on the way down and on the way up.
    pub layers_per_block: usize,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
}

const CLASS: &str = "SkiagraphLungSegmenter";

fn class_name() -> String {
    CLASS.into()
}

impl SegmenterConfig {
    fn sizes(&self) -> Sizes<'_> {
        Sizes {
            part: "segmenter",
            sample_size: self.sample_size,
            patch_size: self.patch_size,
            block_out_channels: &self.block_out_channels,
            layers_per_block: self.layers_per_block,
            norm_num_groups: self.norm_num_groups,
        }
    }

    /// # Errors
    /// Where no network can be built from the values; the field is named.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        if self.class_name != CLASS {
            return Err(ModelError::Config {
                part: "segmenter",
                field: "_class_name",
                cause: "is not that of a segmenter, SkiagraphLungSegmenter".to_owned(),
            });
        }
        self.sizes().validate()
    }
}

struct Rise {
    upsample: Conv2d,
    resnets: Vec<ResnetBlock>,
}

/// A U-shaped network with skip connections (Ronneberger et al., arXiv 1505.04597).
pub struct Segmenter {
    encoder: Encoder,
    /// From the coarsest level to the finest.
    rises: Vec<Rise>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: SegmenterConfig,
}

impl Segmenter {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// Where a weight cannot be read.
    pub fn new(config: SegmenterConfig, weights: &Weights) -> Result<Self> {
        let sizes = config.sizes();
        let channels = &config.block_out_channels;
        let mut rises = Vec::new();
        for level in (0..channels.len() - 1).rev() {
            let weights = weights.pp("rises").pp(rises.len());
            let width = channels[level];
            rises.push(Rise {
                upsample: Conv2d::new(
                    channels[level + 1],
                    width,
                    3,
                    1,
                    1,
                    &weights.pp("upsample"),
                )?,
                resnets: blocks(2 * width, width, &sizes, &weights)?,
            });
        }
        let folded = config.patch_size * config.patch_size;
        Ok(Self {
            encoder: Encoder::new(&sizes, &weights.pp("encoder"))?,
            rises,
            norm_out: GroupNorm::new(
                config.norm_num_groups,
                channels[0],
                EPSILON,
                &weights.pp("norm_out"),
            )?,
            conv_out: Conv2d::new(channels[0], folded, 3, 1, 1, &weights.pp("conv_out"))?,
            config,
        })
    }

    /// Loads a segmenter's folder, frozen, with its card.
    ///
    /// # Errors
    /// Where a file is missing or damaged, or the weights do not fit the configuration.
    pub fn open(
        folder: &Path,
        device: &Device,
    ) -> std::result::Result<(Self, ModelCard), ModelError> {
        disk::open(folder, device, SegmenterConfig::validate, Self::new)
    }

    /// The configuration.
    pub fn config(&self) -> &SegmenterConfig {
        &self.config
    }

    /// Logits `[b, 1, h, w]`, above zero inside a lung, of images `[b, 1, h, w]` between −1 and 1.
    ///
    /// # Errors
    /// Where a side is no multiple of what the levels halve it by.
    pub fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let mut maps = self.encoder.forward(image)?;
        let Some(mut x) = maps.pop() else { candle_core::bail!("a segmenter without levels") };
        for (rise, skip) in self.rises.iter().zip(maps.iter().rev()) {
            let (_, height, width, _) = skip.dims4()?;
            x = rise.upsample.forward(&upsample_nearest(&x, height, width)?)?;
            x = through(&rise.resnets, Tensor::cat(&[&x, skip], D::Minus1)?)?;
        }
        let y = self.conv_out.forward(&self.norm_out.forward_silu(&x)?)?;
        to_planes(&channels_to_space(&y, self.config.patch_size)?)
    }
}
