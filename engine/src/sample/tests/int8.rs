//! What weights in eight bits do to an image.

use std::path::Path;

use super::*;
use crate::adapter::{AdapterConfig, Networks, attach};
use crate::metric::psnr;
use crate::nn::WeightForm;

fn starter(form: WeightForm) -> Pipeline {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("starter");
    Pipeline::load(&Bundle::open(&folder).unwrap().with_weights(form), &Device::Cpu).unwrap()
}

/// The starter model's images, 128 × 128 in 30 steps with its own guidance, against those of full weights with the same
/// seed.
#[test]
fn the_starters_images_hardly_differ_in_eight_bits() {
    let (full, int8) = (starter(WeightForm::Full), starter(WeightForm::Int8));
    let prompts =
        ["chest radiograph, normal", "chest radiograph, bacterial pneumonia", "viral pneumonia"];
    for (seed, prompt) in prompts.into_iter().enumerate() {
        let request = Request {
            prompt: prompt.into(),
            seed: seed as u64,
            steps: 30,
            guidance_scale: 3.0,
            ..Request::default()
        };
        let [int8, full] = [&int8, &full].map(|model| image(model, &request).unwrap());
        let found = psnr(&int8, &full, 1.0).unwrap();
        println!("{prompt}: {found:.1} dB");
        assert!(found.is_finite() && found > 35.0, "{prompt}: {found:.1} dB");
    }
}

/// A low-rank adapter acts beside weights of eight bits, or by copies in f32 that are made of them; taken off, it leaves no
/// bit.
#[test]
fn adapters_act_on_weights_of_eight_bits() {
    let desk = Desk::new();
    let bundle = Bundle::open(&desk.model()).unwrap().with_weights(WeightForm::Int8);
    let (network, weights) = bundle.unet(false, &Device::Cpu).unwrap();
    let config = AdapterConfig::lora(4, 4.0, &["to_q", "to_out.0"]);
    let (adapter, variables) = config.fresh(&Networks::unet(&weights), 0, &Device::Cpu).unwrap();
    for variable in variables.values() {
        variable.set(&variable.ones_like().unwrap().affine(0.15, 0.0).unwrap()).unwrap();
    }
    let config = network.config();
    let sample = Tensor::ones((1, config.in_channels, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let context = Tensor::ones((1, 77, config.context_width()), DType::F32, &Device::Cpu).unwrap();
    let ask = |adapters: &[(&crate::adapter::Adapter, f32)], merged| {
        attach(&Networks::unet(&weights), adapters, merged).unwrap();
        let answer = network.forward(&sample, &[500.0], &context).unwrap();
        answer.detach().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let alone = ask(&[], false);
    let (beside, merged) = (ask(&[(&adapter, 1.0)], false), ask(&[(&adapter, 1.0)], true));
    let distance = |a: &[f32], b: &[f32]| {
        let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        largest.fold(0.0, f32::max)
    };
    let moved = distance(&alone, &beside);
    let apart = distance(&beside, &merged);
    assert!(moved > 0.0 && apart < 0.2 * moved, "{apart} of {moved}");
    assert_eq!(ask(&[], false), alone);
}

#[test]
fn weights_of_eight_bits_are_not_trained() {
    let desk = Desk::new();
    let bundle = Bundle::open(&desk.model()).unwrap().with_weights(WeightForm::Int8);
    let error = bundle.unet(true, &Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("weights: int8") && error.contains("training"), "{error}");
}
