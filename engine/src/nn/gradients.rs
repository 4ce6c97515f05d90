//! For tests: the gradient of every weight of a network against a finite difference.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;

use crate::device::normal;

/// Normally distributed values, a function of the seed.
pub(crate) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut source = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values = normal(&mut source, shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The value of a scalar.
pub(crate) fn scalar(x: &Tensor) -> f64 {
    f64::from(x.to_scalar::<f32>().unwrap())
}

/// Moves every weight by about `by` from where it starts, so that nothing is zero by construction.
pub(crate) fn shake(variables: &BTreeMap<String, Var>, by: f64) {
    for (seed, variable) in variables.values().enumerate() {
        let noise = (random(variable.dims(), seed as u64) * by).unwrap();
        let noise = noise.to_device(variable.device()).unwrap();
        variable.set(&(variable.as_detached_tensor() + noise).unwrap()).unwrap();
    }
}

/// By how much a loss should change over a step: above its rounding,
const LONG: f64 = 2e-3;
/// and where its slope changes within so much.
const SHORT: f64 = 2e-4;

/// Holds the gradient of every variable of `what` against a finite difference along it.
pub(crate) fn check_gradients(
    what: &str,
    variables: &BTreeMap<String, Var>,
    loss: &dyn Fn() -> Tensor,
) {
    let gradients = loss().backward().unwrap();
    for (name, variable) in variables {
        let gradient =
            gradients.get(variable).unwrap_or_else(|| panic!("{what} {name}: no gradient"));
        // Along the gradient itself the difference is largest, and no sign can hide.
        let norm = scalar(&gradient.sqr().unwrap().sum_all().unwrap()).sqrt();
        if name.ends_with("to_k.bias") || name.ends_with("k_proj.bias") {
            // Softmax takes no notice of what is the same for all keys.
            assert!(norm < 1e-4, "{what} {name}: {norm}");
            continue;
        }
        assert!(norm > 0.0, "{what} {name}: the gradient is zero");
        let direction = (gradient / norm).unwrap();
        let start = variable.as_detached_tensor().copy().unwrap();
        let at = |step: f64| {
            variable.set(&(&start + (&direction * step).unwrap()).unwrap()).unwrap();
            scalar(&loss())
        };
        let difference = |scale: f64| {
            let step = (scale / norm).clamp(1e-4 * scale / LONG, 5e-2);
            (at(step) - at(-step)) / (2.0 * step)
        };
        let near = |found: f64| (found - norm).abs() <= 0.05 * norm + 2e-4;
        let mut expected = difference(LONG);
        if !near(expected) {
            // A sum of absolute differences has kinks: it is straight over a shorter way.
            expected = difference(SHORT);
        }
        variable.set(&start).unwrap();
        assert!(near(expected), "{what} {name}: finite difference {expected}, gradient {norm}");
    }
}
