//! A small network that turns a condition image into features for a UNet, in the layout of diffusers'
//! `T2IAdapter` (Mou et al., arXiv 2302.08453).

use candle_core::{DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use crate::nn::{Conv2d, Weights, to_map, to_planes};

/// `config.json` of a T2I-Adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct T2iAdapterConfig {
    /// diffusers' name of the class.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Channels of the condition image.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of each level's feature.
    #[serde(default = "channels")]
    pub channels: Vec<usize>,
    /// Residual blocks of a level.
    #[serde(default = "two")]
    pub num_res_blocks: usize,
    /// Sides of the pixel squares that are folded into channels at first.
    #[serde(default = "eight")]
    pub downscale_factor: usize,
    /// `full_adapter`, `full_adapter_xl` or `light_adapter`.
    #[serde(default = "full")]
    pub adapter_type: String,
}

fn class_name() -> String {
    "T2IAdapter".into()
}

fn three() -> usize {
    3
}

fn channels() -> Vec<usize> {
    vec![320, 640, 1280, 1280]
}

fn two() -> usize {
    2
}

fn eight() -> usize {
    8
}

fn full() -> String {
    "full_adapter".into()
}

impl T2iAdapterConfig {
    /// # Errors
    /// Where no network can be built from the values.
    pub fn validate(&self) -> std::result::Result<(), ModelError> {
        let fault = |field, cause: &str| {
            Err(ModelError::Config { part: "t2iadapter", field, cause: cause.to_owned() })
        };
        if !(1..=64).contains(&self.in_channels) {
            return fault("in_channels", "must lie between 1 and 64");
        }
        if !(1..=8).contains(&self.channels.len())
            || self.channels.iter().any(|width| !(4..=8192).contains(width))
        {
            return fault("channels", "must have between 1 and 8 numbers between 4 and 8192");
        }
        if !(1..=16).contains(&self.num_res_blocks) {
            return fault("num_res_blocks", "must lie between 1 and 16");
        }
        if !(1..=64).contains(&self.downscale_factor) {
            return fault("downscale_factor", "must lie between 1 and 64");
        }
        if !matches!(
            self.adapter_type.as_str(),
            "full_adapter" | "full_adapter_xl" | "light_adapter"
        ) {
            let cause = "must be full_adapter, full_adapter_xl or light_adapter";
            return fault("adapter_type", cause);
        }
        Ok(())
    }

    /// Input, output and whether it shrinks, of each level.
    fn levels(&self, folded: usize) -> Vec<(usize, usize, bool)> {
        let channels = &self.channels;
        let before = |level: usize| channels[level.saturating_sub(1)];
        let mut levels: Vec<_> = channels
            .iter()
            .enumerate()
            .map(|(level, width)| match self.adapter_type.as_str() {
                "full_adapter_xl" => match level {
                    1 => (before(level), *width, false),
                    2 => (before(level), *width, true),
                    _ => (*width, *width, false),
                },
                "light_adapter" if level == 0 => (folded, *width, false),
                _ => (before(level), *width, level > 0),
            })
            .collect();
        if self.adapter_type == "light_adapter" {
            let last = channels[channels.len() - 1];
            levels.push((last, last, true));
        }
        levels
    }
}

/// Two convolutions around a skip connection.
struct Residual {
    block1: Conv2d,
    block2: Conv2d,
}

struct Level {
    shrinks: bool,
    in_conv: Option<Conv2d>,
    resnets: Vec<Residual>,
    out_conv: Option<Conv2d>,
}

/// A T2I-Adapter.
pub struct T2iAdapter {
    conv_in: Option<Conv2d>,
    body: Vec<Level>,
    config: T2iAdapterConfig,
    dtype: DType,
}

