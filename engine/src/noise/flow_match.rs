//! Euler's method along the straight way of flow matching (Lipman et al., arXiv 2210.02747; Esser et al.,
//! arXiv 2403.03206).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::sampler::{Sampler, Stepped, sum};
use super::sigmas::{ending_at, spaced};
use super::source::NoiseSource;

/// A sampler of first order for samples that are (1 − σ) · clean + σ · noise.
pub(super) struct FlowMatchEuler {
    timesteps: Vec<f64>,
    sigmas: Vec<f64>,
    stochastic: bool,
}

impl FlowMatchEuler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let shift = config.number("shift", 1.0)?;
        if !(shift.is_finite() && shift > 0.0) {
            return Err("shift: must lie above 0".into());
        }
        let shifted = |sigma: f64| shift * sigma / (1.0 + (shift - 1.0) * sigma);
        let count = config.num_train_timesteps as f64;
        // diffusers takes the ends from the table that is shifted already, and shifts them again.
        let (largest, smallest) = (shifted(1.0), shifted(1.0 / count));
        let gap = if steps > 1 { (smallest - largest) / (steps - 1) as f64 } else { 0.0 };
        let mut sigmas: Vec<f64> =
            (0..steps).map(|index| shifted(largest + gap * index as f64)).collect();
        sigmas = ending_at(config, sigmas)?;
        if let Some(otherwise) = spaced(config, &sigmas, steps)? {
            sigmas = otherwise;
        }
        sigmas = sigmas.iter().map(|sigma| f64::from(*sigma as f32)).collect();
        // From the clean sample to noise (Mochi): σ is the share of the clean sample then.
        let inverted = config.flag("invert_sigmas", false)?;
        if inverted {
            sigmas = sigmas.iter().map(|sigma| f64::from(1.0 - *sigma as f32)).collect();
        }
        let timesteps =
            sigmas.iter().map(|sigma| f64::from((*sigma as f32) * count as f32)).collect();
        sigmas.push(if inverted { 1.0 } else { 0.0 });
        Ok(Self { timesteps, sigmas, stochastic: config.flag("stochastic_sampling", false)? })
    }
}

impl Sampler for FlowMatchEuler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let (sigma, next) = (self.sigmas[index], self.sigmas[index + 1]);
        let clean = sum(&[(1.0, sample), (-sigma, prediction)])?;
        let sample = if self.stochastic {
            sum(&[(1.0 - next, &clean), (next, &noise.next(sample)?)])?
        } else {
            sum(&[(1.0, sample), (next - sigma, prediction)])?
        };
        Ok(Stepped { sample, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let sigma = self.sigmas[index];
        sum(&[(1.0 - sigma, clean), (sigma, noise)])
    }
}
