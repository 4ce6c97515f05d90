//! Each kernel against candle's composed operations, and each gradient against a finite difference.
#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod routes;

use candle_core::{D, Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};

use super::*;

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn assert_close(ours: &Tensor, theirs: &Tensor, tolerance: f32) {
    assert_eq!(ours.dims(), theirs.dims());
    let largest = theirs.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let difference =
        (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(difference <= tolerance * largest.max(1e-6), "differs by {difference} of {largest}");
}

/// Walks every value of every input and compares its gradient with a central difference.
fn check_gradients(inputs: &[Tensor], forward: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let variables: Vec<Var> = inputs.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let out = forward(&tensors).unwrap();
    // A random direction, so that no error can hide in a sum.
    let direction = random(out.dims(), 99);
    let loss = |out: &Tensor| (out * &direction).unwrap().sum_all().unwrap();
    let gradients = loss(&out).backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let gradient = gradients.get(&variables[index]).unwrap();
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let values = input.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for position in 0..values.len() {
            let at = |step: f32| {
                let mut moved = values.clone();
                moved[position] += step;
                let mut inputs = inputs.to_vec();
                inputs[index] = Tensor::from_vec(moved, input.shape(), &Device::Cpu).unwrap();
                f64::from(loss(&forward(&inputs).unwrap()).to_scalar::<f32>().unwrap())
            };
            let expected = (at(5e-3) - at(-5e-3)) / 1e-2;
            let found = f64::from(gradient[position]);
            assert!(
                (expected - found).abs() <= 2e-2 * expected.abs().max(0.2),
                "input {index}, value {position}: finite difference {expected}, gradient {found}"
            );
        }
    }
}

#[test]
fn convolution_agrees_with_candle() {
    for (batch, channels, out, size, kernel, stride, padding) in [
        (1, 1, 1, 5, 3, 1, 1),
        (3, 5, 7, 9, 3, 1, 1),
        (2, 4, 6, 8, 3, 2, 1),
        (2, 3, 5, 7, 3, 2, 0),
        (5, 6, 3, 4, 1, 1, 0),
        (33, 3, 17, 6, 3, 1, 1),
        (2, 3, 4, 11, 5, 3, 2),
        (2, 3, 4, 6, 2, 2, 0),
    ] {
        let x = random(&[batch, channels, size, size + 2], 1);
        let w = random(&[out, channels, kernel, kernel], 2);
        let b = random(&[out], 3);
        let ours = conv2d(&x, &w, Some(&b), stride, padding).unwrap();
        let theirs = x.conv2d(&w, padding, stride, 1, 1).unwrap();
        let theirs = theirs.broadcast_add(&b.reshape((1, out, 1, 1)).unwrap()).unwrap();
        assert_close(&ours, &theirs, 1e-5);
    }
}

#[test]
fn convolution_has_right_gradients() {
    for (size, kernel, stride, padding) in [(4, 3, 1, 1), (5, 3, 2, 1), (3, 1, 1, 0), (6, 3, 2, 0)]
    {
        let inputs =
            [random(&[3, 2, size, size], 1), random(&[3, 2, kernel, kernel], 2), random(&[3], 3)];
        check_gradients(&inputs, |t| conv2d(&t[0], &t[1], Some(&t[2]), stride, padding));
    }
}

#[test]
fn a_frozen_convolution_passes_the_gradient_on() {
    let x = Var::from_tensor(&random(&[2, 2, 4, 4], 1)).unwrap();
    let w = random(&[3, 2, 3, 3], 2);
    let y = conv2d(x.as_tensor(), &w, None, 1, 1).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_some());
    assert!(gradients.get(&w).is_none());
}

#[test]
fn convolutions_that_do_not_fit_are_refused() {
    let x = random(&[1, 2, 4, 4], 1);
    assert!(conv2d(&x, &random(&[3, 5, 3, 3], 2), None, 1, 1).is_err());
    assert!(conv2d(&x, &random(&[3, 2, 7, 7], 2), None, 1, 0).is_err());
}

#[test]
fn norms_agree_with_candle() {
    for (batch, channels, groups, size) in
        [(1, 4, 2, 3), (3, 12, 3, 7), (2, 32, 32, 5), (2, 6, 1, 17), (2, 8, 2, 1)]
    {
        let x = random(&[batch, channels, size, size], 1).affine(3.0, 1.0).unwrap();
        let (w, b) = (random(&[channels], 2), random(&[channels], 3));
        let theirs =
            candle_nn::GroupNorm::new(w.clone(), b.clone(), channels, groups, 1e-5).unwrap();
        let theirs = candle_nn::Module::forward(&theirs, &x).unwrap();
        assert_close(&group_norm(&x, &w, &b, groups, 1e-5, false).unwrap(), &theirs, 1e-5);
        let theirs = candle_nn::ops::silu(&theirs).unwrap();
        assert_close(&group_norm(&x, &w, &b, groups, 1e-5, true).unwrap(), &theirs, 1e-5);
    }
    let x = random(&[3, 5, 19], 1);
    let (w, b) = (random(&[19], 2), random(&[19], 3));
    let theirs = candle_nn::ops::layer_norm_slow(&x, &w, &b, 1e-5).unwrap();
    assert_close(&layer_norm(&x, &w, &b, 1e-5).unwrap(), &theirs, 1e-5);
}