impl T2iAdapter {
    /// Builds the network from its weights.
    pub fn new(config: T2iAdapterConfig, weights: &Weights) -> Result<Self> {
        let weights = weights.pp("adapter");
        let folded = config.in_channels * config.downscale_factor * config.downscale_factor;
        let light = config.adapter_type == "light_adapter";
        let point = |input, output, weights: &Weights| Conv2d::new(input, output, 1, 1, 0, weights);
        let mut body = Vec::new();
        for (index, (input, output, shrinks)) in config.levels(folded).into_iter().enumerate() {
            let weights = weights.pp("body").pp(index);
            let inner = if light { output / 4 } else { output };
            let resnets = (0..config.num_res_blocks)
                .map(|index| {
                    let weights = weights.pp("resnets").pp(index);
                    let (kernel, padding) = if light { (3, 1) } else { (1, 0) };
                    let second = weights.pp("block2");
                    Ok(Residual {
                        block1: Conv2d::new(inner, inner, 3, 1, 1, &weights.pp("block1"))?,
                        block2: Conv2d::new(inner, inner, kernel, 1, padding, &second)?,
                    })
                })
                .collect::<Result<_>>()?;
            body.push(Level {
                shrinks,
                in_conv: (light || input != output)
                    .then(|| point(input, inner, &weights.pp("in_conv")))
                    .transpose()?,
                resnets,
                out_conv: light
                    .then(|| point(inner, output, &weights.pp("out_conv")))
                    .transpose()?,
            });
        }
        Ok(Self {
            conv_in: (!light)
                .then(|| Conv2d::new(folded, config.channels[0], 3, 1, 1, &weights.pp("conv_in")))
                .transpose()?,
            body,
            config,
            dtype: weights.dtype(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &T2iAdapterConfig {
        &self.config
    }

    /// The features of `condition` `[batch, channels, H, W]` between 0 and 1, a map a level.
    ///
    /// # Errors
    /// Where the sides are no multiples of the folding.
    pub fn forward(&self, condition: &Tensor) -> Result<Vec<Tensor>> {
        let condition = condition.to_dtype(self.dtype)?;
        let mut x = to_map(&unshuffle(&condition, self.config.downscale_factor)?)?;
        if let Some(conv_in) = &self.conv_in {
            x = conv_in.forward(&x)?;
        }
        let mut features = Vec::with_capacity(self.body.len());
        for level in &self.body {
            if level.shrinks {
                x = halve(&x)?;
            }
            if let Some(conv) = &level.in_conv {
                x = conv.forward(&x)?;
            }
            for resnet in &level.resnets {
                x = (resnet.block2.forward(&resnet.block1.forward(&x)?.relu()?)? + x)?;
            }
            if let Some(conv) = &level.out_conv {
                x = conv.forward(&x)?;
            }
            features.push(x.clone());
        }
        Ok(features)
    }
}

/// `[b, c, h, w]` to `[b, c·f·f, h/f, w/f]`.
fn unshuffle(x: &Tensor, factor: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    if h % factor != 0 || w % factor != 0 {
        bail!("a condition image of {w} × {h} is no multiple of {factor} (downscale_factor)");
    }
    x.reshape(&[b, c, h / factor, factor, w / factor, factor][..])?
        .permute(vec![0, 1, 3, 5, 2, 4])?
        .contiguous()?
        .reshape((b, c * factor * factor, h / factor, w / factor))
}

/// The mean of every 2 × 2; what lies over the edge of an odd side does not count.
fn halve(x: &Tensor) -> Result<Tensor> {
    let x = &to_planes(x)?;
    let (_, _, h, w) = x.dims4()?;
    if h % 2 == 0 && w % 2 == 0 {
        return to_map(&x.avg_pool2d(2)?);
    }
    // The edge stands twice where it is averaged with nothing.
    let x = if h % 2 == 1 { Tensor::cat(&[x, &x.narrow(2, h - 1, 1)?], 2)? } else { x.clone() };
    let x = if w % 2 == 1 { Tensor::cat(&[&x, &x.narrow(3, w - 1, 1)?], 3)? } else { x };
    to_map(&x.avg_pool2d(2)?)
}
