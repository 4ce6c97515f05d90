//! DDIM (Song et al., arXiv 2010.02502), without added noise.

use candle_core::{Result, Tensor};

use super::schedule::{Prediction, Schedule};

/// A deterministic sampler.
#[derive(Debug, Clone)]
pub struct Ddim {
    schedule: Schedule,
    timesteps: Vec<usize>,
    stride: usize,
}

impl Ddim {
    /// A sampling in `steps` steps.
    pub fn new(schedule: Schedule, steps: usize) -> Self {
        let timesteps = schedule.timesteps(steps);
        let stride = schedule.len() / timesteps.len();
        Self { schedule, timesteps, stride }
    }

    /// The timesteps in the order that they are visited.
    pub fn timesteps(&self) -> &[usize] {
        &self.timesteps
    }

    /// `clean` `[1, …]` under `noise`, as a sampling has it that begins at step `index`.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.schedule.add_noise(clean, noise, &[self.timesteps[index]])
    }

    /// The clean sample and the noise that the network's `prediction` at step `index` speaks of.
    fn parts(
        &self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let alpha = self.schedule.alpha_cumprod(self.timesteps[index]);
        let (signal, scale) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let (clean, noise) = match self.schedule.config().prediction_type {
            Prediction::Epsilon => {
                (((sample - (prediction * scale)?)? / signal)?, prediction.clone())
            }
            Prediction::Sample => {
                (prediction.clone(), ((sample - (prediction * signal)?)? / scale)?)
            }
            Prediction::VPrediction => (
                ((sample * signal)? - (prediction * scale)?)?,
                ((prediction * signal)? + (sample * scale)?)?,
            ),
        };
        let clean =
            if self.schedule.config().clip_sample { clean.clamp(-1f32, 1f32)? } else { clean };
        Ok((clean, noise))
    }

    /// The picture so far: the clean sample that the network sees at step `index`, `[batch, …]`.
    pub fn clean(&self, prediction: &Tensor, index: usize, sample: &Tensor) -> Result<Tensor> {
        Ok(self.parts(prediction, index, sample)?.0)
    }

    /// One step: `sample` at step `index` of the visit, with the network's `prediction`, both
    /// `[batch, …]`, to the sample at the next.
    pub fn step(&self, prediction: &Tensor, index: usize, sample: &Tensor) -> Result<Tensor> {
        let previous = match self.timesteps[index].checked_sub(self.stride) {
            Some(previous) => self.schedule.alpha_cumprod(previous),
            None => self.schedule.final_alpha_cumprod(),
        };
        let (clean, noise) = self.parts(prediction, index, sample)?;
        (clean * previous.sqrt())? + (noise * (1.0 - previous).sqrt())?
    }
}
