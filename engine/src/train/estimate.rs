//! How long a run takes, and how much memory: from its own first steps.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Var;

use super::event::TrainEvent;
use super::optimiser::Learner;
use crate::kernel::memory;

/// Steps that are not counted: the first asks for memory that the others find.
const WARM_UP: u64 = 1;
/// Steps that are timed for the estimate.
const TIMED: u64 = 2;

/// Times steps since this process began them.
pub(super) struct Clock {
    /// The step before the first.
    first: u64,
    started: Instant,
    /// When the warm-up was over.
    warm: Option<Instant>,
    /// What the process held before its first step, where the system tells.
    before: Option<u64>,
}

/// What the first steps showed.
pub(super) struct Estimate {
    seconds: f64,
    /// The most that was held during the steps, and what was held before.
    held: Option<(u64, u64)>,
}

impl Clock {
    pub(super) fn start(first: u64) -> Self {
        let before = if memory::forget_peak() { memory::peak() } else { None };
        Self { first, started: Instant::now(), warm: None, before }
    }

    /// Seconds that the steps after `step` take, by those before.
    pub(super) fn seconds_left(&self, step: u64, total: u64) -> f64 {
        let each = self.started.elapsed().as_secs_f64() / (step - self.first) as f64;
        each * (total - step) as f64
    }

    /// The estimate, once: where `step` is the last that is timed for it.
    pub(super) fn estimate(&mut self, step: u64, total: u64) -> Option<Estimate> {
        let done = step - self.first;
        if done == WARM_UP {
            self.warm = Some(Instant::now());
        }
        let warm = self.warm.filter(|_| done == WARM_UP + TIMED)?;
        let each = warm.elapsed().as_secs_f64() / TIMED as f64;
        let held = self.before.and_then(|before| Some((memory::peak()?, before)));
        Some(Estimate { seconds: each * (total - step) as f64, held })
    }
}

impl Estimate {
    /// What a run says of it.
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
            // Gradients are part of what the steps took.
            activation_bytes: self
                .held
                .map(|(peak, before)| peak.saturating_sub(before + weight_bytes)),
            peak_bytes: self.held.map(|(peak, _)| peak),
        }
    }
}
