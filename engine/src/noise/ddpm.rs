//! DDPM (Ho et al., arXiv 2006.11239).

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::limit::Limit;
use super::sampler::{Sampler, Stepped, sum};
use super::schedule::Prediction;
use super::source::NoiseSource;
use super::table::Table;

/// How much noise a step adds.
#[derive(Debug, Clone, Copy)]
enum Variance {
    Small,
    Large,
}

/// A sampler that adds noise at every step.
pub(super) struct Ddpm {
    table: Table,
    timesteps: Vec<f64>,
    visited: Vec<usize>,
    prediction: Prediction,
    limit: Limit,
    variance: Variance,
}

impl Ddpm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let visited = config.whole_timesteps(steps);
        Ok(Self {
            table: Table::new(config)?,
            timesteps: visited.iter().map(|timestep| *timestep as f64).collect(),
            visited,
            prediction: config.prediction,
            limit: Limit::of(config, true)?,
            variance: match config.word("variance_type", "fixed_small")? {
                // The logarithm is there for a precision that is not needed here.
                "fixed_small" | "fixed_small_log" => Variance::Small,
                "fixed_large" => Variance::Large,
                other => {
                    let known = "fixed_small, fixed_small_log and fixed_large are";
                    return Err(format!("variance_type: {other} cannot be followed; {known}"));
                }
            },
        })
    }
}

impl Sampler for Ddpm {
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
        let timestep = self.visited[index];
        let alpha = self.table.alpha_cumprod(timestep);
        let previous = self.visited.get(index + 1).map_or(1.0, |at| self.table.alpha_cumprod(*at));
        let current = alpha / previous;
        let (mut clean, _) = self.table.parts(self.prediction, prediction, sample, timestep)?;
        clean = self.limit.apply(clean)?;
        let of_clean = previous.sqrt() * (1.0 - current) / (1.0 - alpha);
        let of_sample = current.sqrt() * (1.0 - previous) / (1.0 - alpha);
        let mut next = sum(&[(of_clean, &clean), (of_sample, sample)])?;
        if timestep > 0 {
            let small = ((1.0 - previous) / (1.0 - alpha) * (1.0 - current)).max(1e-20);
            let spread = match self.variance {
                Variance::Small => small.sqrt(),
                Variance::Large => (1.0 - current).sqrt(),
            };
            next = sum(&[(1.0, &next), (spread, &noise.next(sample)?)])?;
        }
        Ok(Stepped { sample: next, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.table.noisy(clean, noise, self.visited[index])
    }
}
