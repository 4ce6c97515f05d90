//! Folders that are no model, and what a model of the right form does.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use super::super::{Clip, Limits, Options, SpeechError, SpeechModel};
use super::tone;
use crate::device::CancelToken;

/// transformers' tiny model among the golden numbers.
fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/speech")
}

/// A copy of it that can be spoiled.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(golden().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn fault(folder: &Path) -> String {
    SpeechModel::open(folder, &Device::Cpu).err().unwrap().to_string()
}

fn change(folder: &Path, file: &str, field: &str, value: Value) {
    let path = folder.join(file);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json[field] = value;
    std::fs::write(path, json.to_string()).unwrap();
}

#[test]
fn what_is_no_model_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    assert!(fault(&nowhere).starts_with("no speech model is configured: "));
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = copy();
        std::fs::remove_file(folder.path().join(name)).unwrap();
        let fault = fault(folder.path());
        assert!(fault.contains(name) && fault.ends_with("is missing"), "{fault}");
    }
    for name in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        let folder = copy();
        std::fs::write(folder.path().join(name), b"\x80\x04 not this").unwrap();
        assert!(fault(folder.path()).contains(name));
    }
}

#[test]
fn configurations_that_build_nothing_name_their_field() {
    for (field, value) in [
        ("model_type", json!("bert")),
        ("d_model", json!(1u64 << 40)),
        ("d_model", json!(15)),
        ("vocab_size", json!(0)),
        ("encoder_layers", json!(100_000)),
        ("decoder_attention_heads", json!(0)),
        ("max_source_positions", json!(1u64 << 33)),
        ("max_target_positions", json!(1)),
        ("num_mel_bins", json!(0)),
        ("decoder_ffn_dim", json!(0)),
        ("activation_function", json!("relu")),
    ] {
        let folder = copy();
        change(folder.path(), "config.json", field, value);
        let said = fault(folder.path());
        // 15 is no multiple of the heads, whose field it is.
        assert!(said.contains(field) || said.contains("must divide d_model"), "{field}: {said}");
    }
    let folder = copy();
    change(folder.path(), "config.json", "vocab_size", json!(20));
    assert!(fault(folder.path()).contains("tokenizer.json"));
}

#[test]
fn weights_that_do_not_fit_are_all_listed() {
    let path = golden().join("model.safetensors");
    let mut weights = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let moved = weights.remove("model.encoder.conv1.weight").unwrap();
    weights.insert("model.encoder.conv9.weight".to_owned(), moved);
    let cut = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    weights.insert("model.decoder.layers.1.fc1.bias".to_owned(), cut);
    let folder = copy();
    let path = folder.path().join("model.safetensors");
    candle_core::safetensors::save(&weights, &path).unwrap();
    let said = fault(folder.path());
    for part in [
        "missing: model.encoder.conv1.weight",
        "unexpected: model.encoder.conv9.weight",
        "shape of model.decoder.layers.1.fc1.bias: [3], not [40]",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn weights_of_another_type_or_without_numbers_are_refused() {
    let path = golden().join("model.safetensors");
    let weights = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let name = "model.decoder.layer_norm.weight";
    for (value, cause) in [
        (weights[name].to_dtype(DType::F64).unwrap(), "must be F16 or F32"),
        (weights[name].to_dtype(DType::BF16).unwrap(), "must be F16 or F32"),
        (Tensor::full(f32::NAN, 16, &Device::Cpu).unwrap(), "holds NaN or infinity"),
    ] {
        let folder = copy();
        let mut weights = weights.clone();
        weights.insert(name.to_owned(), value);
        candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
        let clip = Clip::from_samples(tone(440.0, 16_000, 0.5), 16_000, Limits::default()).unwrap();
        let said = SpeechModel::open(folder.path(), &Device::Cpu)
            .and_then(|model| {
                model.transcribe(&clip, &Options::default(), &mut |_, _| (), &CancelToken::new())
            })
            .unwrap_err()
            .to_string();
        assert!(said.contains(cause), "{said}");
    }
}

#[test]
fn a_model_hears_window_by_window_and_stops_when_asked() {
    let model = SpeechModel::open(&golden(), &Device::Cpu).unwrap();
    let clip = Clip::from_samples(tone(440.0, 16_000, 1.5), 16_000, Limits::default()).unwrap();
    let mut heard = Vec::new();
    let greedy = Options { language: None, temperatures: vec![0.0], ..Options::default() };
    let first = model
        .transcribe(&clip, &greedy, &mut |done, all| heard.push((done, all)), &CancelToken::new())
        .unwrap();
    assert_eq!(heard, [(1, 3), (2, 3), (3, 3)]);
    assert!(["en", "zh"].contains(&first.language.as_str()));
    // Draws are made from seeds of their own: the same sound has the same words.
    let warm = || {
        model.transcribe(&clip, &Options::default(), &mut |_, _| (), &CancelToken::new()).unwrap()
    };
    assert_eq!(warm(), warm());

    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let ended = model.transcribe(&clip, &greedy, &mut |_, _| stop.cancel(), &cancel);
    assert!(matches!(ended, Err(SpeechError::Cancelled)));
    let unknown = Options { language: Some("xx".into()), ..Options::default() };
    let refused = model.transcribe(&clip, &unknown, &mut |_, _| (), &CancelToken::new());
    assert!(refused.unwrap_err().to_string().contains("it knows en, zh"));
}
