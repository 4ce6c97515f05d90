//! ᾱ and σ of every training timestep, in the precision in which diffusers holds them.
//!
//! diffusers computes its tables in single precision, and small steps at the noisy end feel it. So the
//! values here are rounded where torch rounds them, and everything after is in double precision.

use candle_core::Tensor;
use special::Beta;

use super::config::SchedulerConfig;
use super::sampler::{parts, sum};
use super::schedule::Prediction;

/// ᾱ of every training timestep.
#[derive(Debug, Clone)]
pub(super) struct Table {
    alphas_cumprod: Vec<f64>,
}

/// `torch.linspace` in single precision: the step is rounded, each half is counted from its end.
fn linspace(from: f64, to: f64, count: usize) -> Vec<f32> {
    let (from, to) = (from as f32, to as f32);
    if count == 1 {
        return vec![from];
    }
    let step = f64::from((to - from) / (count - 1) as f32);
    (0..count)
        .map(|index| {
            if index < count / 2 {
                (f64::from(from) + step * index as f64) as f32
            } else {
                (f64::from(to) - step * (count - 1 - index) as f64) as f32
            }
        })
        .collect()
}

/// The running product, kept in double and read in single precision.
fn cumprod(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut product = 1.0f64;
    values
        .map(|value| {
            product *= f64::from(value);
            product as f32
        })
        .collect()
}

/// Shifts and scales √ᾱ so that it ends at zero (Lin et al., arXiv 2305.08891, algorithm 1).
fn zero_snr(betas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> =
        cumprod(betas.iter().map(|beta| 1.0 - beta)).iter().map(|a| a.sqrt()).collect();
    let (Some(first), Some(last)) = (roots.first().copied(), roots.last().copied()) else {
        return Vec::new();
    };
    let factor = first / (first - last);
    let bars: Vec<f32> = roots.iter().map(|root| ((root - last) * factor).powi(2)).collect();
    (0..bars.len())
        .map(|index| 1.0 - if index == 0 { bars[0] } else { bars[index] / bars[index - 1] })
        .collect()
}

impl Table {
    pub(super) fn new(config: &SchedulerConfig) -> Result<Self, String> {
        let count = config.num_train_timesteps;
        let mut betas: Vec<f32> = match (&config.trained_betas, config.beta_schedule.as_str()) {
            (Some(betas), _) => betas.iter().map(|beta| *beta as f32).collect(),
            (None, "linear") => linspace(config.beta_start, config.beta_end, count),
            (None, "scaled_linear") => {
                let roots = linspace(config.beta_start.sqrt(), config.beta_end.sqrt(), count);
                roots.iter().map(|root| root * root).collect()
            }
            (None, "squaredcos_cap_v2") => {
                let bar =
                    |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
                let at = |index: usize| bar(index as f64 / count as f64);
                (0..count).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
            }
            // As in GeoDiff; diffusers has it in DDPM alone.
            (None, "sigmoid") => {
                let width = (config.beta_end - config.beta_start) as f32;
                let rise = |x: f32| 1.0 / (1.0 + (-x).exp());
                let xs = linspace(-6.0, 6.0, count);
                xs.iter().map(|x| rise(*x) * width + config.beta_start as f32).collect()
            }
            (None, other) => {
                return Err(format!(
                    "beta_schedule: {other} is not known; linear, scaled_linear, squaredcos_cap_v2 and sigmoid are"
                ));
            }
        };
        if config.zero_snr() {
            if count < 2 {
                return Err("rescale_betas_zero_snr needs two timesteps at least".into());
            }
            betas = zero_snr(&betas);
        }
        let mut alphas = cumprod(betas.iter().map(|beta| 1.0 - beta));
        if config.zero_snr()
            && config.keeps_some_signal()
            && let Some(last) = alphas.last_mut()
        {
            // Close to zero, and still to be divided by.
            *last = 2f32.powi(-24);
        }
        Ok(Self { alphas_cumprod: alphas.into_iter().map(f64::from).collect() })
    }

    pub(super) fn len(&self) -> usize {
        self.alphas_cumprod.len()
    }

