//! What the UNet and the ControlNet share: what a call holds, the levels, and the way down.

use candle_core::{DType, Result, Tensor, bail};

use super::class_embedding::ClassEmbedding;
use super::transformer::{Context, Transformer};
use super::unet_config::UnetConfig;
use crate::nn::{
    Conv2d, ImageContext, Kept, Linear, ResnetBlock, Tape, TimestepEmbedding, Weights, add,
    timestep_embedding, to_map,
};

/// The pooled text and the sizes that Stable Diffusion XL is told (Podell et al., arXiv 2307.01952).
#[derive(Debug, Clone, Copy)]
pub struct Added<'a> {
    /// `[batch, projection width]`
    pub text_embeds: &'a Tensor,
    /// `[batch, 6]`: original height and width, crop from the top and the left, target height and width.
    pub time_ids: &'a Tensor,
}

/// What a ControlNet adds to a UNet: maps `[batch, h, w, channels]`, or of one pixel where they are averaged.
#[derive(Debug, Clone)]
pub struct Residuals {
    /// One for every skip connection, from the image down.
    pub down: Vec<Tensor>,
    /// After the middle block.
    pub mid: Tensor,
}

impl Residuals {
    /// `factor` times as much.
    pub fn scaled(&self, factor: f64) -> Result<Self> {
        Ok(Self {
            down: self.down.iter().map(|one| one * factor).collect::<Result<_>>()?,
            mid: (&self.mid * factor)?,
        })
    }

    /// `factor` times as much in the middle, and ever less towards the image, down to a tenth: so that the
    /// shallow layers follow the condition less than the deep ones (diffusers' guess mode).
    pub fn graded(&self, factor: f64) -> Result<Self> {
        let levels = self.down.len();
        let share = |level: usize| 10f64.powf(level as f64 / levels.max(1) as f64 - 1.0);
        let down = self.down.iter().enumerate().map(|(level, one)| one * (factor * share(level)));
        Ok(Self { down: down.collect::<Result<_>>()?, mid: (&self.mid * factor)? })
    }

    /// The same for a batch of twice as many, of which the first half gets nothing.
    pub fn for_the_second(&self) -> Result<Self> {
        let behind = |one: &Tensor| Tensor::cat(&[&one.zeros_like()?, one], 0);
        Ok(Self {
            down: self.down.iter().map(behind).collect::<Result<_>>()?,
            mid: behind(&self.mid)?,
        })
    }

    /// Both together.
    ///
    /// # Errors
    /// Where they are of networks of different forms.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        if self.down.len() != other.down.len() {
            bail!(
                "ControlNets of {} and {} levels do not add up",
                self.down.len(),
                other.down.len()
            );
        }
        let down = self.down.iter().zip(&other.down).map(|(one, other)| one + other);
        Ok(Self { down: down.collect::<Result<_>>()?, mid: (&self.mid + &other.mid)? })
    }
}

/// What a network is asked.
#[derive(Debug, Clone, Copy)]
pub struct UnetInput<'a> {
    /// The noisy latent `[batch, in, h, w]`.
    pub sample: &'a Tensor,
    /// One a sample.
    pub timesteps: &'a [f64],
    /// The embedded text `[batch, tokens, width]`.
    pub context: &'a Tensor,
    /// What Stable Diffusion XL is told besides.
    pub added: Option<Added<'a>>,
    /// What the network is told of a class: `[batch]` numbers, or `[batch, width]` vectors.
    pub classes: Option<&'a Tensor>,
    /// The embedded guidance scale `[batch, width]`, for a network that was taught it.
    pub guidance: Option<&'a Tensor>,
    /// What ControlNets add.
    pub residuals: Option<&'a Residuals>,
    /// What T2I-Adapters add, a map `[batch, h, w, channels]` a level.
    pub features: Option<&'a [Tensor]>,
    /// What image prompts show, for each cross-attention in the order of
    /// [`Unet::cross_attentions`](super::Unet::cross_attentions).
    pub images: Option<&'a [Vec<ImageContext>]>,
    /// What layers made of `context` when they were asked before, such as keys and values; what is of another
    /// tensor takes no part.
    pub kept: Option<&'a Kept>,
}

impl<'a> UnetInput<'a> {
    /// A question without additions.
    pub fn new(sample: &'a Tensor, timesteps: &'a [f64], context: &'a Tensor) -> Self {
        Self {
            sample,
            timesteps,
            context,
            added: None,
            classes: None,
            guidance: None,
            residuals: None,
            features: None,
            images: None,
            kept: None,
        }
    }

