//! Every kind of adapter in training: a fresh one changes nothing, every factor has its gradient, and what
//! acts beside the base acts merged and from disk as well.

use candle_core::{DType, Device, Tensor};

use super::super::*;
use crate::nn::gradients::{check_gradients, random, shake};
use crate::nn::{Conv2d, Linear, Weights};

const METHODS: [Method; 4] = [Method::Lora, Method::Dora, Method::Loha, Method::Lokr];

/// A linear layer and three convolutions, one after the other.
struct Net {
    weights: Weights,
    linear: Linear,
    wide: Conv2d,
    narrow: Conv2d,
    down: Conv2d,
}

impl Net {
    fn new() -> Self {
        let weights = Weights::from_seed(1, DType::F32, &Device::Cpu);
        let layers = (
            Linear::new(8, 12, &weights.pp("block.to_q")).unwrap(),
            Conv2d::new(12, 8, 3, 1, 1, &weights.pp("block.conv1")).unwrap(),
            Conv2d::new(8, 16, 1, 1, 0, &weights.pp("block.conv_shortcut")).unwrap(),
            Conv2d::new(16, 6, 3, 2, 1, &weights.pp("downsamplers.0.conv")).unwrap(),
        );
        // What is frozen is packed; a seed's weights are not.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.safetensors");
        crate::model::save_weights(&file, &crate::model::values(&weights.variables()), DType::F32)
            .unwrap();
        drop(layers);
        let stored = crate::kernel::map_weights(&file).unwrap();
        let weights = Weights::from_file(stored, false, DType::F32, &Device::Cpu);
        Self {
            linear: Linear::new(8, 12, &weights.pp("block.to_q")).unwrap(),
            wide: Conv2d::new(12, 8, 3, 1, 1, &weights.pp("block.conv1")).unwrap(),
            narrow: Conv2d::new(8, 16, 1, 1, 0, &weights.pp("block.conv_shortcut")).unwrap(),
            down: Conv2d::new(16, 6, 3, 2, 1, &weights.pp("downsamplers.0.conv")).unwrap(),
            weights,
        }
    }

    fn networks(&self) -> Networks<'_> {
        Networks::unet(&self.weights)
    }

    fn answer(&self) -> Tensor {
        let x = random(&[2, 5, 5, 8], 9);
        let y = self.wide.forward(&self.linear.forward(&x).unwrap()).unwrap();
        self.down.forward(&self.narrow.forward(&y).unwrap()).unwrap()
    }

    fn config(method: Method) -> AdapterConfig {
        let targets = ["to_q", "conv1", "conv_shortcut", "downsamplers.0.conv"];
        AdapterConfig {
            method,
            rank_pattern: Patterns(vec![("block.conv1".into(), 3)]),
            alpha_pattern: Patterns(vec![(".*to_q".into(), 5.0)]),
            ..AdapterConfig::lora(2, 3.0, &targets)
        }
    }
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn largest(x: &Tensor) -> f32 {
    x.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

fn differ(a: &Tensor, b: &Tensor) -> f32 {
    largest(&(a - b).unwrap()) / largest(b)
}

#[test]
fn every_kind_starts_as_nothing_and_acts_beside_the_base_as_merged_and_from_disk() {
    let net = Net::new();
    let base = net.answer();
    for method in METHODS {
        let (adapter, variables) =
            Net::config(method).fresh(&net.networks(), 4, &Device::Cpu).unwrap();
        assert_eq!(adapter.layer_count(), 4);
        attach_trainable(&net.networks(), &adapter).unwrap();
        assert_eq!(bits(&net.answer()), bits(&base), "{method:?}: fresh");
        shake(&variables, 0.3);
        let beside = net.answer();
        assert!(differ(&beside, &base) > 0.1, "{method:?} says something");
        for merged in [false, true] {
            attach(&net.networks(), &[(&adapter, 1.0)], merged).unwrap();
            let difference = differ(&net.answer(), &beside);
            assert!(difference < 1e-5, "{method:?}, merged {merged}: {difference}");
        }
        let folder = tempfile::tempdir().unwrap();
        let card = AdapterCard { method: method.name().into(), ..AdapterCard::default() };
        adapter.save_trained(folder.path(), &card).unwrap();
        let mut files = vec![folder.path().to_owned()];
        let lycoris = folder.path().join("lycoris.safetensors");
        let of_lycoris = matches!(method, Method::Loha | Method::Lokr);
        assert_eq!(lycoris.exists(), of_lycoris, "{method:?}");
        files.extend(of_lycoris.then_some(lycoris));
        for file in files {
            let read = Adapter::open(&file).unwrap();
            read.check(&net.networks(), "any").unwrap();
            attach(&net.networks(), &[(&read, 1.0)], false).unwrap();
            let difference = differ(&net.answer(), &beside);
            assert!(difference < 4e-3, "{method:?} in half precision: {difference}");
            // Read again into a fresh one, it goes on where it was.
            let (again, _) = Net::config(method).fresh(&net.networks(), 5, &Device::Cpu).unwrap();
            again.go_on_from(&read).unwrap();
            attach_trainable(&net.networks(), &again).unwrap();
            assert!(differ(&net.answer(), &beside) < 4e-3, "{method:?} goes on");
        }
        attach(&net.networks(), &[], false).unwrap();
        assert_eq!(bits(&net.answer()), bits(&base), "{method:?}: taken off");
    }
}

#[test]
fn every_factor_has_the_gradient_of_a_finite_difference() {
    let net = Net::new();
    for method in METHODS {
        let (adapter, variables) =
            Net::config(method).fresh(&net.networks(), 4, &Device::Cpu).unwrap();
        shake(&variables, 0.3);
        attach_trainable(&net.networks(), &adapter).unwrap();
        let loss = || net.answer().sqr().unwrap().mean_all().unwrap();
        check_gradients(method.name(), &variables, &loss);
    }
}

#[test]
fn a_rank_above_a_layer_and_a_pattern_of_no_layer_are_refused_by_name() {
    let net = Net::new();
    let refused = |config: AdapterConfig| {
        config.fresh(&net.networks(), 1, &Device::Cpu).err().unwrap().to_string()
    };
    let config = Net::config(Method::Lora);
    let pattern = |pattern: &str, rank| Patterns(vec![(pattern.to_owned(), rank)]);
    let error = refused(AdapterConfig { rank_pattern: pattern("conv1", 9), ..config.clone() });
    assert!(error.contains("9 does not lie between 1 and 8, the size of block.conv1"), "{error}");
    let error = refused(AdapterConfig { rank_pattern: pattern("conv7", 2), ..config.clone() });
    assert!(error.starts_with("rank_pattern: \"conv7\""), "{error}");
    let error = refused(AdapterConfig { rank_pattern: pattern("conv(1|2)", 2), ..config.clone() });
    assert!(error.contains("only `.`"), "{error}");
    let text = [(Component::TextEncoder, vec!["q_proj".to_owned()])].into();
    let error = refused(AdapterConfig { targets: text, ..config.clone() });
    assert!(error.contains("no text_encoder"), "{error}");
    let other = AdapterConfig { rank: 1, ..config.clone() };
    let (small, _) = other.fresh(&net.networks(), 1, &Device::Cpu).unwrap();
    let (large, _) = config.fresh(&net.networks(), 1, &Device::Cpu).unwrap();
    let error = large.go_on_from(&small).unwrap_err().to_string();
    assert!(error.contains("another kind or rank"), "{error}");
}
