//! A model whose parts do not fit is refused before it makes anything, and a request is its image.
#![allow(clippy::unwrap_used)]

mod int8;
mod kept;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use super::*;
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::model::{Bundle, ModelError, Part, save_weights, write_tiny};

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["chest radiograph, normal", "chest radiograph, edema"].map(str::to_owned);
        write_tiny(&folder.path().join("model"), &texts, 3).unwrap();
        Self { folder }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    fn load(&self) -> Result<Pipeline, ModelError> {
        self.load_onto(&Device::Cpu)
    }

    fn load_onto(&self, device: &Device) -> Result<Pipeline, ModelError> {
        Pipeline::load(&Bundle::open(&self.model())?, device)
    }

    /// The error of loading after `file`'s `key` became `value`; the file is put back.
    fn with(&self, file: &str, key: &str, value: Value) -> String {
        let path = self.model().join(file);
        let before = std::fs::read(&path).unwrap();
        let mut config: Value = serde_json::from_slice(&before).unwrap();
        config[key] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        let error = self.load().err().map(|error| error.to_string());
        std::fs::write(&path, before).unwrap();
        error.unwrap_or_else(|| format!("{file} loaded with a changed {key}"))
    }

    fn weights(&self, part: Part) -> PathBuf {
        self.model().join(part.folder()).join(part.weights_file())
    }

    /// Changes the tensors of a part, in place on the disk.
    fn rewrite(&self, part: Part, change: impl FnOnce(&mut Vec<(String, Tensor)>)) {
        let path = self.weights(part);
        let mut all: Vec<_> =
            candle_core::safetensors::load(&path, &Device::Cpu).unwrap().into_iter().collect();
        change(&mut all);
        save_weights(&path, &all.into_iter().collect(), DType::F16).unwrap();
    }
}

fn request() -> Request {
    Request {
        prompt: "chest radiograph, normal".into(),
        negative: String::new(),
        seed: 1,
        steps: 3,
        guidance_scale: 2.0,
        ..Request::default()
    }
}

fn image(pipeline: &Pipeline, request: &Request) -> Result<Vec<f32>, SampleError> {
    let frame = generate(pipeline, request, 0, &mut |_| (), &CancelToken::new())?;
    Ok(frame.pixels)
}

#[test]
fn every_part_of_a_request_counts() {
    let pipeline = Desk::new().load().unwrap();
    let of = |request: &Request| image(&pipeline, request).unwrap();
    let first = of(&request());
    assert_eq!(first.len(), 32 * 32);
    assert!(first.iter().all(|value| (0.0..=1.0).contains(value)));
    assert_eq!(first, of(&request()));
    assert_ne!(first, of(&Request { seed: 2, ..request() }));
    assert_ne!(first, of(&Request { steps: 4, ..request() }));
    assert_ne!(first, of(&Request { prompt: "chest radiograph, edema".into(), ..request() }));
    assert_ne!(first, of(&Request { guidance_scale: 3.0, ..request() }));
    let negative =
        |guidance_scale| Request { negative: "edema".into(), guidance_scale, ..request() };
    assert_ne!(first, of(&negative(2.0)));
    let plain = of(&Request { guidance_scale: 1.0, ..request() });
    assert_eq!(plain, of(&negative(1.0)), "without guidance nothing leads away from anything");
}

#[cfg(feature = "cuda")]
#[test]
fn a_picture_made_on_a_gpu_is_nearly_the_cpus() {
    let Some(gpu) = crate::kernel::gpu("a_picture_made_on_a_gpu_is_nearly_the_cpus") else {
        return;
    };
    let desk = Desk::new();
    let [expected, found] = [Device::Cpu, gpu]
        .map(|device| image(&desk.load_onto(&device).unwrap(), &request()).unwrap());
    let differences = expected.iter().zip(&found).map(|(one, other)| (one - other).abs());
    let mean = differences.sum::<f32>() / expected.len() as f32;
    assert!(mean < 0.03, "{mean}");
}

