//! Models from elsewhere; checkpoints of one file are held against diffusers in `tests/golden`.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::write_tiny;

fn tiny(folder: &Path) {
    write_tiny(folder, &vec!["chest radiograph, normal".to_owned(); 3], 1).unwrap();
}

#[test]
fn a_folder_is_copied_without_what_no_bundle_needs() {
    let desk = tempfile::tempdir().unwrap();
    let (from, to) = (desk.path().join("from"), desk.path().join("models/to"));
    tiny(&from);
    std::fs::remove_file(from.join("card.json")).unwrap();
    std::fs::write(from.join("v1-5-pruned.ckpt"), "pickle").unwrap();
    std::fs::write(from.join("unet/diffusion_pytorch_model.bin"), "pickle").unwrap();
    std::fs::write(from.join("unet/diffusion_pytorch_model.fp16.safetensors"), "half").unwrap();
    std::fs::create_dir(from.join("safety_checker")).unwrap();
    std::fs::write(from.join("safety_checker/config.json"), "{}").unwrap();
    let options = ImportOptions { licence: Some("CC0-1.0".into()), ..ImportOptions::default() };
    let imported = import(&from, &to, &options).unwrap();
    assert_eq!(imported.parts, ["vae", "unet", "text_encoder"]);
    assert_eq!((imported.card.name.as_str(), imported.card.licence.as_str()), ("from", "CC0-1.0"));
    assert_eq!(imported.notes, Vec::<String>::new());
    for gone in ["v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin", "safety_checker"] {
        assert!(!to.join(gone).exists(), "{gone}");
    }
    assert!(!to.join("unet/diffusion_pytorch_model.fp16.safetensors").exists());
    let card = Bundle::open(&to).unwrap().card().clone();
    assert_eq!(card, imported.card);

    let error = import(&from, &to, &options).unwrap_err().to_string();
    assert!(error.contains("not empty"), "{error}");
}

#[test]
fn a_tokenizer_in_one_file_is_none_that_is_missing() {
    let desk = tempfile::tempdir().unwrap();
    let from = desk.path().join("from");
    tiny(&from);
    let notes = |to: &str| {
        let imported = import(&from, &desk.path().join(to), &ImportOptions::default()).unwrap();
        imported.notes.into_iter().filter(|note| note.contains("tokenizer")).count()
    };
    std::fs::remove_file(from.join("tokenizer/merges.txt")).unwrap();
    assert_eq!(notes("without"), 1);
    std::fs::write(from.join("tokenizer/tokenizer.json"), "{}").unwrap();
    assert_eq!(notes("whole"), 0);
}

#[test]
fn nothing_is_left_of_a_model_that_is_damaged() {
    let desk = tempfile::tempdir().unwrap();
    let (from, to) = (desk.path().join("from"), desk.path().join("models/to"));
    tiny(&from);
    let weights = from.join("text_encoder/model.safetensors");
    let mut all = candle_core::safetensors::load(&weights, &candle_core::Device::Cpu).unwrap();
    let name = all.keys().next().unwrap().clone();
    let value = all.remove(&name).unwrap();
    all.insert("stray".into(), value);
    candle_core::safetensors::save(&all, &weights).unwrap();
    let error = import(&from, &to, &ImportOptions::default()).unwrap_err().to_string();
    for word in [format!("missing: {name}"), "unexpected: stray".into(), "text_encoder".into()] {
        assert!(error.contains(&word), "{word}: {error}");
    }
    assert_eq!(std::fs::read_dir(desk.path().join("models")).unwrap().count(), 0);
}

#[test]
fn what_is_no_model_is_refused() {
    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| desk.path().join(name);
    let told = |from: &Path| {
        let error = import(from, &at("to"), &ImportOptions::default()).unwrap_err().to_string();
        assert!(!at("to").exists());
        error
    };
    assert!(told(&at("gone")).contains("no such file"));
    std::fs::write(at("model.ckpt"), "pickle").unwrap();
    assert!(told(&at("model.ckpt")).contains("is a pickle"));
    std::fs::write(at("model.safetensors"), "text, and no tensors").unwrap();
    assert!(told(&at("model.safetensors")).contains("model.safetensors"));
    std::fs::create_dir(at("empty")).unwrap();
    assert!(told(&at("empty")).contains("holds no network"));
}

#[test]
fn of_a_repository_the_files_that_would_be_read_are_chosen() {
    let names = [
        "README.md",
        "LICENSE.md",
        "model_index.json",
        "v1-5-pruned.safetensors",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "safety_checker/model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
    ];
    let chosen = choose(&names).unwrap();
    let mut left: Vec<&str> =
        names.into_iter().filter(|name| !chosen.iter().any(|chosen| chosen == name)).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "README.md",
            "safety_checker/model.safetensors",
            "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "v1-5-pruned.safetensors",
            "vae/diffusion_pytorch_model.bin",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ]
    );
    let pickles = ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin"];
    assert!(choose(&pickles).unwrap_err().to_string().contains("is a pickle"));
    let alone = ["config.json", "diffusion_pytorch_model.safetensors", "images/x.png"];
    assert_eq!(choose(&alone).unwrap(), alone[..2]);
}
