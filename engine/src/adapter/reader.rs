//! Keys and values of tokens that a cross-attention sees beside the text (Ye et al., arXiv 2308.06721).

use candle_core::{Result, Tensor};

use crate::nn::{Linear, Weights};

/// What makes keys and values of tokens for one cross-attention.
pub(super) struct Reader {
    keys: Linear,
    values: Linear,
}

impl Reader {
    /// For tokens `width` wide and an attention `inner` wide, from the layers of these two names.
    pub(super) fn new(
        width: usize,
        inner: usize,
        [keys, values]: [&str; 2],
        weights: &Weights,
    ) -> Result<Self> {
        let linear = |name: &str| Linear::without_bias(width, inner, &weights.pp(name));
        Ok(Self { keys: linear(keys)?, values: linear(values)? })
    }

    /// Keys and values `[batch, tokens, inner]` of `tokens` `[batch, tokens, width]`.
    pub(super) fn read(&self, tokens: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.keys.forward(tokens)?, self.values.forward(tokens)?))
    }
}
