//! The noise levels of a sampling in terms of σ, and what Euler's and Heun's methods share.

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;
use super::sampler::{Stepped, quotient, sum};
use super::schedule::{Prediction, Spacing};
use super::table::{Table, beta, exponential, interpolated, karras, logarithms, timestep_of};

/// Timesteps and σ of a sampling, for samples that are clean + σ · noise.
#[expect(clippy::struct_field_names, reason = "they are called so everywhere")]
pub(super) struct Sigmas {
    pub(super) timesteps: Vec<f64>,
    /// One more than there are timesteps.
    pub(super) sigmas: Vec<f64>,
    pub(super) init_noise_sigma: f64,
    pub(super) prediction: Prediction,
}

impl Sigmas {
    /// As Euler's scheduler spaces them.
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        let to_zero = match config.word("final_sigmas_type", "zero")? {
            "zero" => true,
            "sigma_min" => false,
            other => return Err(format!("final_sigmas_type: {other} is not zero or sigma_min")),
        };
        let log_linear = match config.word("interpolation_type", "linear")? {
            "linear" => false,
            "log_linear" => true,
            other => {
                return Err(format!("interpolation_type: {other} is not linear or log_linear"));
            }
        };
        let mut levels = Self::of(config, steps, log_linear, true, to_zero)?;
        match config.word("timestep_type", "discrete")? {
            // The noise itself tells the network where it is.
            "continuous" if config.prediction == Prediction::VPrediction => {
                let of = |sigma: &f64| f64::from(0.25 * (*sigma as f32).ln());
                let count = levels.sigmas.len() - 1;
                levels.timesteps = levels.sigmas[..count].iter().map(of).collect();
            }
            "discrete" | "continuous" => {}
            other => return Err(format!("timestep_type: {other} is not discrete or continuous")),
        }
        Ok(levels)
    }

    /// As Heun's scheduler spaces them: down to nothing.
    pub(super) fn spaced(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<Self, String> {
        Self::of(config, steps, false, true, true)
    }

    /// As the timesteps are spaced, down to nothing.
    pub(super) fn plain(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<Self, String> {
        Self::of(config, steps, false, false, true)
    }

    fn of(
        config: &SchedulerConfig,
        steps: usize,
        log_linear: bool,
        otherwise: bool,
        to_zero: bool,
    ) -> std::result::Result<Self, String> {
        let table = Table::new(config)?;
        let all = table.sigmas();
        let logarithms = logarithms(&all);
        let mut timesteps = config.real_timesteps(steps);
        let mut sigmas: Vec<f64> = if log_linear {
            exponential(all[all.len() - 1], all[0], steps + 1)
        } else {
            timesteps.iter().map(|at| interpolated(*at, &all)).collect()
        };
        if otherwise && let Some(spaced) = spaced(config, &sigmas, steps)? {
            sigmas = spaced;
            timesteps = sigmas.iter().map(|sigma| timestep_of(*sigma, &logarithms)).collect();
        }
        let single = |value: &f64| f64::from(*value as f32);
        sigmas = sigmas.iter().map(single).collect();
        sigmas.push(if to_zero { 0.0 } else { all[0] });
        if !config.course.sigmas.is_empty() {
            sigmas = config.course.sigmas.iter().map(single).collect();
            let asked = &sigmas[..sigmas.len() - 1];
            timesteps = asked.iter().map(|sigma| timestep_of(*sigma, &logarithms)).collect();
        }
        let largest = sigmas.iter().copied().fold(0.0, f64::max);
        let full = matches!(config.spacing, Spacing::Linspace | Spacing::Trailing);
        Ok(Self {
            timesteps: timesteps.iter().map(single).collect(),
            init_noise_sigma: if full { largest } else { (largest * largest + 1.0).sqrt() },
            prediction: config.prediction,
            sigmas,
        })
    }

    /// A sample as the network knows it: of spread 1.
    pub(super) fn scaled(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        let sigma = self.sigmas[index];
        quotient(sample, f64::from(spread(sigma).sqrt()))
    }

    /// The clean sample that the network speaks of at σ.
    pub(super) fn clean(&self, prediction: &Tensor, sample: &Tensor, sigma: f64) -> Result<Tensor> {
        match self.prediction {
            Prediction::Epsilon => sum(&[(1.0, sample), (-sigma, prediction)]),
            Prediction::Sample => Ok(prediction.clone()),
            Prediction::VPrediction => {
                let spread = spread(sigma);
                let share = f64::from(-(sigma as f32) / spread.sqrt());
                sum(&[(share, prediction), (1.0, &quotient(sample, f64::from(spread))?)])
            }
            Prediction::Flow => {
                quotient(&sum(&[(1.0, sample), (-sigma, prediction)])?, 1.0 + sigma)
            }
        }
    }

    /// A step of Euler's from step `index` to the noise level `to`.
    pub(super) fn stepped(
        &self,
        prediction: &Tensor,
        sample: &Tensor,
        index: usize,
        to: f64,
    ) -> Result<Stepped> {
        let from = self.sigmas[index];
        let clean = self.clean(prediction, sample, from)?;
        let derivative = quotient(&(sample - &clean)?, from)?;
        let sample = sum(&[(1.0, sample), (to - from, &derivative)])?;
        Ok(Stepped { sample, clean })
    }

    pub(super) fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        sum(&[(1.0, clean), (self.sigmas[index], noise)])
    }
}

