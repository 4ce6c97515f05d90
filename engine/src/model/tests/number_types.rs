//! Networks in other number types and on other devices than the CPU's f32.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::model::{Bundle, Part, Unet, UnetConfig};
use crate::nn::Weights;

/// The small Stable Diffusion 1 of the golden numbers.
fn bundle() -> Bundle {
    Bundle::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/sd1")).unwrap()
}

/// A question, and what `unet` predicts; on the CPU.
fn predict(unet: &Unet, device: &Device) -> Tensor {
    let config = unet.config();
    let numbers = |shape: &[usize], seed| {
        let mut source = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(seed);
        let values = crate::device::normal(&mut source, shape.iter().product());
        Tensor::from_vec(values, shape, device).unwrap()
    };
    let sample = numbers(&[2, config.in_channels, 8, 8], 1);
    let context = numbers(&[2, 5, config.context_width()], 2);
    let answer = unet.forward(&sample, &[10.0, 700.0], &context).unwrap();
    assert_eq!(answer.dtype(), DType::F32, "the sampler's numbers stay what they are");
    answer.to_device(&Device::Cpu).unwrap()
}

/// How far two predictions lie apart: the norm of their difference in that of the second.
fn distance(one: &Tensor, other: &Tensor) -> f32 {
    let norm = |x: Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm((one - other).unwrap()) / norm(other.clone())
}

fn network(dtype: DType, device: &Device) -> Unet {
    let config: UnetConfig = bundle().config(Part::Unet).unwrap();
    let weights = Weights::from_file(bundle().stored(Part::Unet).unwrap(), false, dtype, device);
    Unet::new(config, &weights).unwrap()
}

#[test]
fn a_network_in_half_precision_predicts_nearly_what_it_does_in_f32() {
    let cpu = Device::Cpu;
    let expected = predict(&network(DType::F32, &cpu), &cpu);
    let difference = distance(&predict(&network(DType::F16, &cpu), &cpu), &expected);
    assert!(difference > 0.0 && difference < 1e-2, "{difference}");
}

#[cfg(feature = "cuda")]
#[test]
fn a_network_on_a_gpu_predicts_what_it_does_on_the_cpu() {
    use crate::kernel::{SINGLE, gpu};

    let Some(device) = gpu("a_network_on_a_gpu_predicts_what_it_does_on_the_cpu") else { return };
    let expected = predict(&network(DType::F32, &Device::Cpu), &Device::Cpu);
    let difference = distance(&predict(&network(DType::F32, &device), &device), &expected);
    assert!(difference < SINGLE, "{difference} in f32");
    // As a bundle loads it, which on a GPU is in bf16.
    let (loaded, weights) = bundle().unet(false, &device).unwrap();
    assert_eq!(weights.dtype(), DType::BF16);
    let difference = distance(&predict(&loaded, &device), &expected);
    assert!(difference < 3e-2, "{difference} in bf16");
}
