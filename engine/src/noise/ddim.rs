//! DDIM (Song et al., arXiv 2010.02502).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::limit::Limit;
use super::sampler::{Sampler, Stepped, sum};
use super::schedule::Prediction;
use super::source::NoiseSource;
use super::table::Table;

/// A sampler that adds as much noise as η says, none by itself.
pub(super) struct Ddim {
    table: Table,
    timesteps: Vec<f64>,
    visited: Vec<usize>,
    stride: usize,
    prediction: Prediction,
    limit: Limit,
    final_alpha: f64,
    eta: f64,
}

impl Ddim {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let table = Table::new(config)?;
        let visited = config.whole_timesteps(steps);
        let to_one = config.flag("set_alpha_to_one", true)?;
        Ok(Self {
            final_alpha: if to_one { 1.0 } else { table.alpha_cumprod(0) },
            timesteps: visited.iter().map(|timestep| *timestep as f64).collect(),
            stride: config.num_train_timesteps / steps,
            prediction: config.prediction,
            limit: Limit::of(config, true)?,
            eta: config.course.eta,
            visited,
            table,
        })
    }
}

impl Sampler for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        source: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let timestep = self.visited[index];
        let alpha = self.table.alpha_cumprod(timestep);
        let previous = match timestep.checked_sub(self.stride) {
            Some(previous) => self.table.alpha_cumprod(previous),
            None => self.final_alpha,
        };
        let (mut clean, noise) = self.table.parts(self.prediction, prediction, sample, timestep)?;
        clean = self.limit.apply(clean)?;
        // The paper's equations 12 and 16.
        let variance = (1.0 - previous) / (1.0 - alpha) * (1.0 - alpha / previous);
        let spread = self.eta * variance.max(0.0).sqrt();
        let direction = (1.0 - previous - spread * spread).max(0.0).sqrt();
        let mut sample = sum(&[(previous.sqrt(), &clean), (direction, &noise)])?;
        if self.eta > 0.0 {
            sample = sum(&[(1.0, &sample), (spread, &source.next(&sample)?)])?;
        }
        Ok(Stepped { sample, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.table.noisy(clean, noise, self.visited[index])
    }
}
