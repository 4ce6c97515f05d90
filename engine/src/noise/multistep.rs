//! Noise levels as the multistep solvers of diffusion's equation know them: α, σ and λ = ln(α / σ).

use candle_core::{Result, Tensor};

use super::config::{SchedulerConfig, trailing};
use super::limit::Limit;
use super::sampler::{parts, rest, sum};
use super::schedule::{Prediction, Spacing};
use super::sigmas::{ending_at, spaced};
use super::table::{Table, interpolated, logarithms, timestep_of};

/// Signal and noise of a sample = α · clean + σ · noise, rounded to single precision where diffusers does: the
/// differences of λ between close levels feel it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) sigma: f64,
    /// Half the logarithm of the signal-to-noise ratio; infinite without noise.
    pub(super) lambda: f64,
}

impl Level {
    /// Of a sample of spread 1 in all.
    fn of(sigma: f32) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        Self::at(alpha, sigma * alpha)
    }

    /// On the straight way from noise to the clean sample.
    fn straight(sigma: f32) -> Self {
        Self::at(1.0 - sigma, sigma)
    }

    fn at(alpha: f32, sigma: f32) -> Self {
        let lambda = alpha.ln() - sigma.ln();
        Self { alpha: alpha.into(), sigma: sigma.into(), lambda: lambda.into() }
    }
}

/// The levels of a sampling.
#[expect(clippy::struct_field_names, reason = "levels are what they are")]
pub(super) struct Levels {
    pub(super) timesteps: Vec<f64>,
    /// One more than there are timesteps.
    pub(super) levels: Vec<Level>,
    prediction: Prediction,
    /// The network predicts the way from the clean sample to noise.
    flow: bool,
    limit: Limit,
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
        let straight = config.flag("use_flow_sigmas", false)?;
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
        let respaced = straight || otherwise.is_some();
        let mut sigmas: Vec<f64> = match otherwise {
            otherwise if straight => {
                let sigmas = straight_sigmas(config, otherwise, steps, rounding)?;
                timesteps = sigmas.iter().map(|sigma| (sigma * count as f64).trunc()).collect();
                sigmas
            }
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
                sigmas
            }
            None => timesteps.iter().map(|at| interpolated(*at, &all)).collect(),
        };
        let smallest = match rounding {
            // UniPC stays at the last of its own levels.
            Rounding::UniPc if respaced => sigmas.last().copied().unwrap_or(all[0]),
            Rounding::UniPc | Rounding::DpmSolver => all[0],
        };
        sigmas.push(if to_zero { 0.0 } else { smallest });
        let level: fn(f32) -> Level = if straight { Level::straight } else { Level::of };
        let bare = rounding == Rounding::UniPc && !config.flag("predict_x0", true)?;
        Ok(Self {
            timesteps,
            levels: sigmas.into_iter().map(|sigma| level(sigma as f32)).collect(),
            prediction: config.prediction,
            flow: config.word("prediction_type", "epsilon")? == "flow_prediction",
            // diffusers limits no clean sample that UniPC does not speak of.
            limit: if bare { Limit::None } else { Limit::dynamic(config)? },
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
        let (clean, noise) = if self.flow {
            let clean = sum(&[(1.0, sample), (-sigma, prediction)])?;
            (clean, sum(&[(1.0, sample), (alpha, prediction)])?)
        } else {
            parts(self.prediction, prediction, sample, alpha, sigma)?
        };
        if self.limit == Limit::None {
            return Ok((clean, noise));
        }
        // The noise is what is left of the sample.
        let clean = self.limit.apply(clean)?;
        let noise = rest(sample, alpha, &clean, sigma)?;
        Ok((clean, noise))
    }

    pub(super) fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let Level { alpha, sigma, .. } = self.levels[index];
        sum(&[(alpha, clean), (sigma, noise)])
    }
}

/// σ on the straight way from noise to the clean sample, shifted towards noise as the configuration says.
fn straight_sigmas(
    config: &SchedulerConfig,
    otherwise: Option<Vec<f64>>,
    steps: usize,
    rounding: Rounding,
) -> std::result::Result<Vec<f64>, String> {
    const TOGETHER: &str = "use_flow_sigmas: cannot go with this spacing of the noise";
    let shift = config.number("flow_shift", 1.0)?;
    if !(shift.is_finite() && shift > 0.0) {
        return Err("flow_shift: must lie above 0".into());
    }
    let shifted = |sigma: f64| shift * sigma / (1.0 + (shift - 1.0) * sigma);
    let least = 1.0 / config.num_train_timesteps as f64;
    // In numpy's own order: a timestep is cut to a whole one, and the last bit may decide which.
    let falling = |index: usize| {
        if index == steps { least } else { index as f64 * ((least - 1.0) / steps as f64) + 1.0 }
    };
    match (rounding, otherwise) {
        (Rounding::DpmSolver, None) => {
            Ok((1..=steps).rev().map(|index| shifted(1.0 - falling(index))).collect())
        }
        (Rounding::UniPc, None) => {
            let sigmas: Vec<f64> = (0..steps).map(|index| shifted(falling(index))).collect();
            let mut sigmas = ending_at(config, sigmas)?;
            if let Some(first) = sigmas.first_mut()
                && (*first - 1.0).abs() < NO_SIGNAL
            {
                // Without any signal there is no logarithm of it.
                *first -= NO_SIGNAL;
            }
            Ok(sigmas)
        }
        (Rounding::UniPc, Some(sigmas)) if config.flag("use_karras_sigmas", false)? => {
            Ok(sigmas.into_iter().map(|sigma| sigma / (sigma + 1.0)).collect())
        }
        (Rounding::DpmSolver | Rounding::UniPc, Some(_)) => Err(TOGETHER.into()),
    }
}

/// How close to noise alone a straight way begins.
const NO_SIGNAL: f64 = 1e-6;
