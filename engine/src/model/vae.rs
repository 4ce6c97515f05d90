//! The variational autoencoder between image and latent, in the layout of diffusers' `AutoencoderKL`
//! (Rombach et al., arXiv 2112.10752); with `residual_resampling`, changes of size have the shortcuts of a deep
//! compression autoencoder beside them (Chen et al., arXiv 2410.10733, section 3.2).

use candle_core::{D, Result, Tensor};

use super::vae_config::VaeConfig;
use super::vae_resample::{Resample, averaged, repeated};
use super::vae_tiles::Tiles;
use crate::nn::{
    Attention, Conv2d, GroupNorm, ResnetBlock, Weights, add, channels_to_space, space_to_channels,
    to_map, to_planes,
};

const EPSILON: f64 = 1e-6;

struct VaeAttention {
    group_norm: GroupNorm,
    attention: Attention,
}

impl VaeAttention {
    fn new(channels: usize, groups: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            group_norm: GroupNorm::new(groups, channels, EPSILON, &weights.pp("group_norm"))?,
            attention: Attention::new(channels, channels, channels, 1, true, weights)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, height, width, channels) = x.dims4()?;
        let y = self.group_norm.forward(x)?.reshape((batch, height * width, channels))?;
        add(&self.attention.forward(&y, None)?.reshape(x.dims())?, x)
    }
}

struct MidBlock {
    first: ResnetBlock,
    attention: Option<VaeAttention>,
    second: ResnetBlock,
}

impl MidBlock {
    fn new(channels: usize, config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let resnet = |index: usize| {
            let weights = weights.pp("resnets").pp(index);
            ResnetBlock::new(channels, channels, None, config.norm_num_groups, EPSILON, &weights)
        };
        Ok(Self {
            first: resnet(0)?,
            attention: config
                .mid_block_add_attention
                .then(|| {
                    VaeAttention::new(channels, config.norm_num_groups, &weights.pp("attentions.0"))
                })
                .transpose()?,
            second: resnet(1)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(&x)?;
        }
        self.second.forward(&x, None)
    }
}

/// One level: residual blocks, then a change of size but for the last level.
struct Level {
    resnets: Vec<ResnetBlock>,
    resize: Option<Resample>,
}

impl Level {
    fn new(
        input: usize,
        output: usize,
        layers: usize,
        config: &VaeConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let resnets = (0..layers)
            .map(|index| {
                let input = if index == 0 { input } else { output };
                let weights = weights.pp("resnets").pp(index);
                ResnetBlock::new(input, output, None, config.norm_num_groups, EPSILON, &weights)
            })
            .collect::<Result<_>>()?;
        Ok(Self { resnets, resize: None })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.resnets.iter().try_fold(x.clone(), |x, resnet| resnet.forward(&x, None))
    }
}

struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<Level>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    latent_channels: usize,
    shortcut: bool,
}

impl Encoder {
    fn new(config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.block_out_channels;
        let last = channels[channels.len() - 1];
        let folded = config.in_channels * config.patch_size * config.patch_size;
        let conv_in = Conv2d::new(folded, channels[0], 3, 1, 1, &weights.pp("conv_in"))?;
        let mut down_blocks = Vec::new();
        for (index, output) in channels.iter().enumerate() {
            let weights = weights.pp("down_blocks").pp(index);
            // A residual change of size changes the channels with it.
            let input = if config.residual_resampling { index } else { index.saturating_sub(1) };
            let input = channels[input];
            let mut level = Level::new(input, *output, config.layers_per_block, config, &weights)?;
            if let Some(next) = channels.get(index + 1) {
                let weights = weights.pp("downsamplers.0.conv");
                level.resize =
                    Some(Resample::down(*output, *next, config.residual_resampling, &weights)?);
            }
            down_blocks.push(level);
        }
        Ok(Self {
            conv_in,
            down_blocks,
            mid_block: MidBlock::new(last, config, &weights.pp("mid_block"))?,
            conv_norm_out: GroupNorm::new(
                config.norm_num_groups,
                last,
                EPSILON,
                &weights.pp("conv_norm_out"),
            )?,
            conv_out: Conv2d::new(
                last,
                2 * config.latent_channels,
                3,
                1,
                1,
                &weights.pp("conv_out"),
            )?,
            latent_channels: config.latent_channels,
            shortcut: config.residual_resampling,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.conv_in.forward(x)?;
        for level in &self.down_blocks {
            x = level.forward(&x)?;
            if let Some(resize) = &level.resize {
                x = resize.forward(&x)?;
            }
        }
        let x = self.mid_block.forward(&x)?;
        let moments = self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)?;
        if !self.shortcut {
            return Ok(moments);
        }
        // The shortcut leads to the mean; it has nothing to say of the variance.
        let halves = moments.chunk(2, D::Minus1)?;
        let mean = (&halves[0] + averaged(&x, self.latent_channels)?)?;
        Tensor::cat(&[&mean, &halves[1]], D::Minus1)
    }
}

struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<Level>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    /// Channels that the latent's are repeated to, where a shortcut leads around the first convolution.
    shortcut: Option<usize>,
}

