//! How long a run takes, and how much memory: known before its first step.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Var;

use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainEvent;
use super::optimiser::Learner;
use super::trainee::Trainee;
use crate::kernel::memory;

/// Times steps since this process began them.
pub(super) struct Clock {
    /// The step before the first.
    first: u64,
    started: Instant,
}

impl Clock {
    pub(super) fn start(first: u64) -> Self {
        Self { first, started: Instant::now() }
    }

    /// Seconds that the steps after `step` take, by those before.
    pub(super) fn seconds_left(&self, step: u64, total: u64) -> f64 {
        let each = self.started.elapsed().as_secs_f64() / (step - self.first) as f64;
        each * (total - step) as f64
    }
}

/// What a run will take.
pub(super) struct Estimate {
    seconds: f64,
    /// The most that was held during a step, and what was held before.
    held: Option<(u64, u64)>,
}

impl Estimate {
    /// Computes the gradients of the batch that follows `step`, and lets them go: nothing moves, for losses are
    /// functions of their number. Once to warm up, for the first asks for memory that the others find, and once on
    /// the clock. A look at held-out patients takes `look_seconds`.
    pub(super) fn before_step(
        config: &TrainConfig,
        trainee: &dyn Trainee,
        step: u64,
        look_seconds: f64,
    ) -> Result<Self, TrainError> {
        let before = if memory::forget_peak() { memory::peak() } else { None };
        let batch = step * config.accumulate + 1;
        let mut each = 0.0;
        for _ in 0..2 {
            let begun = Instant::now();
            let (loss, gradients) = trainee.gradients(batch, config.gradient_checkpointing)?;
            // A GPU is done when its answer is there.
            loss.to_scalar::<f32>()?;
            drop(gradients);
            each = begun.elapsed().as_secs_f64();
        }
        let steps = (config.steps - step) as f64;
        let looks = looks_until(config.steps, config.validate_every);
        let looks = (looks - step / config.validate_every) as f64;
        Ok(Self {
            seconds: each * config.accumulate as f64 * steps + look_seconds * looks,
            held: before.and_then(|before| Some((memory::peak()?, before))),
        })
    }

    /// What a run says of it before the step after `step`.
    pub(super) fn event(
        &self,
        step: u64,
        variables: &BTreeMap<String, Var>,
        learners: &BTreeMap<String, Learner>,
    ) -> TrainEvent {
        let of = |variable: &Var| (variable.elem_count() * variable.dtype().size_in_bytes()) as u64;
        let weight_bytes: u64 = variables.values().map(of).sum();
        TrainEvent::Estimate {
            step,
            seconds: self.seconds,
            weight_bytes,
            gradient_bytes: weight_bytes,
            optimiser_bytes: learners.values().map(Learner::bytes).sum(),
            // Gradients are part of what a step takes.
            activation_bytes: self
                .held
                .map(|(peak, before)| peak.saturating_sub(before + weight_bytes)),
            peak_bytes: self.held.map(|(peak, _)| peak),
        }
    }
}

/// Looks at held-out patients after the steps up to the last, `steps`, which has one in any case.
fn looks_until(steps: u64, every: u64) -> u64 {
    steps.div_ceil(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_has_its_look() {
        // After 3, 6 and 7; after 3 and 6; after 2.
        assert_eq!([looks_until(7, 3), looks_until(6, 3), looks_until(2, 3)], [3, 2, 1]);
    }
}
