//! The denoising network, in the layout of diffusers' `UNet2DConditionModel`
//! (Rombach et al., arXiv 2112.10752).

use candle_core::{DType, Result, Tensor, bail};

use super::transformer::{Context, Transformer};
use super::unet_blocks::{Bottom, Converted, Level, UnetInput, WayDown};
use super::unet_config::UnetConfig;
use crate::nn::{Conv2d, GroupNorm, Tape, Weights, to_planes, upsample_nearest};

/// The denoising network.
pub struct Unet {
    down: WayDown,
    up_blocks: Vec<Level>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UnetConfig,
    cross_attentions: Vec<CrossAttention>,
    dtype: DType,
}

/// Sizes of a cross-attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossAttention {
    /// Width of a token of its context.
    pub context: usize,
    /// Width of a key and of a value: heads × width of a head.
    pub inner: usize,
}

impl Unet {
    /// Builds the network from its weights. Fresh weights predict zero.
    pub fn new(config: UnetConfig, weights: &Weights) -> Result<Self> {
        let (levels, first) = (config.block_out_channels.len(), config.block_out_channels[0]);
        let up_blocks = (0..levels)
            .map(|index| Self::up_block(&config, index, &weights.pp("up_blocks").pp(index)))
            .collect::<Result<_>>()?;
        let mut unet = Self {
            down: WayDown::new(&config, weights)?,
            up_blocks,
            conv_norm_out: GroupNorm::new(
                config.norm_num_groups,
                first,
                config.norm_eps,
                &weights.pp("conv_norm_out"),
            )?,
            conv_out: Conv2d::zeroed(
                first,
                config.out_channels,
                config.options.conv_out_kernel.unwrap_or(3),
                &weights.pp("conv_out"),
            )?,
            config,
            cross_attentions: Vec::new(),
            dtype: weights.dtype(),
        };
        unet.number();
        Ok(unet)
    }

    /// Numbers the cross-attentions as diffusers does: down, up, and the middle last.
    fn number(&mut self) {
        let (mut all, middle) = self.down.transformers();
        all.extend(self.up_blocks.iter_mut().flat_map(|level| &mut level.attentions));
        all.extend(middle);
        let mut next = 0;
        for transformer in all {
            transformer.number(&mut next);
            let sizes = transformer.sizes();
            let attention = CrossAttention { context: sizes.context, inner: sizes.inner };
            self.cross_attentions.extend(vec![attention; sizes.layers]);
        }
    }

    fn up_block(config: &UnetConfig, index: usize, weights: &Weights) -> Result<Level> {
        let channels = &config.block_out_channels;
        let level = channels.len() - 1 - index;
        let output = channels[level];
        let before = channels[(level + 1).min(channels.len() - 1)];
        let mut block = Level { resnets: Vec::new(), attentions: Vec::new(), resize: None };
        let layers = config.layers_per_block.at(level);
        for layer in 0..=layers {
            let input = if layer == 0 { before } else { output };
            // The last skip of a level comes from the level above.
            let skip = if layer == layers { channels[level.saturating_sub(1)] } else { output };
            let resnet = config.resnet(input + skip, output, &weights.pp("resnets").pp(layer))?;
            block.resnets.push(resnet);
            if config.up_block_types[index] == "CrossAttnUpBlock2D" {
                let weights = weights.pp("attentions").pp(layer);
                let sizes = config.sizes_on_the_way_up(level, layer);
                block.attentions.push(Transformer::new(sizes, &weights)?);
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

    /// The cross-attentions in the order in which image prompts come to them, diffusers': on the way down, on
    /// the way up, and the middle last.
    pub fn cross_attentions(&self) -> &[CrossAttention] {
        &self.cross_attentions
    }

    /// Predicts from `sample` `[batch, in, h, w]` at `timesteps` (one a sample) under `context`
    /// `[batch, tokens, width]`; the answer has `out` channels.
    pub fn forward(&self, sample: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor> {
        self.predict(&UnetInput::new(sample, timesteps, context))
    }

    /// Predicts `[batch, out, h, w]` in the sample's number type, with all that a question may hold.
    ///
    /// # Errors
    /// Where something is missing that the network needs, or does not fit it.
    pub fn predict(&self, input: &UnetInput) -> Result<Tensor> {
        self.predict_on(input, None)
    }

    /// As [`Self::predict`], with every block a piece of the `tape` where there is one: their intermediates are
    /// let go, and computed once more for the gradient. Nothing that is kept of the text takes part then.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn predict_on<'a>(&'a self, input: &UnetInput, tape: Option<&Tape<'a>>) -> Result<Tensor> {
        Ok(self.predict_and_see(input, None, tape)?.0)
    }

    /// As [`Self::predict_on`]; and the map `[batch, h, w, channels]` that the block `seen` gives: 0 is the
    /// middle one, *n* the *n*-th on the way up. None where there is no such block or none is asked for.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn predict_and_see<'a>(
        &'a self,
        input: &UnetInput,
        seen: Option<usize>,
        tape: Option<&Tape<'a>>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let converted = Converted::new(input, self.dtype)?;
        let (prediction, map) = self.compute(&converted.of(input), seen, tape)?;
        Ok((prediction.to_dtype(input.sample.dtype())?, map))
    }

    fn compute<'a>(
        &'a self,
        input: &UnetInput,
        wanted: Option<usize>,
        tape: Option<&Tape<'a>>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        if let Some(images) = input.images
            && images.len() != self.cross_attentions.len()
        {
            bail!(
                "image prompts for {} cross-attentions, and the network has {}",
                images.len(),
                self.cross_attentions.len()
            );
        }
        let Bottom { mut x, mut skips, time, text } =
            self.down.forward(&self.config, input, None, tape)?;
        if let Some(residuals) = input.residuals {
            if residuals.down.len() != skips.len() {
                bail!(
                    "the ControlNet has {} outputs for {} skip connections: it is for another network",
                    residuals.down.len(),
                    skips.len()
                );
            }
            for (skip, residual) in skips.iter_mut().zip(&residuals.down) {
                *skip = skip.broadcast_add(residual)?;
            }
            x = x.broadcast_add(&residuals.mid)?;
        }
        let mut map = (wanted == Some(0)).then(|| x.clone());
        let seen = Context { text: &text, ..input.seen() };
        for (number, block) in self.up_blocks.iter().enumerate() {
            for layer in 0..block.resnets.len() {
                let Some(skip) = skips.pop() else {
                    bail!("the way up has more layers than the way down");
                };
                x = block.layer(layer, &[&x, &skip], &time, seen, tape)?;
            }
            if let Some(resize) = &block.resize {
                // The next skip knows the size: an odd map was rounded up on the way down.
                let (height, width) = match skips.last() {
                    Some(skip) => (skip.dim(1)?, skip.dim(2)?),
                    None => (2 * x.dim(1)?, 2 * x.dim(2)?),
                };
                x = Tape::run(tape, &[&x], move |x| {
                    resize.forward(&upsample_nearest(&x[0], height, width)?)
                })?;
            }
            if wanted == Some(number + 1) {
                map = Some(x.clone());
            }
        }
        let planes = Tape::run(tape, &[&x], move |x| {
            to_planes(&self.conv_out.forward(&self.conv_norm_out.forward_silu(&x[0])?)?)
        })?;
        Ok((planes, map))
    }
}
