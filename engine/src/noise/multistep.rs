//! Noise levels as the multistep solvers of diffusion's equation know them: α, σ and λ = ln(α / σ).

use candle_core::{Result, Tensor};

use super::config::{SchedulerConfig, trailing};
use super::sampler::{parts, sum};
use super::schedule::{Prediction, Spacing};
use super::sigmas::spaced;
use super::table::{Table, interpolated, logarithms, timestep_of};

/// Signal and noise of a sample = α · clean + σ · noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) sigma: f64,
    /// Half the logarithm of the signal-to-noise ratio; infinite without noise.
    pub(super) lambda: f64,
}

impl Level {
    fn of(sigma: f64) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        Self { alpha, sigma: sigma * alpha, lambda: -sigma.ln() }
    }
}

/// The levels of a sampling.
#[expect(clippy::struct_field_names, reason = "levels are what they are")]
pub(super) struct Levels {
    pub(super) timesteps: Vec<f64>,
    /// One more than there are timesteps.
    pub(super) levels: Vec<Level>,
    prediction: Prediction,
}

/// What the two solvers do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Timesteps of noise that is spaced otherwise are whole, but for a cosine schedule.
    DpmSolver,
    /// They are always whole.
    UniPc,
}

impl Levels {
    pub(super) fn new(
        config: &SchedulerConfig,
        steps: usize,
        rounding: Rounding,
    ) -> std::result::Result<Self, String> {
        let table = Table::new(config)?;
        let all = table.sigmas();
        let logarithms = logarithms(&all);
        let count = config.num_train_timesteps;
        // Without the noisiest timesteps, where a cosine schedule has hardly any signal.
        let least = config.number("lambda_min_clipped", f64::NEG_INFINITY)?;
        let last = match rounding {
            Rounding::DpmSolver => {
                count - logarithms.iter().filter(|logarithm| -**logarithm < least).count()
            }
            Rounding::UniPc => count,
        };
        let mut timesteps: Vec<f64> = match config.spacing {
            Spacing::Linspace => {
                let gap = last.saturating_sub(1) as f64 / steps as f64;
                (1..=steps).rev().map(|index| (index as f64 * gap).round_ties_even()).collect()
            }
            Spacing::Leading => {
                let ratio = last / (steps + 1);
                let offset = config.steps_offset;
                (1..=steps).rev().map(|index| (index * ratio + offset) as f64).collect()
            }
            Spacing::Trailing => {
                let ratio = count as f64 / steps as f64;
                trailing(last, ratio).map(|at| at.round_ties_even() - 1.0).collect()
            }
        };
        if !config.course.timesteps.is_empty() {
            timesteps = config.course.timesteps.iter().map(|at| f64::from(*at)).collect();
        }
        let falling: Vec<f64> = all.iter().rev().copied().collect();
        let lu = config.flag("use_lu_lambdas", false)? && rounding == Rounding::DpmSolver;
        let to_zero = match config.word("final_sigmas_type", "zero")? {
            "zero" => true,
            "sigma_min" => false,
            other => return Err(format!("final_sigmas_type: {other} is not zero or sigma_min")),
        };
        let otherwise = if lu {
            // Evenly in λ (Lu et al., arXiv 2206.00927).
            let (from, to) = (falling[0].ln(), falling[falling.len() - 1].ln());
            let gap = if steps > 1 { (to - from) / (steps - 1) as f64 } else { 0.0 };
            Some((0..steps).map(|index| (from + gap * index as f64).exp()).collect())
        } else {
            spaced(config, &falling, steps)?
        };
        let mut smallest = all[0];
        let mut sigmas: Vec<f64> = match otherwise {
            Some(sigmas) => {
                let by_karras = lu || config.flag("use_karras_sigmas", false)?;
                let whole = match rounding {
                    Rounding::DpmSolver => by_karras && config.beta_schedule != "squaredcos_cap_v2",
                    Rounding::UniPc => by_karras,
                };
                timesteps = sigmas
                    .iter()
                    .map(|sigma| {
                        let at = timestep_of(*sigma, &logarithms);
                        // Both keep their timesteps as whole numbers in the end.
                        if whole { at.round_ties_even() } else { at.trunc() }
                    })
                    .collect();
                if rounding == Rounding::UniPc {
                    smallest = sigmas.last().copied().unwrap_or(smallest);
                }
                sigmas
            }
            None => timesteps.iter().map(|at| interpolated(*at, &all)).collect(),
        };
        sigmas.push(if to_zero { 0.0 } else { smallest });
        let single = |sigma: f64| f64::from(sigma as f32);
        Ok(Self {
            timesteps,
            levels: sigmas.into_iter().map(|sigma| Level::of(single(sigma))).collect(),
            prediction: config.prediction,
        })
    }

    /// Clean sample and noise of a prediction at step `index`.
    pub(super) fn parts(
        &self,
        prediction: &Tensor,
        sample: &Tensor,
        index: usize,
    ) -> Result<(Tensor, Tensor)> {
        let Level { alpha, sigma, .. } = self.levels[index];
        parts(self.prediction, prediction, sample, alpha, sigma)
    }

    pub(super) fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let Level { alpha, sigma, .. } = self.levels[index];
        sum(&[(alpha, clean), (sigma, noise)])
    }
}
