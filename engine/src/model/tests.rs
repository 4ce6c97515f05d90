//! Networks against golden values.
#![allow(clippy::unwrap_used)]

mod kept;
mod networks;
mod number_types;
mod tape;

use candle_core::{DType, Device, Tensor};

use super::{ControlNet, ControlNetConfig, Preset, Tokenizer, UnetInput};
use crate::nn::Weights;

#[test]
fn a_controlnet_is_made_for_the_latent_of_its_base() {
    let unet = Preset::Tiny.unet();
    let channels = |compression: usize| {
        let config = ControlNetConfig::from_unet(&unet, compression).unwrap();
        assert_eq!(config.compression(), compression);
        (config.conditioning_channels, config.conditioning_embedding_out_channels)
    };
    assert_eq!(channels(8), (3, vec![16, 32, 96, 256]), "diffusers' own");
    assert_eq!(channels(16), (1, vec![8, 16, 32, 64, 128]));
    assert_eq!(channels(1), (1, vec![8]));
    for compression in [0, 12, 256] {
        let error = ControlNetConfig::from_unet(&unet, compression).unwrap_err().to_string();
        assert!(error.contains("no power of two"), "{error}");
    }

    // A condition of 128 × 128 comes down to a latent of 8 × 8, and is seen once something was learnt.
    let (cpu, dtype) = (&Device::Cpu, DType::F32);
    let config = ControlNetConfig::from_unet(&unet, 16).unwrap();
    let network = ControlNet::new(config, &Weights::from_seed(1, dtype, cpu)).unwrap();
    let sample = Tensor::ones((2, unet.in_channels, 8, 8), dtype, cpu).unwrap();
    let context = Tensor::ones((2, 3, unet.context_width()), dtype, cpu).unwrap();
    let condition = Tensor::ones((2, 1, 128, 128), dtype, cpu).unwrap();
    let input = UnetInput::new(&sample, &[1.0, 2.0], &context);
    let residuals = network.forward(&input, &condition).unwrap();
    let shapes: Vec<_> = residuals.down.iter().chain([&residuals.mid]).collect();
    for (found, [channels, height, width]) in shapes.iter().zip(unet.skip_shapes(8, 8)) {
        assert_eq!(found.dims(), [2, height, width, channels]);
        let sum = found.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(sum.to_bits(), 0f32.to_bits(), "a fresh network adds nothing");
    }
    assert!(network.forward(&input, &condition.narrow(2, 0, 64).unwrap()).is_err());
}

#[test]
fn the_same_texts_give_the_same_vocabulary() {
    let texts: Vec<String> =
        ["chest radiograph, AP view, child, normal", "pleural effusion, edema"]
            .map(str::to_owned)
            .to_vec();
    let files = |_: usize| {
        let folder = tempfile::tempdir().unwrap();
        Tokenizer::train(&texts, 700).unwrap().save(folder.path(), 32).unwrap();
        ["vocab.json", "merges.txt"]
            .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap())
    };
    let [vocabulary, merges] = files(0);
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for turn in 1..4 {
        let [other, other_merges] = files(turn);
        assert_eq!(parsed(&vocabulary), parsed(&other));
        assert_eq!(merges, other_merges);
    }
}

#[test]
fn a_text_fills_the_window_and_what_does_not_fit_is_counted() {
    let tokenizer = Tokenizer::train(&vec!["chest radiograph, normal".to_owned(); 3], 700).unwrap();
    let short = tokenizer.encode("  Chest   RADIOGRAPH ", 8).unwrap();
    assert_eq!((short.tokens.len(), short.left_out), (8, 0));
    assert_eq!(short.tokens[0] + 1, tokenizer.end_token(), "start, then end, lead the vocabulary");
    assert_eq!(short.tokens[1..3], tokenizer.encode("chest radiograph", 8).unwrap().tokens[1..3]);
    assert!(short.tokens[3..].iter().all(|token| *token == tokenizer.end_token()));
    let long = tokenizer.encode("chest ".repeat(20).as_str(), 8).unwrap();
    assert_eq!((long.tokens.len(), long.left_out), (8, 14));
    // Any byte is some token: nothing is unknown.
    assert!(tokenizer.encode("胸片 ß", 16).unwrap().tokens[1] > tokenizer.end_token());
}