    pub(super) fn alpha_cumprod(&self, timestep: usize) -> f64 {
        self.alphas_cumprod[timestep.min(self.len() - 1)]
    }

    /// `clean` under `noise` as at a timestep.
    pub(super) fn noisy(
        &self,
        clean: &Tensor,
        noise: &Tensor,
        timestep: usize,
    ) -> candle_core::Result<Tensor> {
        let alpha = self.alpha_cumprod(timestep);
        sum(&[(alpha.sqrt(), clean), ((1.0 - alpha).sqrt(), noise)])
    }

    /// Clean sample and noise of what a network predicted for `sample` at a timestep.
    pub(super) fn parts(
        &self,
        kind: Prediction,
        prediction: &Tensor,
        sample: &Tensor,
        timestep: usize,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let alpha = self.alpha_cumprod(timestep);
        parts(kind, prediction, sample, alpha.sqrt(), (1.0 - alpha).sqrt())
    }

    /// √((1 − ᾱ) / ᾱ) of every timestep.
    pub(super) fn sigmas(&self) -> Vec<f64> {
        let single = |alpha: f64| {
            let alpha = alpha as f32;
            f64::from(((1.0 - alpha) / alpha).sqrt())
        };
        self.alphas_cumprod.iter().map(|alpha| single(*alpha)).collect()
    }
}

/// `numpy.interp` over `values` at 0, 1, 2 ….
pub(super) fn interpolated(at: f64, values: &[f64]) -> f64 {
    let last = values.len() - 1;
    let low = (at.max(0.0).floor() as usize).min(last);
    let high = (low + 1).min(last);
    values[low] + (values[high] - values[low]) * (at - low as f64).clamp(0.0, 1.0)
}

/// The logarithms of σ in single precision, as diffusers looks timesteps up in them.
pub(super) fn logarithms(sigmas: &[f64]) -> Vec<f64> {
    sigmas.iter().map(|sigma| f64::from((*sigma as f32).ln())).collect()
}

/// The timestep, perhaps between two, whose σ this is.
pub(super) fn timestep_of(sigma: f64, log_sigmas: &[f64]) -> f64 {
    let sought = sigma.max(1e-10).ln();
    let most = log_sigmas.len().saturating_sub(2);
    // The last at or below it.
    let low = log_sigmas.iter().rposition(|known| *known <= sought).unwrap_or(0).min(most);
    let high = (low + 1).min(log_sigmas.len() - 1);
    let width = log_sigmas[low] - log_sigmas[high];
    let share = if width == 0.0 { 0.0 } else { (log_sigmas[low] - sought) / width };
    let share = share.clamp(0.0, 1.0);
    (1.0 - share) * low as f64 + share * high as f64
}

/// `count` values from 0 to 1.
fn ramp(count: usize) -> impl Iterator<Item = f64> {
    let gap = if count > 1 { 1.0 / (count - 1) as f64 } else { 0.0 };
    (0..count).map(move |index| index as f64 * gap)
}

/// σ spaced as Karras et al. have it (arXiv 2206.00364, equation 5; ρ = 7).
pub(super) fn karras(largest: f64, smallest: f64, count: usize) -> Vec<f64> {
    let (from, to) = (largest.powf(1.0 / 7.0), smallest.powf(1.0 / 7.0));
    ramp(count).map(|share| (from + share * (to - from)).powf(7.0)).collect()
}

/// σ spaced evenly in their logarithms.
pub(super) fn exponential(largest: f64, smallest: f64, count: usize) -> Vec<f64> {
    let (from, to) = (largest.ln(), smallest.ln());
    ramp(count).map(|share| (from + share * (to - from)).exp()).collect()
}

/// σ spaced as the quantiles of a beta distribution (Lee et al., arXiv 2407.12173; α = β = 0.6).
pub(super) fn beta(largest: f64, smallest: f64, count: usize) -> Vec<f64> {
    const SHAPE: f64 = 0.6;
    let norm = SHAPE.ln_beta(SHAPE);
    ramp(count)
        .map(|share| {
            smallest + (1.0 - share).inv_inc_beta(SHAPE, SHAPE, norm) * (largest - smallest)
        })
        .collect()
}
