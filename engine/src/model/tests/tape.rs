//! A network's gradients with its blocks on a tape are those without one.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use serde_json::json;

use super::networks::{config, numbers, shaken, unet};
use crate::model::{ControlNet, ControlNetConfig, Residuals, Unet, UnetInput};
use crate::nn::{ImageContext, Tape, Weights};

fn norm(x: &Tensor) -> f64 {
    f64::from(x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt()
}

/// Holds the gradients `found` of `variables` against those that are `expected`.
fn assert_same(variables: &BTreeMap<String, Var>, found: &GradStore, expected: &GradStore) {
    for (name, variable) in variables {
        let (found, expected) = (found.get(variable).unwrap(), expected.get(variable).unwrap());
        let (difference, size) = (norm(&(found - expected).unwrap()), norm(expected));
        assert!(size > 0.0, "{name}: the gradient is zero");
        // What several blocks read has its gradients added in another order.
        assert!(difference <= 2e-5 * size, "{name}: {difference} of {size}");
    }
}

/// That candle has kept no way from `loss` to any of `variables`.
fn assert_let_go(variables: &BTreeMap<String, Var>, loss: &Tensor) {
    let reached = loss.backward().unwrap();
    let kept: Vec<_> = variables.iter().filter(|(_, one)| reached.get(one).is_some()).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

fn loss(prediction: &Tensor) -> Tensor {
    (prediction - numbers(prediction.dims(), 9)).unwrap().sqr().unwrap().mean_all().unwrap()
}

#[test]
fn a_unets_gradients_are_the_same_on_a_tape() {
    for changes in [
        json!({}),
        json!({ "layers_per_block": 2, "transformer_layers_per_block": 2, "use_linear_projection": true }),
        json!({ "mid_block_type": null, "resnet_time_scale_shift": "scale_shift" }),
        json!({ "mid_block_type": "UNetMidBlock2D", "encoder_hid_dim": 12, "encoder_hid_dim_type": "text_proj" }),
    ] {
        let (network, weights) = unet(&changes, DType::F32);
        let mut variables = weights.variables();
        let variable = |shape: &[usize], seed| Var::from_tensor(&numbers(shape, seed)).unwrap();
        // What lies before the network learns, too: through the text, the latent, images as prompts.
        let text = variable(&[2, 5, network.config().context_width()], 2);
        // An odd side is rounded up on the way down.
        let sample = variable(&[2, 4, 6, 9], 1);
        let images: Vec<Vec<ImageContext>> = network
            .cross_attentions()
            .iter()
            .map(|attention| {
                let part = |seed| numbers(&[2, 3, attention.inner], seed);
                vec![ImageContext { keys: part(11), values: part(12), scale: 0.5 }]
            })
            .collect();
        let seen = (text.as_tensor() * 0.5).unwrap().tanh().unwrap();
        let asked = UnetInput::new(&sample, &[900.0, 10.0], &seen);
        let input = UnetInput { images: Some(&images), ..asked };
        let expected = loss(&network.predict(&input).unwrap());
        let tape = Tape::new();
        let found = loss(&network.predict_on(&input, Some(&tape)).unwrap());
        let bits = |loss: &Tensor| loss.to_scalar::<f32>().unwrap().to_bits();
        assert_eq!(bits(&found), bits(&expected));
        variables.insert("the text".into(), text.clone());
        variables.insert("the latent".into(), sample.clone());
        assert_let_go(&variables, &found);
        assert_same(&variables, &tape.backward(&found).unwrap(), &expected.backward().unwrap());
    }
}

/// A frozen UNet led by a ControlNet that learns.
struct Led {
    unet: Unet,
    control: ControlNet,
    sample: Tensor,
    text: Tensor,
    condition: Tensor,
}

impl Led {
    fn loss<'a>(&'a self, tape: Option<&Tape<'a>>) -> Tensor {
        let asked = UnetInput::new(&self.sample, &[500.0], &self.text);
        let residuals: Residuals =
            self.control.forward_on(&asked, &self.condition, tape).unwrap().scaled(0.7).unwrap();
        let asked = UnetInput { residuals: Some(&residuals), ..asked };
        loss(&self.unet.predict_on(&asked, tape).unwrap())
    }
}

#[test]
fn a_controlnets_gradients_through_a_frozen_unet_are_the_same_on_a_tape() {
    let (trained, weights) = unet(&json!({}), DType::F32);
    // The same weights, which nobody trains.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let values = crate::model::values(&weights.variables());
    crate::model::save_weights(&path, &values, DType::F32).unwrap();
    let file = crate::kernel::map_weights(&path).unwrap();
    let frozen = Weights::from_file(file, false, DType::F32, &Device::Cpu);
    let unet = Unet::new(trained.config().clone(), &frozen).unwrap();
    frozen.finish().unwrap();

    let network: ControlNetConfig =
        serde_json::from_value(serde_json::to_value(config(&json!({}))).unwrap()).unwrap();
    let weights = Weights::from_seed(5, DType::F32, &Device::Cpu);
    let control = ControlNet::new(network, &weights).unwrap();
    shaken(&weights.variables());
    let led = Led {
        unet,
        control,
        sample: numbers(&[1, 4, 8, 8], 1),
        text: numbers(&[1, 5, 24], 2),
        condition: numbers(&[1, 3, 64, 64], 3),
    };
    let tape = Tape::new();
    let loss = led.loss(Some(&tape));
    assert_let_go(&weights.variables(), &loss);
    let found = tape.backward(&loss).unwrap();
    assert_same(&weights.variables(), &found, &led.loss(None).backward().unwrap());
}