    /// What the cross-attentions see.
    pub(super) fn seen(&self) -> Context<'a> {
        Context { text: self.context, images: self.images.unwrap_or_default(), kept: self.kept }
    }
}

/// What a question holds, in the number type that a network computes in.
pub(super) struct Converted {
    sample: Tensor,
    context: Tensor,
    text_embeds: Option<Tensor>,
    classes: Option<Tensor>,
    guidance: Option<Tensor>,
    residuals: Option<Residuals>,
    features: Option<Vec<Tensor>>,
}

impl Converted {
    pub(super) fn new(input: &UnetInput, dtype: DType) -> Result<Self> {
        let one = |x: &Tensor| x.to_dtype(dtype);
        let all = |of: &[Tensor]| of.iter().map(one).collect::<Result<Vec<_>>>();
        let residuals = |of: &Residuals| -> Result<Residuals> {
            Ok(Residuals { down: all(&of.down)?, mid: one(&of.mid)? })
        };
        // A class by its number is counted, not computed with.
        let class = |x: &Tensor| if x.rank() == 2 { one(x) } else { Ok(x.clone()) };
        Ok(Self {
            sample: one(input.sample)?,
            context: one(input.context)?,
            text_embeds: input.added.map(|added| one(added.text_embeds)).transpose()?,
            classes: input.classes.map(class).transpose()?,
            guidance: input.guidance.map(one).transpose()?,
            residuals: input.residuals.map(residuals).transpose()?,
            features: input.features.map(all).transpose()?,
        })
    }

    /// `input` with what it holds converted. Sizes stay as they are until they are embedded, and what image
    /// prompts show until it is attended to.
    pub(super) fn of<'a>(&'a self, input: &UnetInput<'a>) -> UnetInput<'a> {
        let added = input.added.zip(self.text_embeds.as_ref());
        UnetInput {
            sample: &self.sample,
            context: &self.context,
            added: added.map(|(added, text_embeds)| Added { text_embeds, ..added }),
            classes: self.classes.as_ref(),
            guidance: self.guidance.as_ref(),
            residuals: self.residuals.as_ref(),
            features: self.features.as_deref(),
            kept: input.kept.filter(|kept| kept.is_of(input.context)),
            ..*input
        }
    }
}

/// One level, on the way down or up.
pub(super) struct Level {
    pub(super) resnets: Vec<ResnetBlock>,
    pub(super) attentions: Vec<Transformer>,
    pub(super) resize: Option<Conv2d>,
}

impl Level {
    /// `parts` lie beside each other in the channels of what the layer takes.
    pub(super) fn layer<'a>(
        &'a self,
        index: usize,
        parts: &[&Tensor],
        time: &Tensor,
        context: Context,
        tape: Option<&Tape<'a>>,
    ) -> Result<Tensor> {
        let x = resnet(&self.resnets[index], parts, time, tape)?;
        match self.attentions.get(index) {
            Some(attention) => attention.forward_on(&x, context, tape),
            None => Ok(x),
        }
    }
}

/// What `block` answers to `parts`, which lie beside each other in its channels; a piece of the tape.
fn resnet<'a>(
    block: &'a ResnetBlock,
    parts: &[&Tensor],
    time: &Tensor,
    tape: Option<&Tape<'a>>,
) -> Result<Tensor> {
    Tape::run(tape, &[&[time][..], parts].concat(), move |inputs| match inputs {
        [time, x] => block.forward(x, Some(time)),
        [time, parts @ ..] => block.forward(&Tensor::cat(parts, 3)?, Some(time)),
        [] => bail!("a residual block without inputs"),
    })
}

struct MidBlock {
    first: ResnetBlock,
    /// Distilled networks have done without.
    rest: Option<(Transformer, ResnetBlock)>,
}

impl MidBlock {
    fn new(config: &UnetConfig, weights: &Weights) -> Result<Self> {
        let channels = config.block_out_channels[config.block_out_channels.len() - 1];
        let rest = if config.mid_block_type.as_deref() == Some("UNetMidBlock2D") {
            None
        } else {
            let sizes = config.sizes_in_the_middle();
            let attention = Transformer::new(sizes, &weights.pp("attentions.0"))?;
            Some((attention, config.resnet(channels, channels, &weights.pp("resnets.1"))?))
        };
        Ok(Self { first: config.resnet(channels, channels, &weights.pp("resnets.0"))?, rest })
    }