#[test]
fn norms_have_right_gradients() {
    for silu in [false, true] {
        let inputs = [random(&[2, 4, 3, 2], 1), random(&[4], 2), random(&[4], 3)];
        check_gradients(&inputs, |t| group_norm(&t[0], &t[1], &t[2], 2, 1e-5, silu));
        let inputs = [random(&[2, 8, 1, 1], 1), random(&[8], 2), random(&[8], 3)];
        check_gradients(&inputs, |t| group_norm(&t[0], &t[1], &t[2], 2, 1e-5, silu));
    }
    let inputs = [random(&[3, 7], 1), random(&[7], 2), random(&[7], 3)];
    check_gradients(&inputs, |t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
}

#[test]
fn activations_agree_with_candle() {
    let x = (random(&[7, 38], 1) * 8.0).unwrap();
    assert_close(&silu(&x).unwrap(), &candle_nn::ops::silu(&x).unwrap(), 1e-6);
    let halves = x.chunk(2, D::Minus1).unwrap();
    let theirs = (&halves[0] * halves[1].gelu_erf().unwrap()).unwrap();
    assert_close(&geglu(&x).unwrap(), &theirs, 1e-6);
    assert_close(&softmax(&x).unwrap(), &candle_nn::ops::softmax(&x, D::Minus1).unwrap(), 1e-6);
    assert!(geglu(&random(&[2, 3], 1)).is_err());
}

#[test]
fn activations_have_right_gradients() {
    let x = (random(&[3, 18], 1) * 2.0).unwrap();
    check_gradients(std::slice::from_ref(&x), |t| silu(&t[0]));
    check_gradients(std::slice::from_ref(&x), |t| geglu(&t[0]));
    check_gradients(&[x], |t| softmax(&t[0]));
}

#[test]
fn softmax_bears_large_values() {
    let x = Tensor::new(&[[1000f32, 1000.0, -1000.0]], &Device::Cpu).unwrap();
    let y = softmax(&x).unwrap().to_vec2::<f32>().unwrap();
    assert!((y[0][0] - 0.5).abs() < 1e-6 && y[0][2] < 1e-20);
}

#[test]
fn adamw_agrees_with_candles() {
    use candle_nn::Optimizer;
    let start = random(&[37, 5], 1);
    let (ours, theirs) = (Var::from_tensor(&start).unwrap(), Var::from_tensor(&start).unwrap());
    let parameters = candle_nn::ParamsAdamW { lr: 1e-2, weight_decay: 0.05, ..Default::default() };
    let mut peer = candle_nn::AdamW::new(vec![theirs.clone()], parameters).unwrap();
    let state = AdamW::new(ours.as_tensor()).unwrap();
    let target = random(&[37, 5], 2);
    for step in 1..=20 {
        let loss = |v: &Var| (v.as_tensor() - &target).unwrap().sqr().unwrap().sum_all().unwrap();
        let gradients = loss(&ours).backward().unwrap();
        let numbers = AdamWStep {
            step,
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.05,
            gradient_scale: 1.0,
            average_decay: 0.0,
        };
        state.apply(&ours, gradients.get(&ours).unwrap(), numbers).unwrap();
        peer.backward_step(&loss(&theirs)).unwrap();
    }
    assert_close(ours.as_tensor(), theirs.as_tensor(), 1e-5);
    // With a decay of 0 the average is the weight.
    assert_close(&state.average().unwrap(), ours.as_tensor(), 1e-6);
    let composed = Var::from_tensor(&start).unwrap();
    let fused = Var::from_tensor(&start).unwrap();
    let numbers = AdamWStep {
        step: 3,
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        gradient_scale: 0.5,
        average_decay: 0.9,
    };
    let (one, two) = (AdamW::new(&start).unwrap(), AdamW::new(&start).unwrap());
    one.apply(&fused, &target, numbers).unwrap();
    two.apply_composed(&composed, &target, numbers).unwrap();
    assert_close(fused.as_tensor(), composed.as_tensor(), 1e-6);
    assert_close(one.state.as_tensor(), two.state.as_tensor(), 1e-6);
}