/// σ² + 1 in single precision, as diffusers has it: at the noise of a zero-terminal schedule (σ of 4,096) its
/// last bit is seen in the sample.
fn spread(sigma: f64) -> f32 {
    let sigma = sigma as f32;
    sigma * sigma + 1.0
}

/// σ spaced otherwise than the timesteps are, where the configuration asks for it; its ends are those of
/// `sigmas`, which fall.
pub(super) fn spaced(
    config: &SchedulerConfig,
    sigmas: &[f64],
    steps: usize,
) -> std::result::Result<Option<Vec<f64>>, String> {
    type Spread = fn(f64, f64, usize) -> Vec<f64>;
    let known: [(&str, Spread); 3] = [
        ("use_karras_sigmas", karras),
        ("use_exponential_sigmas", exponential),
        ("use_beta_sigmas", beta),
    ];
    let mut asked = None;
    for (key, spread) in known {
        if config.flag(key, false)? && asked.replace(spread).is_some() {
            return Err(format!("{key}: only one spacing of the noise can be used"));
        }
    }
    let Some(spread) = asked else { return Ok(None) };
    let ends = sigmas.first().zip(sigmas.last());
    let Some((first, last)) = ends else { return Ok(None) };
    let smallest = config.optional("sigma_min")?.unwrap_or(*last);
    let largest = config.optional("sigma_max")?.unwrap_or(*first);
    if !(smallest > 0.0 && largest.is_finite()) {
        return Err("sigma_min: must lie above 0, and sigma_max be finite".into());
    }
    Ok(Some(spread(largest, smallest, steps)))
}

/// Stretches σ of a straight way so that the last is the configuration's `shift_terminal`, where it has one.
pub(super) fn ending_at(
    config: &SchedulerConfig,
    sigmas: Vec<f64>,
) -> std::result::Result<Vec<f64>, String> {
    let (Some(terminal), Some(last)) = (config.optional("shift_terminal")?, sigmas.last()) else {
        return Ok(sigmas);
    };
    if !(0.0..1.0).contains(&terminal) {
        return Err("shift_terminal: must lie between 0 and 1".into());
    }
    let scale = (1.0 - last) / (1.0 - terminal);
    if terminal > 0.0 && scale > 0.0 {
        return Ok(sigmas.iter().map(|sigma| 1.0 - (1.0 - sigma) / scale).collect());
    }
    Ok(sigmas)
}
