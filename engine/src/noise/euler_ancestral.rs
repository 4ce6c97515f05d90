//! Euler's method that goes too far and adds noise (k-diffusion's `sample_euler_ancestral`; Song et al.,
//! arXiv 2011.13456).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::sampler::{Sampler, Stepped, sum};
use super::schedule::Prediction;
use super::sigmas::Sigmas;
use super::source::NoiseSource;

/// A sampler of first order that adds noise at every step.
pub(super) struct EulerAncestral(Sigmas);

impl EulerAncestral {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        if matches!(config.prediction, Prediction::Sample | Prediction::Flow) {
            return Err("prediction_type: must be epsilon or v_prediction".into());
        }
        Sigmas::plain(config, steps).map(Self)
    }
}

/// How much noise a step from σ to another adds, and to which σ it goes before; in single precision, as
/// diffusers has them: at the noise of a zero-terminal schedule their last bit is seen in the sample.
fn ways(from: f32, to: f32) -> (f64, f64) {
    let up = (to * to * (from * from - to * to) / (from * from)).max(0.0).sqrt();
    let down = (to * to - up * up).max(0.0).sqrt();
    (f64::from(up), f64::from(down))
}

impl Sampler for EulerAncestral {
    fn timesteps(&self) -> &[f64] {
        &self.0.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.0.init_noise_sigma
    }

    fn scale_model_input(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        self.0.scaled(sample, index)
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let (up, down) = ways(self.0.sigmas[index] as f32, self.0.sigmas[index + 1] as f32);
        let Stepped { sample: below, clean } = self.0.stepped(prediction, sample, index, down)?;
        let sample = sum(&[(1.0, &below), (up, &noise.next(sample)?)])?;
        Ok(Stepped { sample, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.0.add_noise(clean, noise, index)
    }
}
