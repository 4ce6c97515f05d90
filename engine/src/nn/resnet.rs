//! The residual block of UNet and VAE.

use candle_core::{D, Result, Tensor};

use super::conv::Conv2d;
use super::linear::Linear;
use super::norm::GroupNorm;
use super::weights::Weights;
use crate::kernel::silu;

/// Two convolutions around a skip connection, shifted by the time embedding where there is one.
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    /// `time` is the width of the time embedding, absent in a VAE.
    pub fn new(
        input: usize,
        output: usize,
        time: Option<usize>,
        groups: usize,
        epsilon: f64,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            norm1: GroupNorm::new(groups, input, epsilon, &weights.pp("norm1"))?,
            conv1: Conv2d::new(input, output, 3, 1, 1, &weights.pp("conv1"))?,
            time_emb_proj: time
                .map(|time| Linear::new(time, output, &weights.pp("time_emb_proj")))
                .transpose()?,
            norm2: GroupNorm::new(groups, output, epsilon, &weights.pp("norm2"))?,
            conv2: Conv2d::new(output, output, 3, 1, 1, &weights.pp("conv2"))?,
            conv_shortcut: (input != output)
                .then(|| Conv2d::new(input, output, 1, 1, 0, &weights.pp("conv_shortcut")))
                .transpose()?,
        })
    }

    /// `x` `[batch, in, h, w]` and `time` `[batch, time width]` to `[batch, out, h, w]`.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let mut y = self.conv1.forward(&self.norm1.forward_silu(x)?)?;
        if let (Some(project), Some(time)) = (&self.time_emb_proj, time) {
            let shift = project.forward(&silu(time)?)?;
            y = y.broadcast_add(&shift.unsqueeze(D::Minus1)?.unsqueeze(D::Minus1)?)?;
        }
        let y = self.conv2.forward(&self.norm2.forward_silu(&y)?)?;
        match &self.conv_shortcut {
            Some(shortcut) => shortcut.forward(x)? + y,
            None => x + y,
        }
    }
}