#[test]
fn a_preview_is_the_picture_so_far() {
    let pipeline = Desk::new().load().unwrap();
    let mut seen = Vec::new();
    let mut on_step = |step: Step| {
        assert_eq!(step.of, 3);
        seen.push((step.number, step.preview.map(|frame| frame.pixels.len())));
    };
    generate(&pipeline, &request(), 1, &mut on_step, &CancelToken::new()).unwrap();
    assert_eq!(seen, [(1, None), (2, Some(32 * 32)), (3, None)]);
    let cancelled = CancelToken::new();
    cancelled.cancel();
    let error = generate(&pipeline, &request(), 0, &mut |_| unreachable!(), &cancelled);
    assert!(matches!(error, Err(SampleError::Cancelled)));
}

#[test]
fn sizes_beyond_reason_are_refused_before_memory_is_asked_for() {
    let desk = Desk::new();
    let huge = 1_000_000_000u64;
    for (file, key, value, names) in [
        ("vae", "sample_size", json!(huge), "sample_size"),
        ("vae", "sample_size", json!(33), "sample_size"),
        ("vae", "latent_channels", json!(huge), "in_channels"),
        ("vae", "block_out_channels", json!([8, huge]), "block_out_channels"),
        ("vae", "block_out_channels", json!([8, 8192]), "do not fit the network"),
        ("vae", "block_out_channels", json!([]), "block_out_channels"),
        ("vae", "patch_size", json!(huge), "patch_size"),
        ("vae", "norm_num_groups", json!(0), "block_out_channels"),
        ("vae", "scaling_factor", json!(0.0), "scaling_factor"),
        ("unet", "block_out_channels", json!([huge, huge]), "block_out_channels"),
        ("unet", "block_out_channels", json!([8192, 8192]), "do not fit"),
        ("unet", "layers_per_block", json!(huge), "layers_per_block"),
        ("unet", "transformer_layers_per_block", json!(huge), "transformer_layers_per_block"),
        ("unet", "transformer_layers_per_block", json!(32), "missing: "),
        ("unet", "cross_attention_dim", json!(huge), "cross_attention_dim"),
        ("unet", "attention_head_dim", json!(0), "attention_head_dim"),
        ("unet", "attention_head_dim", json!([2]), "attention_head_dim"),
        ("unet", "down_block_types", json!(["DownBlock2D"]), "down_block_types"),
        ("unet", "in_channels", json!(-4), "config.json"),
        ("text_encoder", "vocab_size", json!(huge), "vocab_size"),
        ("text_encoder", "vocab_size", json!(1_000_000), "do not fit"),
        ("text_encoder", "hidden_size", json!(16_384), "do not fit"),
        ("text_encoder", "num_hidden_layers", json!(huge), "num_hidden_layers"),
        ("text_encoder", "max_position_embeddings", json!(huge), "max_position_embeddings"),
        ("text_encoder", "hidden_act", json!("tanh"), "hidden_act"),
    ] {
        let error = desk.with(&format!("{file}/config.json"), key, value.clone());
        // A list of faults may be long, and ends.
        assert!(error.contains(names) && error.len() < 20_000, "{file} {key} {value}: {error}");
    }
    for (key, value, names) in [
        ("num_train_timesteps", json!(huge), "num_train_timesteps"),
        ("steps_offset", json!(u64::MAX), "steps_offset"),
        ("beta_end", json!(2.0), "beta_end"),
        ("prediction_type", json!("epsilon"), "prediction_type"),
        ("prediction_type", json!("guess"), "scheduler_config.json"),
    ] {
        let error = desk.with("scheduler/scheduler_config.json", key, value.clone());
        assert!(error.contains(names), "{key} {value}: {error}");
    }
    let error = desk.with("card.json", "image_size", json!(64));
    assert!(error.contains("card.json") && error.contains("image_size"), "{error}");
    desk.load().unwrap();
}

