//! How much noise each timestep holds, and what the network predicts.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// How β grows over the timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Linear in β.
    Linear,
    /// Linear in √β (latent diffusion).
    ScaledLinear,
    /// The cosine of Nichol and Dhariwal (arXiv 2102.09672).
    SquaredcosCapV2,
}

/// What the network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The clean sample.
    Sample,
    /// Velocity: √ᾱ·noise − √(1−ᾱ)·sample (Salimans and Ho, arXiv 2202.00512).
    VPrediction,
}

/// Which timesteps a short sampling visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Every k-th from 0 up.
    Leading,
    /// Every k-th from the last down: the first step starts at pure noise (Lin et al., arXiv 2305.08891).
    Trailing,
    /// Evenly from 0 to the last.
    Linspace,
}

/// `scheduler/scheduler_config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// diffusers' name of the class.
    #[serde(rename = "_class_name", default = "class_name")]
    pub class_name: String,
    /// Timesteps of training.
    pub num_train_timesteps: usize,
    /// β at the first timestep.
    pub beta_start: f64,
    /// β at the last timestep.
    pub beta_end: f64,
    /// How β grows.
    pub beta_schedule: BetaSchedule,
    /// What the network predicts.
    pub prediction_type: Prediction,
    /// Rescales β so that the last timestep is pure noise (arXiv 2305.08891).
    #[serde(default)]
    pub rescale_betas_zero_snr: bool,
    /// Which timesteps a short sampling visits.
    #[serde(default = "leading")]
    pub timestep_spacing: Spacing,
    /// Added to leading timesteps.
    #[serde(default)]
    pub steps_offset: usize,
    /// Clips the predicted clean sample to ±1; never for latents.
    #[serde(default)]
    pub clip_sample: bool,
    /// ᾱ before the first timestep is 1, not the first's own.
    #[serde(default = "yes")]
    pub set_alpha_to_one: bool,
}

fn class_name() -> String {
    "DDIMScheduler".into()
}

fn leading() -> Spacing {
    Spacing::Leading
}

fn yes() -> bool {
    true
}

impl Default for ScheduleConfig {
    /// What the starter model trains with: velocity under √β-linear noise down to zero signal.
    fn default() -> Self {
        Self {
            class_name: class_name(),
            num_train_timesteps: 1000,
            beta_start: 0.000_85,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            prediction_type: Prediction::VPrediction,
            rescale_betas_zero_snr: true,
            timestep_spacing: Spacing::Trailing,
            steps_offset: 0,
            clip_sample: false,
            set_alpha_to_one: true,
        }
    }
}

impl ScheduleConfig {
    /// # Errors
    /// Names the value from which no schedule can be made.
    pub fn validate(&self) -> std::result::Result<(), String> {
        if !(1..=100_000).contains(&self.num_train_timesteps) {
            return Err("num_train_timesteps must lie between 1 and 100,000".into());
        }
        if self.steps_offset >= self.num_train_timesteps {
            return Err("steps_offset must lie below num_train_timesteps".into());
        }
        let in_range = |beta: f64| beta > 0.0 && beta < 1.0;
        if !in_range(self.beta_start) || !in_range(self.beta_end) || self.beta_end < self.beta_start
        {
            return Err("beta_start and beta_end must lie between 0 and 1, in this order".into());
        }
        if self.rescale_betas_zero_snr && self.prediction_type == Prediction::Epsilon {
            return Err("prediction_type epsilon learns nothing at zero signal: use v_prediction \
                        with rescale_betas_zero_snr"
                .into());
        }
        Ok(())
    }
}

/// ᾱ of every training timestep.
#[derive(Debug, Clone)]
pub struct Schedule {
    alphas_cumprod: Vec<f64>,
    config: ScheduleConfig,
}

