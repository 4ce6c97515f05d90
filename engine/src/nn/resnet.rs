//! The residual block of UNet and VAE.

use candle_core::{D, Result, Tensor};

use super::conv::Conv2d;
use super::linear::Linear;
use super::norm::GroupNorm;
use super::weights::Weights;
use crate::kernel::{add, add_channels, silu};

/// How the time embedding enters a block, with the embedding's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeShift {
    /// It is added before the second norm.
    Shift(usize),
    /// It scales and shifts what the second norm gives (Dhariwal and Nichol, arXiv 2105.05233, section 3.1).
    ScaleAndShift(usize),
}

/// Two convolutions around a skip connection, shifted by the time embedding where there is one.
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    scales: bool,
}

impl ResnetBlock {
    /// `time` is absent in a VAE.
    pub fn new(
        input: usize,
        output: usize,
        time: Option<TimeShift>,
        groups: usize,
        epsilon: f64,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            norm1: GroupNorm::new(groups, input, epsilon, &weights.pp("norm1"))?,
            conv1: Conv2d::new(input, output, 3, 1, 1, &weights.pp("conv1"))?,
            time_emb_proj: time
                .map(|time| {
                    let (width, output) = match time {
                        TimeShift::Shift(width) => (width, output),
                        TimeShift::ScaleAndShift(width) => (width, 2 * output),
                    };
                    Linear::new(width, output, &weights.pp("time_emb_proj"))
                })
                .transpose()?,
            norm2: GroupNorm::new(groups, output, epsilon, &weights.pp("norm2"))?,
            conv2: Conv2d::new(output, output, 3, 1, 1, &weights.pp("conv2"))?,
            conv_shortcut: (input != output)
                .then(|| Conv2d::new(input, output, 1, 1, 0, &weights.pp("conv_shortcut")))
                .transpose()?,
            scales: matches!(time, Some(TimeShift::ScaleAndShift(_))),
        })
    }

    /// `x` `[batch, h, w, in]` and `time` `[batch, time width]` to `[batch, h, w, out]`.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let y = self.conv1.forward(&self.norm1.forward_silu(x)?)?;
        let shift = match (&self.time_emb_proj, time) {
            (Some(project), Some(time)) => Some(project.forward(&silu(time)?)?),
            _ => None,
        };
        let y = match shift {
            Some(both) if self.scales => {
                let both = both.unsqueeze(1)?.unsqueeze(1)?;
                let halves = both.chunk(2, D::Minus1)?;
                let y = self.norm2.forward(&y)?;
                silu(&y.broadcast_mul(&(&halves[0] + 1.0)?)?.broadcast_add(&halves[1])?)?
            }
            Some(shift) => self.norm2.forward_silu(&add_channels(&y, &shift)?)?,
            None => self.norm2.forward_silu(&y)?,
        };
        let y = self.conv2.forward(&y)?;
        match &self.conv_shortcut {
            Some(shortcut) => add(&shortcut.forward(x)?, &y),
            None => add(x, &y),
        }
    }
}
