//! Pseudo numerical methods (Liu et al., arXiv 2202.09778), in the form of diffusers' `PNDMScheduler`.

use candle_core::{Result, Tensor};

use super::config::{SchedulerConfig, trailing};
use super::sampler::{Sampler, Stepped, sum};
use super::schedule::{Prediction, Spacing};
use super::source::NoiseSource;
use super::table::Table;

/// Predictions that a step looks back on.
const ORDER: usize = 4;

/// A linear multistep sampler, begun by Runge and Kutta's method unless it is skipped.
pub(super) struct Pndm {
    table: Table,
    timesteps: Vec<f64>,
    visited: Vec<usize>,
    /// Calls of the network that belong to Runge and Kutta's method.
    kutta: usize,
    stride: usize,
    prediction: Prediction,
    final_alpha: f64,
    /// Steps taken, wherever the sampling began.
    counter: usize,
    history: Vec<Tensor>,
    mean: Option<Tensor>,
    begun: Option<Tensor>,
}

impl Pndm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> std::result::Result<Self, String> {
        if matches!(config.prediction, Prediction::Sample | Prediction::Flow) {
            return Err("prediction_type: must be epsilon or v_prediction".into());
        }
        let count = config.num_train_timesteps;
        // From the image to noise.
        let rising: Vec<usize> = match config.spacing {
            Spacing::Leading | Spacing::Linspace => {
                config.whole_timesteps(steps).into_iter().rev().collect()
            }
            Spacing::Trailing => {
                let mut falling: Vec<usize> = trailing(count, count as f64 / steps as f64)
                    .map(|at| at.round_ties_even() as usize - 1)
                    .collect();
                falling.reverse();
                falling
            }
        };
        let (stride, length) = (count / steps, rising.len());
        let (first, rest) = if config.flag("skip_prk_steps", false)? {
            let mut rest = rising.clone();
            // The step before the last is taken twice.
            if length > 1 {
                rest.insert(length - 1, rising[length - 2]);
            }
            (Vec::new(), rest)
        } else {
            if length < ORDER {
                return Err("steps: PNDM takes 4 at least, unless skip_prk_steps is true".into());
            }
            let last = &rising[length.saturating_sub(ORDER)..];
            let halves: Vec<usize> =
                last.iter().flat_map(|timestep| [*timestep, timestep + stride / 2]).collect();
            // Each but the ends twice.
            let doubled: Vec<usize> =
                halves[..halves.len() - 1].iter().flat_map(|at| [*at, *at]).collect();
            let inner = doubled.get(1..doubled.len().saturating_sub(1)).unwrap_or_default();
            let first = inner.iter().rev().copied().collect();
            (first, rising[..length.saturating_sub(ORDER - 1)].to_vec())
        };
        let kutta = first.len();
        let visited: Vec<usize> = first.into_iter().chain(rest.into_iter().rev()).collect();
        let table = Table::new(config)?;
        let to_one = config.flag("set_alpha_to_one", false)?;
        Ok(Self {
            final_alpha: if to_one { 1.0 } else { table.alpha_cumprod(0) },
            timesteps: visited.iter().map(|timestep| *timestep as f64).collect(),
            visited,
            kutta,
            stride,
            prediction: config.prediction,
            table,
            counter: 0,
            history: Vec::new(),
            mean: None,
            begun: None,
        })
    }

    /// From `timestep` to the one `stride` before it (the paper's equation 9).
    fn transfer(
        &self,
        sample: &Tensor,
        prediction: &Tensor,
        timestep: i64,
        previous: i64,
    ) -> Result<Tensor> {
        let alpha_at = |at: i64| {
            usize::try_from(at).map_or(self.final_alpha, |at| self.table.alpha_cumprod(at))
        };
        let (alpha, before) = (alpha_at(timestep), alpha_at(previous));
        let noise = match self.prediction {
            Prediction::VPrediction => {
                sum(&[(alpha.sqrt(), prediction), ((1.0 - alpha).sqrt(), sample)])?
            }
            Prediction::Epsilon | Prediction::Sample | Prediction::Flow => prediction.clone(),
        };
        let divisor = alpha * (1.0 - before).sqrt() + (alpha * (1.0 - alpha) * before).sqrt();
        sum(&[((before / alpha).sqrt(), sample), (-(before - alpha) / divisor, &noise)])
    }

    /// One of the four calls of a step of Runge and Kutta's method.
    fn kutta_step(&mut self, prediction: &Tensor, sample: &Tensor) -> Result<Tensor> {
        let half = if self.counter.is_multiple_of(2) { self.stride / 2 } else { 0 };
        let timestep = self.visited[self.counter / 4 * 4] as i64;
        let called = self.visited[self.counter] as i64;
        let previous = called - half as i64;
        let add = |mean: &Option<Tensor>, share: f64| match mean {
            None => prediction * share,
            Some(mean) => sum(&[(1.0, mean), (share, prediction)]),
        };
        let used = match self.counter % 4 {
            0 => {
                self.mean = Some(add(&self.mean, 1.0 / 6.0)?);
                self.history.push(prediction.clone());
                self.begun = Some(sample.clone());
                prediction.clone()
            }
            1 | 2 => {
                self.mean = Some(add(&self.mean, 1.0 / 3.0)?);
                prediction.clone()
            }
            _ => {
                let mean = add(&self.mean, 1.0 / 6.0)?;
                self.mean = None;
                mean
            }
        };
        let begun = self.begun.clone().unwrap_or_else(|| sample.clone());
        self.transfer(&begun, &used, timestep, previous)
    }

    /// A step that looks back on the last predictions.
    fn multistep(
        &mut self,
        prediction: &Tensor,
        timestep: usize,
        sample: &Tensor,
    ) -> Result<Tensor> {
        let (mut timestep, stride) = (timestep as i64, self.stride as i64);
        let mut previous = timestep - stride;
        if self.counter == 1 {
            // The first step is taken again, by the mean of both predictions.
            previous = timestep;
            timestep += stride;
        } else {
            let old = self.history.len().saturating_sub(ORDER - 1);
            self.history.drain(..old);
            self.history.push(prediction.clone());
        }
        let mut sample = sample.clone();
        let used = match (&self.history[..], self.counter) {
            ([_], 0) => {
                self.begun = Some(sample.clone());
                prediction.clone()
            }
            ([one], 1) => {
                if let Some(begun) = self.begun.take() {
                    sample = begun;
                }
                sum(&[(0.5, prediction), (0.5, one)])?
            }
            ([b, a], _) => sum(&[(1.5, a), (-0.5, b)])?,
            ([c, b, a], _) => sum(&[(23.0 / 12.0, a), (-16.0 / 12.0, b), (5.0 / 12.0, c)])?,
            ([d, c, b, a], _) => {
                sum(&[(55.0 / 24.0, a), (-59.0 / 24.0, b), (37.0 / 24.0, c), (-9.0 / 24.0, d)])?
            }
            _ => prediction.clone(),
        };
        self.transfer(&sample, &used, timestep, previous)
    }
}

impl Sampler for Pndm {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        prediction: &Tensor,
        index: usize,
        sample: &Tensor,
        _noise: &mut dyn NoiseSource,
    ) -> Result<Stepped> {
        let timestep = self.visited[index];
        let (clean, _) = self.table.parts(self.prediction, prediction, sample, timestep)?;
        let sample = if self.counter < self.kutta {
            self.kutta_step(prediction, sample)?
        } else {
            self.multistep(prediction, timestep, sample)?
        };
        self.counter += 1;
        Ok(Stepped { sample, clean })
    }

    fn add_noise(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.table.noisy(clean, noise, self.visited[index])
    }
}
