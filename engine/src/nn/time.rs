//! The embedding of diffusion time.

use candle_core::{DType, Device, Result, Tensor};

use super::linear::Linear;
use super::weights::Weights;
use crate::kernel::silu;

/// Sines and cosines of `timesteps`, `[batch]` to `[batch, width]` (Ho et al., arXiv 2006.11239).
///
/// `flip_sin_to_cos` puts the cosines first, and `shift` is taken from the number of frequencies,
/// both as in diffusers' `get_timestep_embedding`.
pub fn timestep_embedding(
    timesteps: &[f64],
    width: usize,
    flip_sin_to_cos: bool,
    shift: f64,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let half = width / 2;
    let mut values = Vec::with_capacity(timesteps.len() * width);
    // In single precision, as networks learned it: at a thousand, an angle's last bits are seen.
    let gap = (half as f64 - shift) as f32;
    let frequency = |i: usize| (-(10_000f64.ln()) as f32 * i as f32 / gap).exp();
    for time in timesteps {
        let angle = |i: usize| *time as f32 * frequency(i);
        let sines = (0..half).map(|i| angle(i).sin());
        let cosines = (0..half).map(|i| angle(i).cos());
        if flip_sin_to_cos {
            values.extend(cosines.chain(sines));
        } else {
            values.extend(sines.chain(cosines));
        }
        if width % 2 == 1 {
            values.push(0.0);
        }
    }
    Tensor::from_vec(values, (timesteps.len(), width), device)?.to_dtype(dtype)
}

/// Two linear layers with SiLU between.
pub struct TimestepEmbedding {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimestepEmbedding {
    /// From `input` to `width`.
    pub fn new(input: usize, width: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            linear_1: Linear::new(input, width, &weights.pp("linear_1"))?,
            linear_2: Linear::new(width, width, &weights.pp("linear_2"))?,
        })
    }

    /// `[batch, input]` to `[batch, width]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = silu(&self.linear_1.forward(x)?)?;
        self.linear_2.forward(&hidden)
    }
}
