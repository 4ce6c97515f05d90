//! Heun's method (Karras et al., arXiv 2206.00364, algorithm 1): every step asks the network twice, but the
//! last.

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::limit::Limit;
use super::sampler::{Sampler, Stepped, quotient, sum};
use super::sigmas::Sigmas;
use super::source::NoiseSource;

/// The first half of a step.
struct Half {
    derivative: Tensor,
    sample: Tensor,
    width: f64,
}

/// A sampler of second order.
pub(super) struct Heun {
    levels: Sigmas,
    limit: Limit,
    half: Option<Half>,
}

impl Heun {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let mut levels = Sigmas::spaced(config, steps)?;
        let twice = |values: &[f64]| -> Vec<f64> {
            values.iter().flat_map(|value| [*value, *value]).collect()
        };
        let (first, last) = (levels.sigmas[0], levels.sigmas[levels.sigmas.len() - 1]);
        let middle = twice(&levels.sigmas[1..levels.sigmas.len() - 1]);
        levels.sigmas = [vec![first], middle, vec![last]].concat();
        levels.timesteps = [vec![levels.timesteps[0]], twice(&levels.timesteps[1..])].concat();
        Ok(Self { levels, limit: Limit::clipping(config, false)?, half: None })
    }
}

impl Sampler for Heun {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn order(&self) -> usize {
        2
    }

    fn init_noise_sigma(&self) -> f64 {
        self.levels.init_noise_sigma
    }

    fn scale_model_input(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        self.levels.scaled(sample, index)
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        _noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let half = self.half.take();
        // The second call of a step stands at the noise that the first one led to.
        let sigma = self.levels.sigmas[index];
        let mut clean = self.levels.clean(prediction, sample, sigma)?;
        clean = self.limit.apply(clean)?;
        let derivative = quotient(&(sample - &clean)?, sigma)?;
        let sample = if let Some(half) = half {
            let mean = sum(&[(0.5, &half.derivative), (0.5, &derivative)])?;
            sum(&[(1.0, &half.sample), (half.width, &mean)])?
        } else {
            let width = self.levels.sigmas[index + 1] - sigma;
            let next = sum(&[(1.0, sample), (width, &derivative)])?;
            // At the end there is no noise at which to ask again.
            if index + 1 < self.levels.timesteps.len() {
                self.half = Some(Half { derivative, sample: sample.clone(), width });
            }
            next
        };
        Ok(Stepped { sample, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.levels.add_noise(clean, noise, index)
    }
}
