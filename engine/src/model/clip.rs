//! A layer of CLIP's transformers, the same in its text and its image encoder (Radford et al.,
//! arXiv 2103.00020).

use candle_core::{Result, Tensor, bail};

use crate::nn::{LayerNorm, Linear, Weights, attend};

/// The function between the two halves of the feed-forward part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// x · sigmoid(1.702 x), OpenAI's.
    QuickGelu,
    /// The exact Gaussian error linear unit, OpenCLIP's.
    Gelu,
}

impl Activation {
    /// By the name that `hidden_act` gives it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "quick_gelu" => Some(Self::QuickGelu),
            "gelu" => Some(Self::Gelu),
            _ => None,
        }
    }

    fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Gelu => x.gelu_erf(),
        }
    }
}

/// Sizes of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerSizes {
    /// Width of a token.
    pub(super) width: usize,
    /// Width inside the feed-forward part.
    pub(super) inner: usize,
    /// Heads of the attention.
    pub(super) heads: usize,
    /// Keeps the norms finite.
    pub(super) epsilon: f64,
    /// Inside the feed-forward part.
    pub(super) activation: Activation,
}

/// Self-attention and feed-forward, each behind a norm and beside a way past it.
#[expect(clippy::struct_field_names, reason = "the names of the checkpoint")]
pub(super) struct Layer {
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    sizes: LayerSizes,
}

impl Layer {
    /// `encoder.layers.{index}` of a checkpoint.
    pub(super) fn new(sizes: LayerSizes, weights: &Weights) -> Result<Self> {
        let LayerSizes { width, inner, epsilon, .. } = sizes;
        if sizes.heads == 0 || !width.is_multiple_of(sizes.heads) {
            bail!("{} heads do not divide a width of {width}", sizes.heads);
        }
        let (attention, mlp) = (weights.pp("self_attn"), weights.pp("mlp"));
        Ok(Self {
            layer_norm1: LayerNorm::new(width, epsilon, &weights.pp("layer_norm1"))?,
            q_proj: Linear::new(width, width, &attention.pp("q_proj"))?,
            k_proj: Linear::new(width, width, &attention.pp("k_proj"))?,
            v_proj: Linear::new(width, width, &attention.pp("v_proj"))?,
            out_proj: Linear::new(width, width, &attention.pp("out_proj"))?,
            layer_norm2: LayerNorm::new(width, epsilon, &weights.pp("layer_norm2"))?,
            fc1: Linear::new(width, inner, &mlp.pp("fc1"))?,
            fc2: Linear::new(inner, width, &mlp.pp("fc2"))?,
            sizes,
        })
    }

    /// `x` `[batch, tokens, width]`, same shape, with `mask` `[tokens, tokens]` added to the scores.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let y = self.layer_norm1.forward(x)?;
        let (q, k, v) =
            (self.q_proj.forward(&y)?, self.k_proj.forward(&y)?, self.v_proj.forward(&y)?);
        let y = attend(&q, &k, &v, self.sizes.heads, mask)?;
        let x = (x + self.out_proj.forward(&y)?)?;
        let y = self.fc1.forward(&self.layer_norm2.forward(&x)?)?;
        x + self.fc2.forward(&self.sizes.activation.forward(&y)?)?
    }
}
