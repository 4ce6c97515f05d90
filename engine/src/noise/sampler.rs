//! What every scheduler does in a sampling, and what they share in doing it.

use candle_core::{Result, Tensor};

use super::schedule::Prediction;
use super::source::NoiseSource;

/// A finished step.
#[derive(Debug, Clone)]
pub struct Stepped {
    /// The sample at the next step.
    pub sample: Tensor,
    /// The picture so far: the clean sample that the network speaks of.
    pub clean: Tensor,
}

/// One sampling. Steps are counted by the calls of the network; a sampling may begin later than at the
/// first, and then goes on without leaving one out.
pub trait Sampler: Send {
    /// The timestep of each call of the network, in order.
    fn timesteps(&self) -> &[f64];

    /// Calls of the network that make a step of the scheduler's.
    fn order(&self) -> usize {
        1
    }

    /// The spread of the noise that a sampling from noise begins with.
    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    /// What the network is shown of `sample` at step `index`.
    ///
    /// # Errors
    /// Where a computation fails.
    fn scale_model_input(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        let _ = index;
        Ok(sample.clone())
    }

    /// One step: `sample` at step `index`, with the network's `prediction`, to the sample at the next.
    ///
    /// # Errors
    /// Where a computation fails.
    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn NoiseSource,
    ) -> Result<Stepped>;

    /// `clean` under `noise`, as a sampling has it that begins at step `index`.
    ///
    /// # Errors
    /// Where a computation fails.
    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor>;
}

/// The sum of `factor × tensor`.
pub(super) fn sum(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for (factor, tensor) in terms {
        let term = (*tensor * *factor)?;
        total = Some(match total {
            None => term,
            Some(total) => (total + term)?,
        });
    }
    total.ok_or_else(|| candle_core::Error::msg("a sum of nothing"))
}

/// A quotient in the tensor's own precision: candle multiplies by the inverse where a number divides, and at
/// the noise of a zero-terminal schedule (σ of 4,096) its rounding is seen.
pub(super) fn quotient(tensor: &Tensor, divisor: f64) -> Result<Tensor> {
    tensor.broadcast_div(&Tensor::new(divisor, tensor.device())?.to_dtype(tensor.dtype())?)
}

/// What is left of `sample` = share · part + `unit` · rest. Where nothing is left, the rest is infinite or no
/// number, as in diffusers, and may still be cut off.
pub(super) fn rest(sample: &Tensor, share: f64, part: &Tensor, unit: f64) -> Result<Tensor> {
    quotient(&sum(&[(1.0, sample), (-share, part)])?, unit)
}

/// Clean sample and noise of what a network predicted for `sample` = signal · clean + scale · noise.
pub(super) fn parts(
    kind: Prediction,
    prediction: &Tensor,
    sample: &Tensor,
    signal: f64,
    scale: f64,
) -> Result<(Tensor, Tensor)> {
    match kind {
        Prediction::Epsilon => Ok((rest(sample, scale, prediction, signal)?, prediction.clone())),
        Prediction::Sample => Ok((prediction.clone(), rest(sample, signal, prediction, scale)?)),
        Prediction::VPrediction => Ok((
            sum(&[(signal, sample), (-scale, prediction)])?,
            sum(&[(signal, prediction), (scale, sample)])?,
        )),
        Prediction::Flow => Ok((
            quotient(&sum(&[(1.0, sample), (-scale, prediction)])?, signal + scale)?,
            quotient(&sum(&[(1.0, sample), (signal, prediction)])?, signal + scale)?,
        )),
    }
}
