//! What a denoising network is asked and held against: noise, timesteps, target, and the weight of each error.

use candle_core::{Device, Result, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};
use special::Error as _;

use super::alignment::AlignmentConfig;
use super::config::TrainConfig;
use super::draw::source;
use super::error::TrainError;
use crate::device::normal;
use crate::noise::Schedule;

/// How often a timestep is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepDraw {
    /// Every one as often.
    #[default]
    Uniform,
    /// Those in the middle more often: their place between clean (0) and noise (1) is the logistic function of
    /// a normal draw (Esser et al., arXiv 2403.03206, equation 19).
    LogitNormal,
}

/// What the loss of a denoising network is besides its schedule: the table `objective`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// How often a timestep is drawn.
    pub timesteps: TimestepDraw,
    /// Mean of the logit-normal draw; above 0 towards noise.
    pub logit_mean: f64,
    /// Standard deviation of the logit-normal draw.
    pub logit_std: f64,
    /// Noise that a whole channel of the latent shares, added to each value's own: pictures may then become
    /// darker or brighter than the average. 0 is none, 0.1 usual. A schedule that ends at zero signal
    /// (`rescale_betas_zero_snr`) needs none (Lin et al., arXiv 2305.08891).
    pub noise_offset: f64,
    /// Further noise in what the network sees, which it is not asked to predict: it gets used to its own
    /// errors (Ning et al., arXiv 2301.11706). 0 is none, 0.1 usual.
    pub input_perturbation: f64,
    /// Weight of the error outside of the data set's masks, from 0 to 1. 1 needs no mask.
    pub outside_mask: f64,
    /// Draws features of the network to those of a judge.
    pub alignment: Option<AlignmentConfig>,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            timesteps: TimestepDraw::Uniform,
            logit_mean: 0.0,
            logit_std: 1.0,
            noise_offset: 0.0,
            input_perturbation: 0.0,
            outside_mask: 1.0,
            alignment: None,
        }
    }
}

impl ObjectiveConfig {
    /// # Errors
    /// Names the value and its limits.
    pub fn validate(&self) -> std::result::Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        check(
            (-5.0..=5.0).contains(&self.logit_mean),
            "objective.logit_mean",
            "must lie between -5 and 5",
        )?;
        check(
            self.logit_std > 0.0 && self.logit_std <= 5.0,
            "objective.logit_std",
            "must lie above 0 and at most at 5",
        )?;
        check(
            (0.0..=1.0).contains(&self.noise_offset),
            "objective.noise_offset",
            "must lie between 0 and 1",
        )?;
        check(
            (0.0..=1.0).contains(&self.input_perturbation),
            "objective.input_perturbation",
            "must lie between 0 and 1",
        )?;
        check(
            (0.0..=1.0).contains(&self.outside_mask),
            "objective.outside_mask",
            "must lie between 0 and 1",
        )?;
        self.alignment.as_ref().map_or(Ok(()), AlignmentConfig::validate)
    }
}

/// What the network is shown of a batch, and what it should say.
pub(super) struct Noised {
    /// `[batch, channels, h, w]`
    pub(super) noisy: Tensor,
    /// The target, in the same shape.
    pub(super) target: Tensor,
    /// What the network is told of each sample's timestep.
    pub(super) times: Vec<f64>,
    /// Min-SNR's weight of each sample.
    pub(super) weights: Vec<f32>,
}

/// The objective of a run.
#[derive(Clone)]
pub(super) struct Objective {
    schedule: Schedule,
    config: ObjectiveConfig,
    min_snr_gamma: f64,
    seed: u64,
    device: Device,
}

impl Objective {
    pub(super) fn new(config: &TrainConfig, schedule: Schedule, device: &Device) -> Self {
        Self {
            schedule,
            config: config.objective.clone(),
            min_snr_gamma: config.min_snr_gamma,
            seed: config.seed,
            device: device.clone(),
        }
    }

    fn noise_like(&self, like: &Tensor, random: &mut impl Rng) -> Result<Tensor> {
        Tensor::from_vec(normal(random, like.elem_count()), like.shape(), &self.device)
    }

