//! Where weights come from, and layers against their formulas; golden numbers live in `tests/golden`.
#![allow(clippy::unwrap_used)]

mod tape;

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::kernel::map_weights;

fn seeded(seed: u64) -> Weights {
    Weights::from_seed(seed, DType::F32, &Device::Cpu)
}

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    seeded(seed).get("random", shape, Init::Normal(1.0)).unwrap()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0))
}

#[test]
fn a_seed_gives_a_weight_its_values_in_whatever_order_layers_ask() {
    let init = Init::FanIn(6);
    let get =
        |weights: &Weights, path: &str| flat(&weights.pp(path).get("w", (4, 6), init).unwrap());
    let (one, two) = (seeded(7), seeded(7));
    let (a, b) = (get(&one, "a"), get(&one, "b.c"));
    assert_eq!((get(&two, "b.c"), get(&two, "a")), (b.clone(), a.clone()));
    assert_eq!(flat(&seeded(7).get("a.w", (4, 6), init).unwrap()), a, "the path is the full name");
    assert_ne!(a, b);
    assert_ne!(a, get(&seeded(8), "a"));
    assert_eq!(one.variables().into_keys().collect::<Vec<_>>(), ["a.w", "b.c.w"]);
}

#[test]
fn fresh_weights_spread_as_they_should() {
    let spread = |init| {
        let values = flat(&seeded(1).get("w", 20_000, init).unwrap());
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
        ((squares / 20_000.0).sqrt(), largest)
    };
    let (deviation, largest) = spread(Init::FanIn(25));
    // Uniform in ±1/5: a deviation of 0.2 / √3.
    assert!(
        (deviation - 0.2 / 3f64.sqrt()).abs() < 2e-3 && largest <= 0.2,
        "{deviation} {largest}"
    );
    let (deviation, largest) = spread(Init::Normal(0.02));
    assert!((deviation - 0.02).abs() < 5e-4 && largest < 0.12, "{deviation} {largest}");
    assert_eq!((spread(Init::Zeros), spread(Init::Ones)), ((0.0, 0.0), (1.0, 1.0)));
}

fn file(path: &Path, tensors: &[(&str, Tensor)]) -> Weights {
    let tensors: HashMap<_, _> =
        tensors.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
    Weights::from_file(map_weights(path).unwrap(), true, DType::F32, &Device::Cpu)
}

#[test]
fn a_file_that_does_not_fit_is_refused_with_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = [
        ("layer.weight", random(&[4, 6], 1)),
        ("layer.bias", random(&[5], 2)),
        ("stray.weight", random(&[2], 3)),
    ];
    let weights = file(&folder.path().join("w"), &tensors);
    Linear::new(6, 4, &weights.pp("layer")).unwrap();
    GroupNorm::new(2, 4, 1e-5, &weights.pp("norm")).unwrap();
    let error = weights.finish().unwrap_err().to_string();
    for fault in [
        "missing: norm.weight",
        "missing: norm.bias",
        "shape of layer.bias: [5], not [4]",
        "unexpected: stray.weight",
        "4 faults",
    ] {
        assert!(error.contains(fault), "{fault}: {error}");
    }
    assert!(!error.contains("layer.weight"), "{error}");
    let names: Vec<_> = weights.variables().into_keys().collect();
    assert_eq!(names, ["layer.weight"], "what is not there is not trained");
}

#[test]
fn a_file_that_fits_gives_its_values_in_the_precision_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let value = random(&[4, 6], 1);
    let half = value.to_dtype(DType::F16).unwrap();
    let weights = file(&folder.path().join("w"), &[("layer.weight", half.clone())]);
    Linear::without_bias(6, 4, &weights.pp("layer")).unwrap();
    weights.finish().unwrap();
    let variable = weights.variables()["layer.weight"].as_detached_tensor();
    assert_eq!(variable.dtype(), DType::F32);
    assert_eq!(flat(&variable), flat(&half.to_dtype(DType::F32).unwrap()));
}

