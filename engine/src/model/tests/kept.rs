//! What is kept of a text changes no bit of what networks answer.

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use super::networks::{numbers, shaken, unet};
use crate::model::{ControlNet, ControlNetConfig, UnetInput};
use crate::nn::{Kept, Weights};

fn same(one: &Tensor, other: &Tensor) -> bool {
    let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    flat(one) == flat(other)
}

#[test]
fn what_is_kept_of_a_text_changes_no_bit() {
    for dtype in [DType::F32, DType::F16] {
        for changes in [
            json!({}),
            // Other steps between the text and what is made of it: Kolors, and the upscaler.
            json!({ "encoder_hid_dim": 12, "encoder_hid_dim_type": "text_proj" }),
            json!({ "only_cross_attention": true }),
        ] {
            let (network, _) = unet(&changes, dtype);
            let width = network.config().context_width();
            let text = numbers(&[2, 5, width], 2);
            let kept = Kept::new(&text);
            for (step, timestep) in [900.0, 400.0, 3.0].into_iter().enumerate() {
                let sample = numbers(&[2, 4, 8, 8], 10 + step as u64);
                let times = [timestep; 2];
                let asked = UnetInput::new(&sample, &times, &text);
                let expected = network.predict(&asked).unwrap();
                let found = network.predict(&UnetInput { kept: Some(&kept), ..asked }).unwrap();
                assert!(same(&found, &expected), "{dtype:?} {changes} step {step}");
                // What is kept is of another text than this one, whatever its shape and numbers.
                let other = numbers(&[2, 5, width], 3);
                let asked = UnetInput::new(&sample, &times, &other);
                let expected = network.predict(&asked).unwrap();
                let found = network.predict(&UnetInput { kept: Some(&kept), ..asked }).unwrap();
                assert!(same(&found, &expected), "{dtype:?} {changes} step {step}, another text");
            }
        }
    }
}

#[test]
fn networks_that_share_what_is_kept_do_not_take_each_others() {
    let (network, _) = unet(&json!({}), DType::F32);
    let config: ControlNetConfig =
        serde_json::from_value(serde_json::to_value(network.config()).unwrap()).unwrap();
    let controls = [5, 6].map(|seed| {
        let weights = Weights::from_seed(seed, DType::F32, &Device::Cpu);
        let control = ControlNet::new(config.clone(), &weights).unwrap();
        shaken(&weights.variables());
        control
    });
    let (text, sample) =
        (numbers(&[1, 5, network.config().context_width()], 2), numbers(&[1, 4, 8, 8], 1));
    let condition = numbers(&[1, 3, 64, 64], 4);
    let kept = Kept::new(&text);
    for timestep in [[900.0], [3.0]] {
        let asked = UnetInput::new(&sample, &timestep, &text);
        let keeping = UnetInput { kept: Some(&kept), ..asked };
        let expected = network.predict(&asked).unwrap();
        assert!(same(&network.predict(&keeping).unwrap(), &expected));
        let [one, two] = controls.each_ref().map(|control| {
            let expected = control.forward(&asked, &condition).unwrap();
            let found = control.forward(&keeping, &condition).unwrap();
            assert!(same(&found.mid, &expected.mid));
            for (found, expected) in found.down.iter().zip(&expected.down) {
                assert!(same(found, expected));
            }
            found.mid
        });
        assert!(!same(&one, &two));
    }
}
