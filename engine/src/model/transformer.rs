//! The transformer inside a UNet, in the layout of diffusers' `Transformer2DModel`.

use candle_core::{Result, Tensor};

use crate::nn::{
    Attention, Conv2d, GroupNorm, ImageContext, Kept, LayerNorm, Linear, Tape, Weights, add, geglu,
};

/// Sizes of a transformer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) channels: usize,
    pub(super) heads: usize,
    /// Width of a token: heads × width of a head.
    pub(super) inner: usize,
    pub(super) context: usize,
    pub(super) groups: usize,
    pub(super) linear: bool,
    /// The first attention of a block sees the text, too, and not its own sequence.
    pub(super) only_cross: bool,
    pub(super) layers: usize,
}

/// What a network's cross-attentions see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// `[batch, tokens, width]`.
    pub(super) text: &'a Tensor,
    /// For each cross-attention in the order of [`Transformer::number`]; none where no image goes along.
    pub(super) images: &'a [Vec<ImageContext>],
    /// What was made of the text before.
    pub(super) kept: Option<&'a Kept>,
}

struct FeedForward {
    project: Linear,
    out: Linear,
}

/// Self-attention, attention to the text, feed-forward.
struct Block {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
    /// Which cross-attention of its network it has.
    number: usize,
    only_cross: bool,
}

impl Block {
    fn new(sizes: Sizes, weights: &Weights) -> Result<Self> {
        let Sizes { inner, heads, context, only_cross, .. } = sizes;
        let norm = |name: &str| LayerNorm::new(inner, 1e-5, &weights.pp(name));
        let attention = |name: &str, context: usize| {
            Attention::new(inner, context, inner, heads, false, &weights.pp(name))
        };
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: attention("attn1", if only_cross { context } else { inner })?,
            norm2: norm("norm2")?,
            attn2: attention("attn2", context)?,
            norm3: norm("norm3")?,
            ff: FeedForward {
                project: Linear::new(inner, 8 * inner, &weights.pp("ff.net.0.proj"))?,
                out: Linear::new(4 * inner, inner, &weights.pp("ff.net.2"))?,
            },
            number: 0,
            only_cross,
        })
    }

    fn forward(&self, x: &Tensor, context: Context) -> Result<Tensor> {
        let first = self.only_cross.then_some(context.text);
        let y = self.norm1.forward(x)?;
        let x = add(&self.attn1.forward_with(&y, first, &[], context.kept)?, x)?;
        let images = context.images.get(self.number).map_or(&[][..], Vec::as_slice);
        let y = self.norm2.forward(&x)?;
        let x = add(&self.attn2.forward_with(&y, Some(context.text), images, context.kept)?, &x)?;
        let y = geglu(&self.ff.project.forward(&self.norm3.forward(&x)?)?)?;
        add(&self.ff.out.forward(&y)?, &x)
    }
}

/// The way into and out of the sequence: linear in Stable Diffusion 2, a 1 × 1 convolution in 1.
enum Projection {
    Linear(Linear),
    Conv(Conv2d),
}

impl Projection {
    fn new(input: usize, output: usize, linear: bool, weights: &Weights) -> Result<Self> {
        Ok(if linear {
            Self::Linear(Linear::new(input, output, weights)?)
        } else {
            Self::Conv(Conv2d::new(input, output, 1, 1, 0, weights)?)
        })
    }
}

/// A transformer over a feature map.
#[expect(clippy::struct_field_names, reason = "the names of the checkpoint")]
pub(super) struct Transformer {
    norm: GroupNorm,
    proj_in: Projection,
    transformer_blocks: Vec<Block>,
    proj_out: Projection,
    sizes: Sizes,
}

impl Transformer {
    pub(super) fn new(sizes: Sizes, weights: &Weights) -> Result<Self> {
        let Sizes { channels, inner, linear, .. } = sizes;
        Ok(Self {
            norm: GroupNorm::new(sizes.groups, channels, 1e-6, &weights.pp("norm"))?,
            proj_in: Projection::new(channels, inner, linear, &weights.pp("proj_in"))?,
            transformer_blocks: (0..sizes.layers)
                .map(|index| Block::new(sizes, &weights.pp("transformer_blocks").pp(index)))
                .collect::<Result<_>>()?,
            proj_out: Projection::new(inner, channels, linear, &weights.pp("proj_out"))?,
            sizes,
        })
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Numbers the cross-attentions from `next` on, and moves it behind the last.
    pub(super) fn number(&mut self, next: &mut usize) {
        for block in &mut self.transformer_blocks {
            block.number = *next;
            *next += 1;
        }
    }

    /// As [`Self::forward`], a piece of the `tape`.
    pub(super) fn forward_on<'a>(
        &'a self,
        x: &Tensor,
        context: Context,
        tape: Option<&Tape<'a>>,
    ) -> Result<Tensor> {
        let Some(tape) = tape else { return self.forward(x, context) };
        let images = context.images.to_vec();
        Tape::run(Some(tape), &[x, context.text], move |inputs| {
            // What is kept belongs to texts and weights that stay, and these are trained.
            let seen = Context { text: &inputs[1], images: &images, kept: None };
            self.forward(&inputs[0], seen)
        })
    }

    /// `x` `[batch, h, w, channels]`, same shape.
    fn forward(&self, x: &Tensor, context: Context) -> Result<Tensor> {
        let (batch, height, width, _) = x.dims4()?;
        let to_sequence = |y: &Tensor| y.reshape((batch, height * width, ()));
        let to_map = |y: &Tensor| y.reshape((batch, height, width, ()));
        let y = self.norm.forward(x)?;
        let mut y = match &self.proj_in {
            Projection::Linear(linear) => linear.forward(&to_sequence(&y)?)?,
            Projection::Conv(conv) => to_sequence(&conv.forward(&y)?)?,
        };
        for block in &self.transformer_blocks {
            y = block.forward(&y, context)?;
        }
        let y = match &self.proj_out {
            Projection::Linear(linear) => to_map(&linear.forward(&y)?)?,
            Projection::Conv(conv) => conv.forward(&to_map(&y)?)?,
        };
        add(&y, x)
    }
}