#[test]
fn a_network_grows_out_of_a_file_that_lacks_a_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let value = random(&[4, 6], 1);
    let tensors = [("layer.weight", value.clone()), ("elsewhere.weight", random(&[2], 3))];
    drop(file(&path, &tensors));
    let grown =
        || Weights::grown(map_weights(&path).unwrap(), 7, DType::F32, &Device::Cpu).pp("layer");
    let weights = grown();
    assert_eq!(flat(&weights.get("weight", (4, 6), Init::Zeros).unwrap()), flat(&value));
    let init = Init::FanIn(6);
    let bias = flat(&weights.get("bias", 4, init).unwrap());
    assert_eq!(bias, flat(&seeded(7).pp("layer").get("bias", 4, init).unwrap()));
    weights.finish().unwrap();
    assert_eq!(weights.variables().len(), 2, "both are trained");
    let weights = grown();
    weights.get("weight", (4, 5), init).unwrap();
    let error = weights.finish().unwrap_err().to_string();
    assert!(error.contains("shape of layer.weight: [4, 6], not [4, 5]"), "{error}");
}

#[test]
fn what_a_file_does_not_hold_asks_for_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let weights = file(&folder.path().join("w"), &[("layer.weight", random(&[4, 6], 1))]);
    // Four terabytes, and a size beyond any address.
    weights.pp("layer").get("weight", (1 << 20, 1 << 20), Init::Zeros).unwrap();
    weights.get("huge", (1 << 40, 1 << 40), Init::Zeros).unwrap();
    let error = weights.finish().unwrap_err().to_string();
    assert!(error.contains("missing: huge") && error.contains("shape of layer.weight"), "{error}");
}

