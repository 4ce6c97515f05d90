//! What classifier and segmenter share: maps of an image, each of half the size of the last.

use candle_core::{Result, Tensor};

use super::sizes::Sizes;
use crate::nn::{Conv2d, ResnetBlock, Weights, space_to_channels, to_map};

pub(super) const EPSILON: f64 = 1e-6;

struct Level {
    /// From the level above; the first has none.
    downsample: Option<Conv2d>,
    resnets: Vec<ResnetBlock>,
}

/// Residual blocks at each of some sizes (He et al., arXiv 1512.03385), with group norms and SiLU.
pub(super) struct Encoder {
    patch_size: usize,
    conv_in: Conv2d,
    levels: Vec<Level>,
}

impl Encoder {
    pub(super) fn new(sizes: &Sizes<'_>, weights: &Weights) -> Result<Self> {
        let channels = sizes.block_out_channels;
        let folded = sizes.patch_size * sizes.patch_size;
        let conv_in = Conv2d::new(folded, channels[0], 3, 1, 1, &weights.pp("conv_in"))?;
        let mut levels = Vec::new();
        for (index, width) in channels.iter().enumerate() {
            let weights = weights.pp("levels").pp(index);
            let downsample = (index > 0)
                .then(|| {
                    Conv2d::new(channels[index - 1], *width, 3, 2, 1, &weights.pp("downsample"))
                })
                .transpose()?;
            levels.push(Level { downsample, resnets: blocks(*width, *width, sizes, &weights)? });
        }
        Ok(Self { patch_size: sizes.patch_size, conv_in, levels })
    }

    /// Of images `[b, 1, h, w]` the maps of all levels, finest first: `[b, h/p, w/p, c₀]`, `[b, h/2p, w/2p, c₁]` …
    pub(super) fn forward(&self, image: &Tensor) -> Result<Vec<Tensor>> {
        let folded = space_to_channels(&to_map(image)?, self.patch_size)?;
        let mut x = self.conv_in.forward(&folded)?;
        let mut maps = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            if let Some(downsample) = &level.downsample {
                x = downsample.forward(&x)?;
            }
            x = through(&level.resnets, x)?;
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

/// The residual blocks of a level.
pub(super) fn blocks(
    input: usize,
    output: usize,
    sizes: &Sizes<'_>,
    weights: &Weights,
) -> Result<Vec<ResnetBlock>> {
    (0..sizes.layers_per_block)
        .map(|index| {
            let input = if index == 0 { input } else { output };
            let weights = weights.pp("resnets").pp(index);
            ResnetBlock::new(input, output, None, sizes.norm_num_groups, EPSILON, &weights)
        })
        .collect()
}

/// `x` after all blocks.
pub(super) fn through(blocks: &[ResnetBlock], x: Tensor) -> Result<Tensor> {
    blocks.iter().try_fold(x, |x, block| block.forward(&x, None))
}