#[test]
fn parts_of_different_models_do_not_load() {
    let desk = Desk::new();
    // A vocabulary with more words than the encoder has embeddings.
    let path = desk.model().join("tokenizer/vocab.json");
    let mut vocabulary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    vocabulary["beyond</w>"] = json!(1_000_000);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, vocabulary.to_string()).unwrap();
    let error = desk.load().err().unwrap().to_string();
    assert!(error.contains("vocab_size") && error.contains("1000000"), "{error}");
    std::fs::write(&path, "{}").unwrap();
    assert!(desk.load().err().unwrap().to_string().contains("tokenizer"));
    std::fs::write(&path, whole).unwrap();
    std::fs::remove_file(desk.model().join("tokenizer/merges.txt")).unwrap();
    assert!(desk.load().err().unwrap().to_string().contains("merges.txt"));
}

/// What loading says when a part's weights file is `bytes`.
fn with_file(desk: &Desk, path: &Path, bytes: &[u8]) -> String {
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, bytes).unwrap();
    let error = desk.load().err().unwrap().to_string();
    std::fs::write(path, whole).unwrap();
    error
}

#[test]
fn weights_that_are_damaged_do_not_load() {
    let desk = Desk::new();
    for part in [Part::Vae, Part::Unet, Part::TextEncoder] {
        let path = desk.weights(part);
        let whole = std::fs::read(&path).unwrap();
        let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let lying = |length: u64| [&length.to_le_bytes()[..], &whole[8..]].concat();
        // A tensor whose place lies beyond the file.
        let text = String::from_utf8(whole[8..8 + header].to_vec()).unwrap();
        let beyond = text.replacen("\"data_offsets\":[0,", "\"data_offsets\":[8,", 1);
        assert_ne!(text, beyond);
        for bytes in [
            Vec::new(),
            whole[..4].to_vec(),
            whole[..8 + header / 2].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            [&whole[..], b"more"].concat(),
            lying(0),
            lying(u64::MAX),
            lying(whole.len() as u64),
            [&whole[..8], beyond.as_bytes(), &whole[8 + header..]].concat(),
            vec![b'{'; whole.len()],
        ] {
            let error = with_file(&desk, &path, &bytes);
            assert!(error.contains(part.weights_file()), "{} bytes: {error}", bytes.len());
        }
    }
    desk.rewrite(Part::Unet, |all| all.retain(|(name, _)| name != "conv_in.bias"));
    assert!(desk.load().err().unwrap().to_string().contains("missing: conv_in.bias"));
    let zeros = Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap();
    desk.rewrite(Part::Unet, |all| all.push(("conv_in.bias".into(), zeros.clone())));
    desk.load().unwrap();
    desk.rewrite(Part::Unet, |all| all.push(("stray".into(), zeros)));
    assert!(desk.load().err().unwrap().to_string().contains("unexpected: stray"));
    std::fs::remove_file(desk.weights(Part::Unet)).unwrap();
    assert!(desk.load().is_err());
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_name() {
    for (part, name) in [
        (Part::Unet, "conv_in.bias"),
        (Part::Vae, "decoder.conv_in.bias"),
        (Part::TextEncoder, "text_model.final_layer_norm.bias"),
    ] {
        let desk = Desk::new();
        desk.rewrite(part, |all| {
            for (_, value) in all.iter_mut().filter(|(found, _)| found == name) {
                *value = (&*value * f64::NAN).unwrap();
            }
        });
        let error = desk.load().err().unwrap().to_string();
        assert!(error.contains(name) && error.contains("not finite"), "{name}: {error}");
    }
}

fn picture(width: u32, height: u32, value: impl Fn(u32, u32) -> f32) -> Frame {
    let pixels = (0..width * height).map(|at| value(at % width, at / width)).collect();
    Frame { width, height, pixels }
}

#[test]
fn an_image_to_start_from_is_kept_the_more_the_less_strength_there_is() {
    let pipeline = Desk::new().load().unwrap();
    let image_of = |start| {
        let request = Request { steps: 10, guidance_scale: 1.0, start, ..request() };
        image(&pipeline, &request).unwrap()
    };
    let init = picture(32, 32, |x, y| if (x + y) % 16 < 8 { 0.9 } else { 0.1 });
    let begun = |strength| image_of(Start::Image { image: init.clone(), strength });
    // What the autoencoder alone makes of the image: random weights keep little of it.
    let kept = begun(0.1);
    let distance = |other: &[f32]| -> f32 {
        kept.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
    };
    let (some, most) = (begun(0.3), begun(1.0));
    assert!(distance(&some) > 0.0 && distance(&some) < distance(&most));
    assert_eq!(begun(0.3), some);
    // Another size of the same picture is brought to the model's.
    let large = Start::Image { image: init.resized(64, 64), strength: 0.3 };
    assert_eq!(image_of(large).len(), 32 * 32);
}

#[test]
fn outside_the_mask_the_image_stays() {
    let pipeline = Desk::new().load().unwrap();
    let init = picture(32, 32, |x, y| ((x * 5 + y * 3) % 32) as f32 / 31.0);
    // The left half is made anew.
    let mask = picture(32, 32, |x, _| if x < 16 { 1.0 } else { 0.0 });
    let painted = |prompt: &str| {
        let start = Start::Inpaint { image: init.clone(), mask: mask.clone(), strength: 1.0 };
        let request = Request { prompt: prompt.into(), guidance_scale: 4.0, start, ..request() };
        // Latents, and no pixels: the decoder mixes neighbours.
        let mut noise = Seeded::new(request.seed);
        let cancel = CancelToken::new();
        super::generate::denoise(&pipeline, std::slice::from_ref(&request), &mut noise, 0, &mut |_| (), &cancel)
            .unwrap()
    };
    let (one, two) = (painted("chest radiograph, normal"), painted("chest radiograph, edema"));
    let half = |x: &Tensor, from: usize| -> Vec<f32> {
        let width = x.dim(3).unwrap() / 2;
        x.narrow(3, from * width, width).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    assert_eq!(half(&one, 1), half(&two, 1));
    assert_ne!(half(&one, 0), half(&two, 0));
}

#[test]
fn what_cannot_be_made_is_refused_by_its_field() {
    let pipeline = Desk::new().load().unwrap();
    let good = picture(32, 32, |_, _| 0.5);
    let empty = Frame { width: 0, height: 0, pixels: Vec::new() };
    let lying = Frame { width: 64, ..good.clone() };
    let broken = picture(32, 32, |_, _| f32::NAN);
    let from = |image: &Frame, strength| Start::Image { image: image.clone(), strength };
    let into =
        |mask: &Frame| Start::Inpaint { image: good.clone(), mask: mask.clone(), strength: 1.0 };
    let black = picture(32, 32, |_, _| 0.4);
    // One white pixel is lost when the mask is made smaller.
    let speck = picture(1024, 1024, |x, y| if (x, y) == (9, 9) { 1.0 } else { 0.0 });
    for (start, field) in [
        (from(&empty, 0.5), "init"),
        (from(&lying, 0.5), "init"),
        (from(&broken, 0.5), "init"),
        (from(&good, 0.0), "strength"),
        (from(&good, 1.1), "strength"),
        (from(&good, f64::NAN), "strength"),
        (from(&good, 0.1), "strength"),
        (into(&empty), "mask"),
        (into(&black), "mask"),
        (into(&speck), "mask"),
    ] {
        let error = image(&pipeline, &Request { start, ..request() }).unwrap_err();
        assert!(
            matches!(&error, SampleError::Invalid { field: named, .. } if *named == field),
            "{error}"
        );
    }
    for size in [(0, 32), (33, 32), (32, 1 << 20)] {
        let error = image(&pipeline, &Request { size: Some(size), ..request() }).unwrap_err();
        assert!(error.to_string().starts_with("size: "), "{error}");
    }
    let error = image(&pipeline, &Request { guidance_rescale: 2.0, ..request() }).unwrap_err();
    assert!(error.to_string().starts_with("guidance_rescale: "), "{error}");
    assert_eq!(
        image(&pipeline, &Request { size: Some((16, 48)), ..request() }).unwrap().len(),
        16 * 48
    );
}