impl Decoder {
    fn new(config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let last = channels[channels.len() - 1];
        let folded = config.out_channels * config.patch_size * config.patch_size;
        let conv_in =
            Conv2d::new(config.latent_channels, channels[0], 3, 1, 1, &weights.pp("conv_in"))?;
        let mid_block = MidBlock::new(channels[0], config, &weights.pp("mid_block"))?;
        let mut up_blocks = Vec::new();
        for (index, output) in channels.iter().enumerate() {
            let weights = weights.pp("up_blocks").pp(index);
            let input = if config.residual_resampling { index } else { index.saturating_sub(1) };
            let input = channels[input];
            let mut level =
                Level::new(input, *output, config.layers_per_block + 1, config, &weights)?;
            if let Some(next) = channels.get(index + 1) {
                let weights = weights.pp("upsamplers.0.conv");
                level.resize =
                    Some(Resample::up(*output, *next, config.residual_resampling, &weights)?);
            }
            up_blocks.push(level);
        }
        Ok(Self {
            conv_in,
            mid_block,
            up_blocks,
            conv_norm_out: GroupNorm::new(
                config.norm_num_groups,
                last,
                EPSILON,
                &weights.pp("conv_norm_out"),
            )?,
            conv_out: Conv2d::new(last, folded, 3, 1, 1, &weights.pp("conv_out"))?,
            shortcut: config.residual_resampling.then_some(channels[0]),
        })
    }

    fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let mut x = self.conv_in.forward(z)?;
        if let Some(width) = self.shortcut {
            x = (x + repeated(z, width)?)?;
        }
        let mut x = self.mid_block.forward(&x)?;
        for level in &self.up_blocks {
            x = level.forward(&x)?;
            if let Some(resize) = &level.resize {
                x = resize.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)
    }
}

/// The autoencoder.
pub struct Vae {
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
    config: VaeConfig,
}

impl Vae {
    /// Builds the network from its weights.
    pub fn new(config: VaeConfig, weights: &Weights) -> Result<Self> {
        let latent = config.latent_channels;
        let point = |width, weights: &Weights| Conv2d::new(width, width, 1, 1, 0, weights);
        Ok(Self {
            encoder: Encoder::new(&config, &weights.pp("encoder"))?,
            quant_conv: config
                .use_quant_conv
                .then(|| point(2 * latent, &weights.pp("quant_conv")))
                .transpose()?,
            post_quant_conv: config
                .use_post_quant_conv
                .then(|| point(latent, &weights.pp("post_quant_conv")))
                .transpose()?,
            decoder: Decoder::new(&config, &weights.pp("decoder"))?,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Mean and log variance of the latent's distribution, `[batch, latent, h/c, w/c]` each, of
    /// images `[batch, channels, h, w]` between −1 and 1; not scaled.
    pub fn encode(&self, image: &Tensor) -> Result<(Tensor, Tensor)> {
        self.distribution(&self.moments(image)?)
    }

    /// As [`Self::encode`], tile by tile where a side is longer than in training: the memory does not
    /// grow with the image.
    pub fn encode_tiled(&self, image: &Tensor) -> Result<(Tensor, Tensor)> {
        let (side, unit) = self.tile();
        let tiles = Tiles { side, out_side: side / unit };
        let moments = tiles.each(image, &|tile| self.moments(tile))?;
        self.distribution(&moments)
    }

    /// Sides of a tile in pixels, and of what makes one latent value: whole ones go into a tile.
    fn tile(&self) -> (usize, usize) {
        let unit = self.config.compression();
        (self.config.sample_size.next_multiple_of(unit), unit)
    }

    /// Images between about −1 and 1 of unscaled latents.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let latent = to_map(latent)?;
        let y = match &self.post_quant_conv {
            Some(conv) => self.decoder.forward(&conv.forward(&latent)?)?,
            None => self.decoder.forward(&latent)?,
        };
        to_planes(&channels_to_space(&y, self.config.patch_size)?)
    }

    /// As [`Self::decode`], tile by tile where a side is longer than in training.
    pub fn decode_tiled(&self, latent: &Tensor) -> Result<Tensor> {
        let (side, unit) = self.tile();
        Tiles { side: side / unit, out_side: side }.each(latent, &|tile| self.decode(tile))
    }

    /// The latent that diffusion sees of one that the encoder gave.
    ///
    /// As in the pipelines of Stable Diffusion, a `shift_factor` counts for nothing: it is other models'.
    pub fn scaled(&self, latent: &Tensor) -> Result<Tensor> {
        let factor = self.config.scaling_factor;
        match self.spread(latent)? {
            Some((mean, deviation)) => {
                latent.broadcast_sub(&mean)?.broadcast_div(&deviation)? * factor
            }
            None => latent * factor,
        }
    }

    /// The inverse of [`Self::scaled`].
    pub fn unscaled(&self, latent: &Tensor) -> Result<Tensor> {
        let scaled = (latent / self.config.scaling_factor)?;
        match self.spread(latent)? {
            Some((mean, deviation)) => scaled.broadcast_mul(&deviation)?.broadcast_add(&mean),
            None => Ok(scaled),
        }
    }

    /// Mean and deviation of the latent's channels, where the file has both.
    fn spread(&self, latent: &Tensor) -> Result<Option<(Tensor, Tensor)>> {
        let (Some(mean), Some(deviation)) = (&self.config.latents_mean, &self.config.latents_std)
        else {
            return Ok(None);
        };
        let of = |values: &[f64]| {
            Tensor::new(values, latent.device())?.to_dtype(latent.dtype())?.reshape((
                1,
                values.len(),
                1,
                1,
            ))
        };
        Ok(Some((of(mean)?, of(deviation)?)))
    }

    fn moments(&self, image: &Tensor) -> Result<Tensor> {
        let image = space_to_channels(&to_map(image)?, self.config.patch_size)?;
        let moments = self.encoder.forward(&image)?;
        match &self.quant_conv {
            Some(conv) => to_planes(&conv.forward(&moments)?),
            None => to_planes(&moments),
        }
    }

    fn distribution(&self, moments: &Tensor) -> Result<(Tensor, Tensor)> {
        let latent = self.config.latent_channels;
        Ok((
            moments.narrow(1, 0, latent)?,
            moments.narrow(1, latent, latent)?.clamp(-30f32, 20f32)?,
        ))
    }
}