/// Softmax attention, written out value by value.
fn naive(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Option<&Tensor>) -> Vec<f32> {
    let (batch, n, inner) = q.dims3().unwrap();
    let (m, width) = (k.dim(1).unwrap(), inner / heads);
    let (q, k, v) = (flat(q), flat(k), flat(v));
    let mask = mask.map_or_else(|| vec![0.0; n * m], flat);
    let mut out = vec![0f32; batch * n * inner];
    for item in 0..batch {
        for head in 0..heads {
            for row in 0..n {
                let at = |length, position, lane| {
                    (item * length + position) * inner + head * width + lane
                };
                let scores: Vec<f64> = (0..m)
                    .map(|column| {
                        let product: f64 = (0..width)
                            .map(|lane| f64::from(q[at(n, row, lane)] * k[at(m, column, lane)]))
                            .sum();
                        (product / (width as f64).sqrt() + f64::from(mask[row * m + column])).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for lane in 0..width {
                    let mixed: f64 = (0..m)
                        .map(|column| scores[column] * f64::from(v[at(m, column, lane)]))
                        .sum();
                    out[at(n, row, lane)] = (mixed / total) as f32;
                }
            }
        }
    }
    out
}

#[test]
fn attention_is_the_softmax_of_scaled_products() {
    for (batch, n, m, inner, heads) in [(1, 1, 1, 4, 1), (2, 5, 3, 12, 3), (3, 4, 9, 8, 2)] {
        let q = random(&[batch, n, inner], 1);
        let (k, v) = (random(&[batch, m, inner], 2), random(&[batch, m, inner], 3));
        let found = attend(&q, &k, &v, heads, None).unwrap();
        assert_eq!(found.dims(), [batch, n, inner]);
        assert!(close(&flat(&found), &naive(&q, &k, &v, heads, None)));
        let mask = random(&[n, m], 4);
        let found = attend(&q, &k, &v, heads, Some(&mask)).unwrap();
        assert!(close(&flat(&found), &naive(&q, &k, &v, heads, Some(&mask))));
    }
}

#[test]
fn a_masked_token_is_not_seen() {
    let infinity = f32::NEG_INFINITY;
    let mask = Tensor::new(&[[0f32, infinity], [0.0, 0.0]], &Device::Cpu).unwrap();
    let (q, k) = (random(&[1, 2, 4], 1), random(&[1, 2, 4], 2));
    let first = |v: &Tensor| flat(&attend(&q, &k, v, 2, Some(&mask)).unwrap())[..4].to_vec();
    let v = random(&[1, 2, 4], 3);
    assert!(close(&first(&v), &flat(&v)[..4]));
}

#[test]
fn attention_projects_the_context_that_it_is_given() {
    let weights = seeded(5);
    let attention = Attention::new(8, 6, 8, 2, true, &weights).unwrap();
    let (x, context) = (random(&[2, 3, 8], 1), random(&[2, 5, 6], 2));
    let taken = weights.variables();
    let project = |name: &str, x: &Tensor| {
        let weight = taken[&format!("{name}.weight")].as_tensor().t().unwrap();
        let bias = taken[&format!("{name}.bias")].as_tensor();
        x.broadcast_matmul(&weight).unwrap().broadcast_add(bias).unwrap()
    };
    let (q, k, v) = (project("to_q", &x), project("to_k", &context), project("to_v", &context));
    let mixed = Tensor::from_vec(naive(&q, &k, &v, 2, None), (2, 3, 8), &Device::Cpu).unwrap();
    let expected = flat(&project("to_out.0", &mixed));
    assert!(close(&flat(&attention.forward(&x, Some(&context)).unwrap()), &expected));
}

#[test]
fn time_is_sines_and_cosines_of_falling_frequencies() {
    let embed = |times: &[f64], width, flip, shift| {
        let values =
            timestep_embedding(times, width, flip, shift, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(values.dims(), [times.len(), width]);
        flat(&values)
    };
    // Two frequencies: 1 and 10,000^(−1/2) = 0.01.
    let (a, b) = (3f32, 0.03f32);
    let expected = [a.cos(), b.cos(), a.sin(), b.sin()];
    assert!(close(&embed(&[3.0], 4, true, 0.0), &expected));
    assert!(close(&embed(&[3.0], 4, false, 0.0), &[a.sin(), b.sin(), a.cos(), b.cos()]));
    // With a shift of one the last frequency is 1/10,000.
    let last = 3e-4f32;
    assert!(close(&embed(&[3.0], 4, true, 1.0), &[a.cos(), last.cos(), a.sin(), last.sin()]));
    assert!(close(&embed(&[3.0], 5, true, 0.0)[4..], &[0.0]), "an odd width ends in zero");
    assert_eq!(embed(&[0.0, 3.0], 4, true, 0.0)[..4], [1.0, 1.0, 0.0, 0.0]);
}

/// Adds a multiple of the input.
struct Multiple(f64);

impl Delta for Multiple {
    fn forward(&self, x: &Tensor, _y: &Tensor) -> candle_core::Result<Tensor> {
        x * self.0
    }
}

#[test]
fn a_slot_adds_what_it_holds_and_nothing_once_it_is_empty() {
    let weights = seeded(1);
    let linear = Linear::new(4, 4, &weights.pp("linear")).unwrap();
    let conv = Conv2d::new(4, 4, 3, 1, 1, &weights.pp("conv")).unwrap();
    let (row, map) = (random(&[3, 4], 1), random(&[1, 5, 5, 4], 2));
    let before = (linear.forward(&row).unwrap(), conv.forward(&map).unwrap());
    for slot in weights.slots().values() {
        slot.fill(vec![std::sync::Arc::new(Multiple(2.0)), std::sync::Arc::new(Multiple(0.5))]);
    }
    let plus = |y: &Tensor, x: &Tensor| flat(&(y + (x * 2.5).unwrap()).unwrap());
    assert!(close(&flat(&linear.forward(&row).unwrap()), &plus(&before.0, &row)));
    assert!(close(&flat(&conv.forward(&map).unwrap()), &plus(&before.1, &map)));
    for slot in weights.slots().values() {
        slot.fill(Vec::new());
    }
    assert_eq!(flat(&linear.forward(&row).unwrap()), flat(&before.0));
    assert_eq!(flat(&conv.forward(&map).unwrap()), flat(&before.1));
}

#[test]
fn places_become_channels_row_by_row_and_come_back() {
    let map = Tensor::arange(0f32, 32.0, &Device::Cpu).unwrap().reshape((1, 4, 4, 2)).unwrap();
    let folded = space_to_channels(&map, 2).unwrap();
    assert_eq!(folded.dims(), [1, 2, 2, 8]);
    // The square at the top left holds places 0, 1, 4 and 5; first those of channel 0.
    assert_eq!(flat(&folded)[..8], [0.0, 2.0, 8.0, 10.0, 1.0, 3.0, 9.0, 11.0]);
    assert_eq!(flat(&channels_to_space(&folded, 2).unwrap()), flat(&map));
    assert!(space_to_channels(&map, 3).is_err());
    assert!(channels_to_space(&map, 2).is_err());
}

#[test]
fn weights_in_memory_are_frozen_and_must_fit() {
    let tensors = [("a.w".to_owned(), random(&[2, 3], 1))].into();
    let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    let taken = weights.pp("a").get("w", (2, 3), Init::Zeros).unwrap();
    assert_eq!(flat(&taken), flat(&random(&[2, 3], 1)));
    assert!(weights.pp("a").holds("w") && !weights.holds("w"));
    assert!(weights.variables().is_empty());
    assert!(weights.get("w", (2, 3), Init::Zeros).is_err());
    assert!(weights.pp("a").get("w", (3, 2), Init::Zeros).is_err());
}
