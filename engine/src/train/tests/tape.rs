//! A run that keeps less learns the same.

use super::*;
use crate::nn::Tape;

#[test]
fn gradient_checkpointing_changes_no_loss_and_no_gradient() {
    let desk = Desk::new();
    for task in TASKS.into_iter().filter(|task| task.checkpoints()) {
        let trainee = desk.trainee(task);
        shake(trainee.as_ref());
        let [(expected, kept), (found, again)] =
            [false, true].map(|checkpointing| trainee.gradients(1, checkpointing).unwrap());
        assert_eq!(scalar(&found).to_bits(), scalar(&expected).to_bits(), "{task:?}");
        let tape = Tape::new();
        let reached = trainee.loss_on(1, &tape).unwrap().backward().unwrap();
        let mut variables = trainee.variables().values();
        assert!(variables.all(|variable| reached.get(variable).is_none()), "{task:?} keeps all");
        let norm = |x: &Tensor| scalar(&x.sqr().unwrap().sum_all().unwrap()).sqrt();
        for (name, variable) in trainee.variables() {
            let (found, expected) = (again.get(variable).unwrap(), kept.get(variable).unwrap());
            let (difference, size) = (norm(&(found - expected).unwrap()), norm(expected));
            // What several blocks read has its gradients added in another order.
            assert!(difference <= 2e-5 * size + 1e-9, "{task:?} {name}: {difference} of {size}");
        }
    }
}

#[test]
fn a_run_says_whether_it_checkpoints_and_takes_its_steps_so() {
    let desk = Desk::new();
    let losses = |gradient_checkpointing, out| {
        let config = TrainConfig { gradient_checkpointing, ..desk.config(Task::Lora, out) };
        let mut losses = Vec::new();
        let mut on_event = |event: TrainEvent| {
            if let TrainEvent::Step { loss, .. } = event {
                losses.push(f64::from(loss));
            }
        };
        run(&config, false, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
        losses
    };
    let (expected, found) = (losses(false, "kept"), losses(true, "again"));
    assert_eq!((expected.len(), found.len()), (6, 6));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-5 * expected, "{found}, and {expected} kept");
    }
}
