//! Sampling from a latent consistency model (Luo et al., arXiv 2310.04378).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::limit::Limit;
use super::sampler::{Sampler, Stepped, sum};
use super::schedule::Prediction;
use super::source::NoiseSource;
use super::table::Table;

/// Spread of the data that the consistency function's bounds assume.
const DATA_SPREAD: f64 = 0.5;

/// A sampler of few steps.
pub(super) struct Lcm {
    table: Table,
    timesteps: Vec<f64>,
    visited: Vec<usize>,
    prediction: Prediction,
    limit: Limit,
    scaling: f64,
}

impl Lcm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let original = config.count("original_inference_steps", 50)?;
        if !(1..=config.num_train_timesteps).contains(&original) {
            return Err(
                "original_inference_steps: must lie between 1 and num_train_timesteps".into()
            );
        }
        let own = config.course.timesteps.iter().map(|timestep| *timestep as usize);
        let own: Vec<usize> = own.collect();
        if own.is_empty() && steps > original {
            return Err(format!("steps: LCM takes {original} at most (original_inference_steps)"));
        }
        let skip = config.num_train_timesteps / original;
        let visited: Vec<usize> = if own.is_empty() {
            (0..steps).map(|index| (original - index * original / steps) * skip - 1).collect()
        } else {
            own
        };
        Ok(Self {
            table: Table::new(config)?,
            timesteps: visited.iter().map(|timestep| *timestep as f64).collect(),
            visited,
            prediction: config.prediction,
            limit: Limit::of(config, false)?,
            scaling: config.number("timestep_scaling", 10.0)?,
        })
    }
}

impl Sampler for Lcm {
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
        let (mut clean, _) =
            self.table.parts(self.prediction, prediction, sample, self.visited[index])?;
        clean = self.limit.apply(clean)?;
        let time = self.timesteps[index] * self.scaling;
        let spread = time * time + DATA_SPREAD * DATA_SPREAD;
        let (skip, out) = (DATA_SPREAD * DATA_SPREAD / spread, time / spread.sqrt());
        let denoised = sum(&[(out, &clean), (skip, sample)])?;
        let sample = match self.visited.get(index + 1) {
            Some(next) => self.table.noisy(&denoised, &noise.next(&denoised)?, *next)?,
            None => denoised.clone(),
        };
        Ok(Stepped { sample, clean: denoised })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.table.noisy(clean, noise, self.visited[index])
    }
}