impl Schedule {
    /// Computes the schedule.
    pub fn new(config: ScheduleConfig) -> Self {
        let count = config.num_train_timesteps;
        let ramp = |index: usize, from: f64, to: f64| {
            if count == 1 { from } else { from + (to - from) * index as f64 / (count - 1) as f64 }
        };
        let beta = |index: usize| match config.beta_schedule {
            BetaSchedule::Linear => ramp(index, config.beta_start, config.beta_end),
            BetaSchedule::ScaledLinear => {
                ramp(index, config.beta_start.sqrt(), config.beta_end.sqrt()).powi(2)
            }
            BetaSchedule::SquaredcosCapV2 => {
                let bar =
                    |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
                let at = |index: usize| bar(index as f64 / count as f64);
                (1.0 - at(index + 1) / at(index)).min(0.999)
            }
        };
        let mut product = 1.0;
        let mut alphas_cumprod: Vec<f64> = (0..count)
            .map(|index| {
                product *= 1.0 - beta(index);
                product
            })
            .collect();
        if config.rescale_betas_zero_snr {
            rescale_to_zero_snr(&mut alphas_cumprod);
        }
        Self { alphas_cumprod, config }
    }

    /// The configuration.
    pub fn config(&self) -> &ScheduleConfig {
        &self.config
    }

    /// Timesteps of training.
    pub fn len(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// A schedule has at least one timestep.
    pub fn is_empty(&self) -> bool {
        self.alphas_cumprod.is_empty()
    }

    /// ᾱ of a timestep.
    pub fn alpha_cumprod(&self, timestep: usize) -> f64 {
        self.alphas_cumprod[timestep]
    }

    /// A factor for each sample, shaped to multiply `like` `[batch, …]`.
    fn factors(
        &self,
        timesteps: &[usize],
        like: &Tensor,
        of: impl Fn(f64) -> f64,
    ) -> Result<Tensor> {
        let values: Vec<f64> = timesteps.iter().map(|t| of(self.alphas_cumprod[*t])).collect();
        let mut shape = vec![1; like.rank()];
        shape[0] = values.len();
        Tensor::from_vec(values, shape, like.device())?.to_dtype(like.dtype())
    }

    /// `clean` `[batch, …]` with the noise of each sample's timestep.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        let signal = self.factors(timesteps, clean, f64::sqrt)?;
        let scale = self.factors(timesteps, clean, |alpha| (1.0 - alpha).sqrt())?;
        clean.broadcast_mul(&signal)? + noise.broadcast_mul(&scale)?
    }

    /// What the network should predict for `clean` under `noise`.
    pub fn target(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        match self.config.prediction_type {
            Prediction::Epsilon => Ok(noise.clone()),
            Prediction::Sample => Ok(clean.clone()),
            Prediction::VPrediction => {
                let signal = self.factors(timesteps, clean, f64::sqrt)?;
                let scale = self.factors(timesteps, clean, |alpha| (1.0 - alpha).sqrt())?;
                noise.broadcast_mul(&signal)? - clean.broadcast_mul(&scale)?
            }
        }
    }

    /// The weight of a timestep's loss: signal-to-noise clamped at `gamma`, turned to what the
    /// network predicts (Min-SNR, Hang et al., arXiv 2303.09556).
    ///
    /// With velocity the paper's weight falls to nothing with the signal; but at zero signal every
    /// sampling starts, and there layout and prompt are settled. So velocity has the weight of
    /// `clamped + 1`: 1 up to `gamma`, and falling beyond. `Sample` has 1 at the least for the same
    /// reason.
    pub fn min_snr_weight(&self, timestep: usize, gamma: f64) -> f64 {
        let alpha = self.alphas_cumprod[timestep];
        let snr = alpha / (1.0 - alpha).max(1e-12);
        let clamped = snr.min(gamma);
        match self.config.prediction_type {
            Prediction::Epsilon => clamped / snr.max(1e-12),
            Prediction::Sample => clamped.max(1.0),
            Prediction::VPrediction => (clamped + 1.0) / (snr + 1.0),
        }
    }
}

/// Shifts and scales √ᾱ so that it ends at zero and starts where it did (arXiv 2305.08891, algorithm 1).
fn rescale_to_zero_snr(alphas_cumprod: &mut [f64]) {
    let first = alphas_cumprod[0].sqrt();
    let last = alphas_cumprod[alphas_cumprod.len() - 1].sqrt();
    if alphas_cumprod.len() < 2 {
        return;
    }
    for alpha in alphas_cumprod.iter_mut() {
        let root = (alpha.sqrt() - last) * first / (first - last);
        *alpha = root * root;
    }
}
