//! How much noise each timestep holds, and what the network predicts.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// The straight way from the sample to the noise: noise − sample (Lipman et al., arXiv 2210.02747; Liu et
    /// al., arXiv 2209.03003). The noisy sample is (1 − σ)·sample + σ·noise then.
    #[serde(rename = "flow_prediction")]
    Flow,
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
    #[serde(default = "beta_start")]
    pub beta_start: f64,
    /// β at the last timestep.
    #[serde(default = "beta_end")]
    pub beta_end: f64,
    /// How β grows.
    #[serde(default = "scaled_linear")]
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
    /// Of a flow: σ becomes shift·σ / (1 + (shift − 1)·σ); above 1 there is more noise at most timesteps, which
    /// larger pictures need (Esser et al., arXiv 2403.03206, section 5.3.2).
    #[serde(default = "unshifted", skip_serializing_if = "is_unshifted")]
    pub shift: f64,
}

fn beta_start() -> f64 {
    0.000_85
}

fn beta_end() -> f64 {
    0.012
}

fn scaled_linear() -> BetaSchedule {
    BetaSchedule::ScaledLinear
}

fn unshifted() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_unshifted(shift: &f64) -> bool {
    shift.to_bits() == unshifted().to_bits()
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
            beta_start: beta_start(),
            beta_end: beta_end(),
            beta_schedule: scaled_linear(),
            prediction_type: Prediction::VPrediction,
            rescale_betas_zero_snr: true,
            timestep_spacing: Spacing::Trailing,
            steps_offset: 0,
            clip_sample: false,
            set_alpha_to_one: true,
            shift: unshifted(),
        }
    }
}

/// diffusers' class for a flow, where no other is named.
pub(super) const FLOW: &str = "FlowMatchEulerDiscreteScheduler";
/// Its solvers that follow a flow as well.
pub(super) const FLOW_SOLVERS: [&str; 2] =
    ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler"];

impl ScheduleConfig {
    /// What `scheduler_config.json` holds, in the words of diffusers' class: of a flow no β.
    pub fn to_json(&self) -> Value {
        if self.prediction_type != Prediction::Flow {
            return json!(self);
        }
        let steps = self.num_train_timesteps;
        if FLOW_SOLVERS.contains(&self.class_name.as_str()) {
            return json!({
                "_class_name": self.class_name,
                "num_train_timesteps": steps,
                "prediction_type": "flow_prediction",
                "use_flow_sigmas": true,
                "flow_shift": self.shift,
            });
        }
        json!({ "_class_name": FLOW, "num_train_timesteps": steps, "shift": self.shift })
    }

    /// diffusers' name of the class in [`Self::to_json`].
    pub fn written_class(&self) -> &str {
        let flows = self.prediction_type == Prediction::Flow;
        if flows && !FLOW_SOLVERS.contains(&self.class_name.as_str()) {
            FLOW
        } else {
            &self.class_name
        }
    }

