//! Who may use the device: a clinician does not wait behind a training.
//!
//! A training asks between its steps whether a generation waits; if so it stands aside until the
//! generation is done. Both are blocking threads, so this is a condition variable and no async
//! semaphore.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skiagraph_engine::device::CancelToken;

/// A generation that has waited this long starts beside the training: a validation pass between
/// two steps may take longer than anybody should stand in line.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often a waiting thread looks at its cancel token.
const GLANCE: Duration = Duration::from_millis(200);

/// The device's permit; clones are the same permit.
#[derive(Debug, Clone, Default)]
pub struct Permit(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Generations that run or wait.
    generations: usize,
    /// Trainings in the middle of a step.
    trainings: usize,
}

/// A generation that runs or waits to; it counts until it is dropped.
#[derive(Debug)]
pub struct GenerationTurn(Arc<Shared>);

/// A training that has the device; it counts until it is dropped.
#[derive(Debug)]
pub struct TrainingTurn(Arc<Shared>);

impl Permit {
    /// Waits until no training is in the middle of a step, or [`LONGEST_WAIT`] has passed.
    pub fn generation(&self, cancel: &CancelToken) -> GenerationTurn {
        let turn = {
            let mut state = self.0.lock();
            state.generations += 1;
            GenerationTurn(Arc::clone(&self.0))
        };
        let until = Instant::now() + LONGEST_WAIT;
        let mut state = self.0.lock();
        while state.trainings > 0 && !cancel.is_cancelled() && Instant::now() < until {
            state = self.0.wait(state);
        }
        turn
    }

    /// Waits until no generation runs or waits.
    pub fn training(&self, cancel: &CancelToken) -> TrainingTurn {
        let mut state = self.0.lock();
        while state.generations > 0 && !cancel.is_cancelled() {
            state = self.0.wait(state);
        }
        state.trainings += 1;
        TrainingTurn(Arc::clone(&self.0))
    }
}

impl TrainingTurn {
    /// Stands aside for generations, if there are any. Called between steps.
    pub fn stand_aside(&self, cancel: &CancelToken) {
        let mut state = self.0.lock();
        if state.generations == 0 {
            return;
        }
        state.trainings -= 1;
        self.0.changed.notify_all();
        while state.generations > 0 && !cancel.is_cancelled() {
            state = self.0.wait(state);
        }
        state.trainings += 1;
    }
}

impl Shared {
    /// The counts stay right when a holder panics, so a poisoned lock is as good as another.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, GLANCE).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for GenerationTurn {
    fn drop(&mut self) {
        self.0.lock().generations -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for TrainingTurn {
    fn drop(&mut self) {
        self.0.lock().trainings -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_training_stands_aside_between_steps() {
        let permit = Permit::default();
        let cancel = CancelToken::new();
        let (sender, order) = mpsc::channel();
        let turn = permit.training(&cancel);
        let generation = thread::spawn({
            let (permit, cancel, sender) = (permit.clone(), cancel.clone(), sender.clone());
            move || {
                let turn = permit.generation(&cancel);
                sender.send("generation").unwrap();
                drop(turn);
            }
        });
        while permit.0.lock().generations == 0 {
            thread::yield_now();
        }
        assert!(order.try_recv().is_err(), "the generation must wait for the end of the step");
        turn.stand_aside(&cancel);
        sender.send("training").unwrap();
        generation.join().unwrap();
        assert_eq!(order.recv().unwrap(), "generation");
        assert_eq!(order.recv().unwrap(), "training");
    }

    #[test]
    fn a_cancelled_training_does_not_wait() {
        let permit = Permit::default();
        let cancel = CancelToken::new();
        let generation = permit.generation(&cancel);
        cancel.cancel();
        drop(permit.training(&cancel));
        drop(generation);
        assert_eq!(permit.0.lock().generations, 0);
        assert_eq!(permit.0.lock().trainings, 0);
    }
}