    fn forward<'a>(
        &'a self,
        x: &Tensor,
        time: &Tensor,
        context: Context,
        tape: Option<&Tape<'a>>,
    ) -> Result<Tensor> {
        let x = resnet(&self.first, &[x], time, tape)?;
        match &self.rest {
            Some((attention, second)) => {
                resnet(second, &[&attention.forward_on(&x, context, tape)?], time, tape)
            }
            None => Ok(x),
        }
    }
}

/// From the noisy latent to the middle: a UNet's first half, and a ControlNet's copy of it.
pub(super) struct WayDown {
    conv_in: Conv2d,
    time_embedding: TimestepEmbedding,
    /// From the embedded guidance scale to what the time embedding begins with.
    cond_proj: Option<Linear>,
    add_embedding: Option<TimestepEmbedding>,
    class_embedding: Option<ClassEmbedding>,
    /// From the text's own width to the one that is attended to.
    encoder_hid_proj: Option<Linear>,
    down_blocks: Vec<Level>,
    mid_block: Option<MidBlock>,
}

/// Where the way down has led.
pub(super) struct Bottom {
    pub(super) x: Tensor,
    /// From the image down.
    pub(super) skips: Vec<Tensor>,
    pub(super) time: Tensor,
    /// The text as it is attended to.
    pub(super) text: Tensor,
}

impl WayDown {
    pub(super) fn new(config: &UnetConfig, weights: &Weights) -> Result<Self> {
        let (first, time_width) = (config.block_out_channels[0], config.time_width());
        let time = weights.pp("time_embedding");
        let add_embedding = match config.projection_class_embeddings_input_dim {
            Some(width) if config.adds_text_and_sizes() => {
                Some(TimestepEmbedding::new(width, time_width, &weights.pp("add_embedding"))?)
            }
            _ => None,
        };
        let kernel = config.options.conv_in_kernel.unwrap_or(3);
        let attended = config.attended_width();
        Ok(Self {
            conv_in: Conv2d::new(
                config.in_channels,
                first,
                kernel,
                1,
                kernel / 2,
                &weights.pp("conv_in"),
            )?,
            time_embedding: TimestepEmbedding::new(first, time_width, &time)?,
            cond_proj: config
                .time_cond_proj_dim
                .map(|width| Linear::without_bias(width, first, &time.pp("cond_proj")))
                .transpose()?,
            add_embedding,
            class_embedding: ClassEmbedding::new(config, &weights.pp("class_embedding"))?,
            encoder_hid_proj: config
                .options
                .encoder_hid_dim
                .map(|width| Linear::new(width, attended, &weights.pp("encoder_hid_proj")))
                .transpose()?,
            down_blocks: (0..config.block_out_channels.len())
                .map(|level| down_block(config, level, &weights.pp("down_blocks").pp(level)))
                .collect::<Result<_>>()?,
            mid_block: config
                .mid_block_type
                .is_some()
                .then(|| MidBlock::new(config, &weights.pp("mid_block")))
                .transpose()?,
        })
    }

    /// The transformers of the levels, and the middle block's.
    pub(super) fn transformers(&mut self) -> (Vec<&mut Transformer>, Option<&mut Transformer>) {
        let levels = self.down_blocks.iter_mut().flat_map(|level| &mut level.attentions);
        let middle = self.mid_block.as_mut().and_then(|block| block.rest.as_mut());
        (levels.collect(), middle.map(|(attention, _)| attention))
    }

    /// The time embedding `[batch, width]`, with what goes along with it.
    fn time(&self, config: &UnetConfig, input: &UnetInput) -> Result<Tensor> {
        let UnetInput { sample, timesteps, added, classes, guidance, .. } = *input;
        let batch = sample.dim(0)?;
        if batch != timesteps.len() {
            bail!("{} timesteps for a batch of {batch}", timesteps.len());
        }
        let embed = |values: &[f64], width: usize| {
            timestep_embedding(
                values,
                width,
                config.flip_sin_to_cos,
                config.freq_shift,
                sample.dtype(),
                sample.device(),
            )
        };
        let mut time = embed(timesteps, config.block_out_channels[0])?;
        match (&self.cond_proj, guidance) {
            (Some(project), Some(guidance)) => time = (time + project.forward(guidance)?)?,
            (None, Some(_)) => bail!("the network was not taught the guidance scale"),
            // As in diffusers, a network that was taught it does without where nothing is said of it.
            (_, None) => {}
        }
        let mut time = self.time_embedding.forward(&time)?;
        if let Some(embedding) = &self.class_embedding {
            let Some(classes) = classes else { bail!("the network needs class_labels") };
            let embed = |numbers: &[f64]| embed(numbers, config.block_out_channels[0]);
            time = (time + embedding.forward(classes, &embed)?)?;
        }
        let (Some(add_embedding), Some(each)) =
            (&self.add_embedding, config.addition_time_embed_dim)
        else {
            return Ok(time);
        };
        let Some(Added { text_embeds, time_ids }) = added else {
            bail!("the network needs text_embeds and time_ids (Stable Diffusion XL)");
        };
        let sizes: Vec<f32> =
            time_ids.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
        let sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
        let sizes = embed(&sizes, each)?.reshape((batch, sizes.len() / batch * each))?;
        let all = Tensor::cat(&[text_embeds, &sizes], 1)?;
        let (given, wanted) = (all.dim(1)?, config.projection_class_embeddings_input_dim);
        if Some(given) != wanted {
            bail!(
                "text_embeds and time_ids make {given} values, and \
                 projection_class_embeddings_input_dim is {}",
                wanted.unwrap_or(0)
            );
        }
        time + add_embedding.forward(&all)?
    }