    /// # Errors
    /// Names the value from which no schedule can be made.
    pub fn validate(&self) -> std::result::Result<(), String> {
        if !(1..=100_000).contains(&self.num_train_timesteps) {
            return Err("num_train_timesteps must lie between 1 and 100,000".into());
        }
        if self.steps_offset >= self.num_train_timesteps {
            return Err("steps_offset must lie below num_train_timesteps".into());
        }
        if !(self.shift > 0.0 && self.shift.is_finite()) {
            return Err("shift must be a number above 0".into());
        }
        if self.prediction_type == Prediction::Flow {
            return Ok(());
        }
        if !is_unshifted(&self.shift) || self.class_name == FLOW {
            return Err("prediction_type must be flow_prediction with a shift, and with \
                        FlowMatchEulerDiscreteScheduler"
                .into());
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

/// How much signal and noise every training timestep holds. Timesteps are counted from 0, the least noise.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Share of the signal and of the noise.
    shares: Vec<(f64, f64)>,
    config: ScheduleConfig,
}

impl Schedule {
    /// Computes the schedule.
    pub fn new(config: ScheduleConfig) -> Self {
        let count = config.num_train_timesteps;
        if config.prediction_type == Prediction::Flow {
            let shift = config.shift;
            let shares = (1..=count).map(|number| {
                let sigma = number as f64 / count as f64;
                let sigma = shift * sigma / (1.0 + (shift - 1.0) * sigma);
                (1.0 - sigma, sigma)
            });
            return Self { shares: shares.collect(), config };
        }
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
        let share = |alpha: &f64| (alpha.sqrt(), (1.0 - alpha).sqrt());
        Self { shares: alphas_cumprod.iter().map(share).collect(), config }
    }

    /// The configuration.
    pub fn config(&self) -> &ScheduleConfig {
        &self.config
    }

    /// Timesteps of training.
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    /// A schedule has at least one timestep.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// ᾱ of a timestep: the square of the signal's share.
    pub fn alpha_cumprod(&self, timestep: usize) -> f64 {
        self.shares[timestep].0.powi(2)
    }

    /// What the network is told of a timestep: its number, and of a flow σ on the same scale.
    pub fn time(&self, timestep: usize) -> f64 {
        match self.config.prediction_type {
            Prediction::Flow => self.shares[timestep].1 * self.len() as f64,
            Prediction::Epsilon | Prediction::Sample | Prediction::VPrediction => timestep as f64,
        }
    }

    /// Signal to noise of a timestep.
    pub fn snr(&self, timestep: usize) -> f64 {
        let (signal, noise) = self.shares[timestep];
        signal.powi(2) / noise.powi(2).max(1e-12)
    }

    /// A factor for each sample, shaped to multiply `like` `[batch, …]`.
    fn factors(
        &self,
        timesteps: &[usize],
        like: &Tensor,
        of: impl Fn((f64, f64)) -> f64,
    ) -> Result<Tensor> {
        let values: Vec<f64> = timesteps.iter().map(|t| of(self.shares[*t])).collect();
        let mut shape = vec![1; like.rank()];
        shape[0] = values.len();
        Tensor::from_vec(values, shape, like.device())?.to_dtype(like.dtype())
    }

    /// `clean` `[batch, …]` with the noise of each sample's timestep.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        let signal = self.factors(timesteps, clean, |(signal, _)| signal)?;
        let scale = self.factors(timesteps, clean, |(_, scale)| scale)?;
        clean.broadcast_mul(&signal)? + noise.broadcast_mul(&scale)?
    }

    /// What the network should predict for `clean` under `noise`.
    pub fn target(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        match self.config.prediction_type {
            Prediction::Epsilon => Ok(noise.clone()),
            Prediction::Sample => Ok(clean.clone()),
            Prediction::VPrediction => {
                let signal = self.factors(timesteps, clean, |(signal, _)| signal)?;
                let scale = self.factors(timesteps, clean, |(_, scale)| scale)?;
                noise.broadcast_mul(&signal)? - clean.broadcast_mul(&scale)?
            }
            Prediction::Flow => noise - clean,
        }
    }

    /// The weight of a timestep's loss: signal-to-noise clamped at `gamma`, turned to what the network predicts
    /// (Min-SNR, Hang et al., arXiv 2303.09556): min(SNR, γ) for the sample, over SNR for the noise, over
    /// SNR + 1 for velocity. A `gamma` of 0 weighs every timestep the same.
    ///
    /// Where the noise goes on to zero signal, the paper's weight of sample and velocity is nothing there; but
    /// there every sampling starts, and layout and prompt are settled. So under such a schedule velocity has
    /// the weight of `clamped + 1` – 1 up to `gamma`, and falling beyond – and the sample 1 at the least.
    ///
    /// A flow has 1: its timesteps are weighed by how often they are drawn (Esser et al., arXiv 2403.03206).
    pub fn min_snr_weight(&self, timestep: usize, gamma: f64) -> f64 {
        let (snr, to_zero) = (self.snr(timestep), self.config.rescale_betas_zero_snr);
        if gamma <= 0.0 {
            return 1.0;
        }
        let clamped = snr.min(gamma);
        match self.config.prediction_type {
            Prediction::Epsilon => clamped / snr.max(1e-12),
            Prediction::Sample if to_zero => clamped.max(1.0),
            Prediction::Sample => clamped,
            Prediction::VPrediction if to_zero => (clamped + 1.0) / (snr + 1.0),
            Prediction::VPrediction => clamped / (snr + 1.0),
            Prediction::Flow => 1.0,
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
