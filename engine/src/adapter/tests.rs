//! A fresh adapter changes nothing, a saved one computes what the trained one did.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::nn::{Linear, Weights};

fn config(r: usize) -> LoraConfig {
    LoraConfig { peft_type: "LORA".into(), r, lora_alpha: 3.0, target_modules: vec!["to_q".into()] }
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

#[test]
fn a_lora_adds_its_scaled_product() {
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    let layer = Linear::new(6, 4, &weights.pp("block.to_q")).unwrap();
    let x = random((5, 6));
    let base = layer.forward(&x).unwrap();
    let (lora, variables) = Lora::fresh(config(2), &weights, 2, &Device::Cpu).unwrap();
    attach(&weights, &[(&lora, 1.0)]);
    assert!(same(&layer.forward(&x).unwrap(), &base), "a fresh adapter changes nothing");

    let b = &variables["base_model.model.block.to_q.lora_B.weight"];
    b.set(&random((4, 2))).unwrap();
    let a = variables["base_model.model.block.to_q.lora_A.weight"].as_tensor();
    // Merged equals unmerged at alpha ≠ rank: W + 0.5 · α/r · B A.
    let merged = (b.matmul(a).unwrap() * (0.5 * 3.0 / 2.0)).unwrap();
    let expected = (&base + x.matmul(&merged.t().unwrap()).unwrap()).unwrap();
    attach(&weights, &[(&lora, 0.5)]);
    assert!(difference(&layer.forward(&x).unwrap(), &expected) < 1e-5);

    let folder = tempfile::tempdir().unwrap();
    let values: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| (name.clone(), value.as_tensor().clone())).collect();
    let card = AdapterCard { base_sha256: "abc".into(), ..AdapterCard::default() };
    Lora::save(folder.path(), &config(2), &values, &card).unwrap();
    let (read, _) = Lora::open(folder.path(), "abc", &weights, &Device::Cpu).unwrap();
    attach(&weights, &[(&read, 0.5)]);
    assert!(difference(&layer.forward(&x).unwrap(), &expected) < 1e-2, "half precision on disk");
    attach(&weights, &[]);
    assert!(same(&layer.forward(&x).unwrap(), &base), "detached");

    let error = Lora::open(folder.path(), "other", &weights, &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("other weights"));
}

#[test]
fn what_cannot_be_adapted_is_refused() {
    let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
    Linear::new(6, 4, &weights.pp("block.to_q")).unwrap();
    let error = Lora::fresh(config(5), &weights, 2, &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("rank"));
    let none = LoraConfig { target_modules: vec!["to_x".into()], ..config(2) };
    assert!(
        Lora::fresh(none, &weights, 2, &Device::Cpu).err().unwrap().to_string().contains("to_x")
    );
}