    /// The timestep at `point` between 0 and 1 of the draw's distribution.
    fn timestep(&self, point: f64) -> usize {
        let place = match self.config.timesteps {
            TimestepDraw::Uniform => point,
            TimestepDraw::LogitNormal => {
                // The normal distribution's quantile.
                let normal = std::f64::consts::SQRT_2 * (2.0 * point - 1.0).inv_error();
                let logit = self.config.logit_mean + self.config.logit_std * normal;
                1.0 / (1.0 + (-logit).exp())
            }
        };
        ((place * self.schedule.len() as f64) as usize).min(self.schedule.len() - 1)
    }

    /// `clean` `[batch, channels, h, w]` as the step's batch; `random` is the step's source of noise.
    pub(super) fn noised(
        &self,
        step: u64,
        clean: &Tensor,
        random: &mut impl Rng,
    ) -> Result<Noised> {
        let mut noise = self.noise_like(clean, random)?;
        // One timestep from each equal part of the distribution: the loss of a batch varies less.
        let count = clean.dim(0)?;
        let timesteps: Vec<usize> = (0..count)
            .map(|part| self.timestep((part as f64 + random.random::<f64>()) / count as f64))
            .collect();
        if self.config.noise_offset > 0.0 {
            let mut random = source(self.seed, step, "noise offset");
            let channels = clean.narrow(2, 0, 1)?.narrow(3, 0, 1)?;
            let offset = (self.noise_like(&channels, &mut random)? * self.config.noise_offset)?;
            noise = noise.broadcast_add(&offset)?;
        }
        let mut shown = noise.clone();
        if self.config.input_perturbation > 0.0 {
            let mut random = source(self.seed, step, "input perturbation");
            let more = self.noise_like(clean, &mut random)?;
            shown = (shown + (more * self.config.input_perturbation)?)?;
        }
        let gamma = self.min_snr_gamma;
        let weight = |timestep: &usize| self.schedule.min_snr_weight(*timestep, gamma) as f32;
        Ok(Noised {
            noisy: self.schedule.add_noise(clean, &shown, &timesteps)?,
            target: self.schedule.target(clean, &noise, &timesteps)?,
            weights: timesteps.iter().map(weight).collect(),
            times: timesteps.iter().map(|timestep| self.schedule.time(*timestep)).collect(),
        })
    }

    /// `clean` as held-out images `first`, `first` + 1, … of `of`: the same noise at every call, timesteps
    /// evenly over the schedule, and every error counts the same.
    pub(super) fn held_out(
        &self,
        batch: u64,
        clean: &Tensor,
        first: usize,
        of: usize,
    ) -> Result<Noised> {
        let noise = self.noise_like(clean, &mut source(0, batch, "validation"))?;
        let count = clean.dim(0)?;
        let timesteps: Vec<usize> = (first..first + count)
            .map(|index| (index * 2 + 1) * self.schedule.len() / (2 * of))
            .collect();
        Ok(Noised {
            noisy: self.schedule.add_noise(clean, &noise, &timesteps)?,
            target: self.schedule.target(clean, &noise, &timesteps)?,
            weights: vec![1.0; count],
            times: timesteps.iter().map(|timestep| self.schedule.time(*timestep)).collect(),
        })
    }

    /// The weighted squared error of each sample, `[batch]`. `mask` `[batch, 1, h, w]` weighs places; its sum
    /// does not, so that a small lung counts as much as a large one.
    pub(super) fn errors(
        &self,
        prediction: &Tensor,
        noised: &Noised,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let squares = (prediction - &noised.target)?.sqr()?;
        let errors = match mask {
            None => squares.flatten_from(1)?.mean(1)?,
            Some(mask) => {
                let squares = squares.mean_keepdim(1)?;
                let total = mask.flatten_from(1)?.sum(1)?.clamp(1e-6, f64::MAX)?;
                ((squares * mask)?.flatten_from(1)?.sum(1)? / total)?
            }
        };
        errors * Tensor::new(noised.weights.as_slice(), &self.device)?
    }
}
