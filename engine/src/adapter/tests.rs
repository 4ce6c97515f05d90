//! A fresh adapter changes nothing, a saved one computes what the trained one did.
#![allow(clippy::unwrap_used)]

mod files;
mod fresh;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::nn::{Linear, Weights};

fn config(rank: usize) -> AdapterConfig {
    AdapterConfig::lora(rank, 3.0, &["to_q"])
}

fn random(shape: (usize, usize)) -> Tensor {
    let mut source = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(5);
    Tensor::from_vec(crate::device::normal(&mut source, shape.0 * shape.1), shape, &Device::Cpu)
        .unwrap()
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    difference(a, b).to_bits() == 0
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

fn card() -> AdapterCard {
    AdapterCard { base_sha256: "abc".into(), ..AdapterCard::default() }
}

#[test]
fn a_lora_adds_its_scaled_product() {
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    let layer = Linear::new(6, 4, &weights.pp("block.to_q")).unwrap();
    let networks = Networks::unet(&weights);
    let x = random((5, 6));
    let base = layer.forward(&x).unwrap();
    let (lora, variables) = config(2).fresh(&Networks::unet(&weights), 2, &Device::Cpu).unwrap();
    for merged in [false, true] {
        attach(&networks, &[(&lora, 1.0)], merged).unwrap();
        assert!(same(&layer.forward(&x).unwrap(), &base), "a fresh adapter changes nothing");
    }

    let b = &variables["base_model.model.block.to_q.lora_B.weight"];
    b.set(&random((4, 2))).unwrap();
    let a = variables["base_model.model.block.to_q.lora_A.weight"].as_tensor();
    // W + 0.5 · α/r · B A, at alpha ≠ rank.
    let product = (b.matmul(a).unwrap() * (0.5 * 3.0 / 2.0)).unwrap();
    let expected = (&base + x.matmul(&product.t().unwrap()).unwrap()).unwrap();
    for merged in [false, true] {
        attach(&networks, &[(&lora, 0.5)], merged).unwrap();
        assert!(difference(&layer.forward(&x).unwrap(), &expected) < 1e-5, "merged: {merged}");
        attach(&networks, &[(&lora, 0.0)], merged).unwrap();
        assert!(same(&layer.forward(&x).unwrap(), &base), "a scale of nothing changes nothing");
        attach(&networks, &[], merged).unwrap();
        assert!(same(&layer.forward(&x).unwrap(), &base), "taken off, bit by bit");
    }

    let folder = tempfile::tempdir().unwrap();
    lora.save_trained(folder.path(), &card()).unwrap();
    let read = Adapter::open(folder.path()).unwrap();
    read.check(&networks, "abc").unwrap();
    attach(&networks, &[(&read, 0.5)], false).unwrap();
    assert!(difference(&layer.forward(&x).unwrap(), &expected) < 1e-2, "half precision on disk");
    let error = read.check(&networks, "other").unwrap_err();
    assert!(error.to_string().contains("other weights"), "{error}");
}

#[test]
fn what_cannot_be_adapted_is_refused() {
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    Linear::new(6, 4, &weights.pp("block.to_q")).unwrap();
    let error = config(5).fresh(&Networks::unet(&weights), 2, &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("rank"));
    let none = AdapterConfig::lora(2, 3.0, &["to_q", "to_x"]);
    let error = none.fresh(&Networks::unet(&weights), 2, &Device::Cpu).err().unwrap();
    let words = error.to_string();
    assert!(words.contains("ends in to_x; they end in to_q"), "{words}");
}

#[test]
fn an_adapter_in_f32_learns_beside_a_base_in_half_precision() {
    let weights = Weights::from_seed(1, DType::F16, &Device::Cpu);
    let layer = Linear::new(6, 4, &weights.pp("block.to_q")).unwrap();
    let (lora, variables) = config(2).fresh(&Networks::unet(&weights), 2, &Device::Cpu).unwrap();
    attach(&Networks::unet(&weights), &[(&lora, 1.0)], false).unwrap();
    let x = random((5, 6)).to_dtype(DType::F16).unwrap();
    let answer = || layer.forward(&x).unwrap().to_dtype(DType::F32).unwrap();
    let before = answer();
    let gradients = before.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let b = &variables["base_model.model.block.to_q.lora_B.weight"];
    let gradient = gradients.get(b).unwrap();
    assert_eq!(gradient.dtype(), DType::F32);
    assert!(gradient.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 0.0);
    // What a step moves is what acts.
    b.set(&random((4, 2))).unwrap();
    assert!(difference(&answer(), &before) > 0.1);
}
