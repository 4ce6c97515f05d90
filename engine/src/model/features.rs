//! A small convolutional autoencoder whose bottleneck is a few tokens: what images of a concept have in common.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use crate::nn::{
    Conv2d, GroupNorm, LayerNorm, Linear, Weights, silu, to_map, to_planes, upsample_nearest,
};

const EPSILON: f64 = 1e-5;

/// Sizes of the autoencoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Sides of the square grey image, in pixels.
    pub image_size: usize,
    /// Channels of each level, each at half the sides of the one before, the first at half the image's.
    pub channels: Vec<usize>,
    /// Tokens of the bottleneck.
    pub tokens: usize,
    /// Width of a token.
    pub width: usize,
}

impl FeatureConfig {
    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let hold = |holds: bool, field, cause: &str| {
            let fault = || ModelError::Config { part: "concept", field, cause: cause.into() };
            if holds { Ok(()) } else { Err(fault()) }
        };
        let levels = self.channels.len();
        hold(
            (1..=7).contains(&levels) && self.channels.iter().all(|c| (1..=2048).contains(c)),
            "channels",
            "must be 1 to 7 numbers between 1 and 2,048",
        )?;
        hold(
            (2..=1024).contains(&self.image_size) && self.image_size.is_multiple_of(1 << levels),
            "image_size",
            "must lie between 2 and 1,024 and be halved as often as there are channels",
        )?;
        hold((1..=64).contains(&self.tokens), "tokens", "must lie between 1 and 64")?;
        hold((1..=1024).contains(&self.width), "width", "must lie between 1 and 1,024")
    }

    /// Sides of the smallest map.
    fn inner(&self) -> usize {
        self.image_size >> self.channels.len()
    }

    /// Values of the smallest map.
    fn flat(&self) -> usize {
        self.inner() * self.inner() * self.channels.last().copied().unwrap_or(1)
    }
}

/// Group norm of a map, by 8 groups where they divide its channels.
fn norm(channels: usize, weights: &Weights) -> Result<GroupNorm> {
    let groups = if channels.is_multiple_of(8) { 8 } else { 1 };
    GroupNorm::new(groups, channels, EPSILON, weights)
}

/// From an image to its tokens.
pub struct FeatureEncoder {
    levels: Vec<(Conv2d, GroupNorm)>,
    project: Linear,
    norm: LayerNorm,
    config: FeatureConfig,
}

impl FeatureEncoder {
    /// Builds the network from its weights.
    pub fn new(config: FeatureConfig, weights: &Weights) -> Result<Self> {
        let before = [&[1], &config.channels[..]].concat();
        let level = |(index, pair): (usize, &[usize])| {
            let weights = weights.pp("levels").pp(index);
            let conv = Conv2d::new(pair[0], pair[1], 3, 2, 1, &weights.pp("conv"))?;
            Ok((conv, norm(pair[1], &weights.pp("norm"))?))
        };
        let values = config.tokens * config.width;
        Ok(Self {
            levels: before.windows(2).enumerate().map(level).collect::<Result<_>>()?,
            project: Linear::new(config.flat(), values, &weights.pp("project"))?,
            norm: LayerNorm::new(config.width, EPSILON, &weights.pp("norm"))?,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// Tokens `[batch, tokens, width]` of `grey` `[batch, 1, size, size]` between −1 and 1.
    pub fn forward(&self, grey: &Tensor) -> Result<Tensor> {
        let mut x = to_map(grey)?;
        for (conv, norm) in &self.levels {
            x = norm.forward_silu(&conv.forward(&x)?)?;
        }
        let tokens = self.project.forward(&x.flatten_from(1)?)?;
        self.norm.forward(&tokens.reshape(((), self.config.tokens, self.config.width))?)
    }
}

/// From tokens back to the image: what the encoder is held to.
pub struct FeatureDecoder {
    project: Linear,
    levels: Vec<(Conv2d, GroupNorm)>,
    conv_out: Conv2d,
    config: FeatureConfig,
}

impl FeatureDecoder {
    /// Builds the network from its weights.
    pub fn new(config: FeatureConfig, weights: &Weights) -> Result<Self> {
        let upwards: Vec<usize> = config.channels.iter().rev().copied().collect();
        let after = upwards.iter().skip(1).chain(upwards.last());
        let level = |(index, (from, to)): (usize, (&usize, &usize))| {
            let weights = weights.pp("levels").pp(index);
            let conv = Conv2d::new(*from, *to, 3, 1, 1, &weights.pp("conv"))?;
            Ok((conv, norm(*to, &weights.pp("norm"))?))
        };
        let values = config.tokens * config.width;
        Ok(Self {
            project: Linear::new(values, config.flat(), &weights.pp("project"))?,
            levels: upwards.iter().zip(after).enumerate().map(level).collect::<Result<_>>()?,
            conv_out: Conv2d::new(config.channels[0], 1, 3, 1, 1, &weights.pp("conv_out"))?,
            config,
        })
    }

    /// The image `[batch, 1, size, size]` of `tokens` `[batch, tokens, width]`.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let mut side = self.config.inner();
        let x = silu(&self.project.forward(&tokens.flatten_from(1)?)?)?;
        let mut x = x.reshape(((), side, side, self.config.flat() / (side * side)))?;
        for (conv, norm) in &self.levels {
            side *= 2;
            x = norm.forward_silu(&conv.forward(&upsample_nearest(&x, side, side)?)?)?;
        }
        to_planes(&self.conv_out.forward(&x)?)
    }
}
