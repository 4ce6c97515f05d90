//! Each kernel against candle's composed operations, and each gradient against a finite difference.
#![allow(clippy::unwrap_used, clippy::panic)]

mod attention;
mod convolution;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod int8;
mod linear;
mod norms;
mod optimiser;
mod products;
mod routes;

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};

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

/// What `forward` gives of `inputs`, and the gradient of each, of a sum with random weights.
fn with_gradients(
    inputs: &[Tensor],
    forward: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> (Tensor, Vec<Tensor>) {
    let variables: Vec<Var> = inputs.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let out = forward(&tensors).unwrap();
    let direction = random(out.dims(), 99).to_dtype(out.dtype()).unwrap();
    let loss = (&out * &direction).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let of = |v| gradients.get(v).unwrap().to_dtype(DType::F32).unwrap();
    (out.to_dtype(DType::F32).unwrap(), variables.iter().map(|v| of(v.as_tensor())).collect())
}

/// That `ours` gives what `theirs` does, with all gradients, in single precision; and in bf16 as nearly as its
/// eight bits allow.
fn agree(
    inputs: &[Tensor],
    ours: impl Fn(&[Tensor]) -> Result<Tensor>,
    theirs: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let (expected, slopes) = with_gradients(inputs, theirs);
    for (dtype, tolerance) in [(DType::F32, 2e-5), (DType::BF16, 3e-2)] {
        let inputs: Vec<Tensor> = inputs.iter().map(|x| x.to_dtype(dtype).unwrap()).collect();
        let (found, found_slopes) = with_gradients(&inputs, &ours);
        assert_close(&found, &expected, tolerance);
        for (found, expected) in found_slopes.iter().zip(&slopes) {
            assert_close(found, expected, tolerance);
        }
    }
}
