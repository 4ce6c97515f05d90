//! Euler's method (Karras et al., arXiv 2206.00364, algorithm 2, without churn).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::sampler::{Sampler, Stepped};
use super::sigmas::Sigmas;
use super::source::NoiseSource;

/// A sampler of first order.
pub(super) struct Euler(Sigmas);

impl Euler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        Sigmas::new(config, steps).map(Self)
    }
}

impl Sampler for Euler {
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
        _noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        self.0.stepped(prediction, sample, index, self.0.sigmas[index + 1])
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.0.add_noise(clean, noise, index)
    }
}
