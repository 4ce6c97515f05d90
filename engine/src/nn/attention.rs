//! Multi-head attention with the names that diffusers gives its weights.

use candle_core::{Result, Tensor};

use super::kept::Kept;
use super::linear::Linear;
use super::weights::Weights;
use crate::kernel::attention;

/// An image that a cross-attention sees beside its context, through keys and values of its own: decoupled
/// cross-attention (Ye et al., arXiv 2308.06721, section 3.2.2).
#[derive(Debug, Clone)]
pub struct ImageContext {
    /// `[batch, tokens, inner]`.
    pub keys: Tensor,
    /// `[batch, tokens, inner]`.
    pub values: Tensor,
    /// What is seen of the image is added to what is seen of the context this many times.
    pub scale: f64,
}

/// Attention from a query sequence to a context (Vaswani et al., arXiv 1706.03762).
pub struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
}

impl Attention {
    /// `width` of the query, `context` width of key and value, `inner` = heads × head width. `bias`
    /// says whether query, key and value have one.
    pub fn new(
        width: usize,
        context: usize,
        inner: usize,
        heads: usize,
        bias: bool,
        weights: &Weights,
    ) -> Result<Self> {
        let project = if bias { Linear::new } else { Linear::without_bias };
        Ok(Self {
            to_q: project(width, inner, &weights.pp("to_q"))?,
            to_k: project(context, inner, &weights.pp("to_k"))?,
            to_v: project(context, inner, &weights.pp("to_v"))?,
            to_out: Linear::new(inner, width, &weights.pp("to_out.0"))?,
            heads,
        })
    }

    /// `x` `[batch, n, width]` attends to `context` `[batch, m, context width]`, or to itself.
    pub fn forward(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        self.forward_with(x, context, &[], None)
    }

    /// As [`Self::forward`], with `images` beside the context, and with the context's keys and values of an
    /// earlier call where they are `kept`.
    pub fn forward_with(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        images: &[ImageContext],
        kept: Option<&Kept>,
    ) -> Result<Tensor> {
        // What is attended to in place of a context is another at every call.
        let kept = context.and(kept);
        let context = context.unwrap_or(x);
        let q = self.to_q.forward(x)?;
        let k = self.to_k.forward_once(context, kept)?;
        let v = self.to_v.forward_once(context, kept)?;
        let mut y = attention(&q, &k, &v, self.heads, None)?;
        for ImageContext { keys, values, scale } in images {
            let (keys, values) = (keys.to_dtype(q.dtype())?, values.to_dtype(q.dtype())?);
            y = (y + (attention(&q, &keys, &values, self.heads, None)? * *scale)?)?;
        }
        self.to_out.forward(&y)
    }
}