    /// `hint` `[batch, h, w, first]` is what a ControlNet adds to the latent. Blocks are pieces of the `tape`.
    pub(super) fn forward<'a>(
        &'a self,
        config: &UnetConfig,
        input: &UnetInput,
        hint: Option<&Tensor>,
        tape: Option<&Tape<'a>>,
    ) -> Result<Bottom> {
        let time = self.time(config, input)?;
        let text = match &self.encoder_hid_proj {
            Some(project) => project.forward_once(input.context, input.kept)?,
            None => input.context.clone(),
        };
        let seen = Context { text: &text, ..input.seen() };
        let sample = to_map(input.sample)?;
        let mut x = if config.options.center_input_sample == Some(true) {
            self.conv_in.forward(&sample.affine(2.0, -1.0)?)?
        } else {
            self.conv_in.forward(&sample)?
        };
        if let Some(hint) = hint {
            x = add(&x, hint)?;
        }
        let mut skips = vec![x.clone()];
        let mut features = input.features.unwrap_or_default().iter();
        for block in &self.down_blocks {
            let last = block.resnets.len() - 1;
            for layer in 0..=last {
                x = block.layer(layer, &[&x], &time, seen, tape)?;
                // A level that attends takes its feature before it shrinks, one that does not after.
                if layer == last
                    && !block.attentions.is_empty()
                    && let Some(feature) = features.next()
                {
                    x = added_up(&x, feature)?;
                }
                skips.push(x.clone());
            }
            if let Some(resize) = &block.resize {
                x = Tape::run(tape, &[&x], move |x| resize.forward(&x[0]))?;
                skips.push(x.clone());
            }
            if block.attentions.is_empty()
                && let Some(feature) = features.next()
            {
                x = added_up(&x, feature)?;
                // diffusers adds in place: the skip connection has it too.
                if let Some(skip) = skips.last_mut() {
                    *skip = x.clone();
                }
            }
        }
        if let Some(mid_block) = &self.mid_block {
            x = mid_block.forward(&x, &time, seen, tape)?;
            if let Some(feature) = features.next()
                && feature.dims() == x.dims()
            {
                x = add(&x, feature)?;
            }
        }
        Ok(Bottom { x, skips, time, text })
    }
}

fn added_up(x: &Tensor, feature: &Tensor) -> Result<Tensor> {
    if x.dims()[1..] != feature.dims()[1..] {
        bail!(
            "the T2I-Adapter gives {:?} where the network has {:?}: it is for another network",
            feature.dims(),
            x.dims()
        );
    }
    x.broadcast_add(feature)
}

fn down_block(config: &UnetConfig, level: usize, weights: &Weights) -> Result<Level> {
    let output = config.block_out_channels[level];
    let before = config.block_out_channels[level.saturating_sub(1)];
    let mut block = Level { resnets: Vec::new(), attentions: Vec::new(), resize: None };
    for index in 0..config.layers_per_block.at(level) {
        let input = if index == 0 { before } else { output };
        block.resnets.push(config.resnet(input, output, &weights.pp("resnets").pp(index))?);
        if config.down_block_types[level] == "CrossAttnDownBlock2D" {
            let weights = weights.pp("attentions").pp(index);
            block.attentions.push(Transformer::new(config.sizes(level, index), &weights)?);
        }
    }
    if level + 1 < config.block_out_channels.len() {
        let weights = weights.pp("downsamplers.0.conv");
        block.resize = Some(Conv2d::new(output, output, 3, 2, 1, &weights)?);
    }
    Ok(block)
}
