//! Folders as other programs write them, and as nobody should.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::safetensors::{load, save};
use tempfile::TempDir;

use super::*;
use crate::model::write_tiny;

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// A tiny model in a folder of its own.
fn model() -> (TempDir, PathBuf) {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("model");
    write_tiny(&folder, &vec!["chest radiograph, normal".to_owned(); 3], 1).unwrap();
    (desk, folder)
}

fn tensors(path: &Path) -> HashMap<String, Tensor> {
    load(path, &Device::Cpu).unwrap()
}

/// The first line of an error: where the environment asks for it, candle says behind it where it arose.
fn error<T>(result: Result<T, ModelError>) -> String {
    result.err().unwrap().to_string().lines().next().unwrap().to_owned()
}

/// The error of loading the UNet after its file was written anew with changed tensors.
fn changed(change: impl Fn(&mut HashMap<String, Tensor>)) -> String {
    let (_desk, folder) = model();
    let mut all = tensors(&folder.join(UNET));
    change(&mut all);
    save(&all, folder.join(UNET)).unwrap();
    let bundle = Bundle::glance(&folder).unwrap();
    let told = error(bundle.unet(false, &Device::Cpu).map(|_| ()));
    assert_eq!(error(bundle.verify(Part::Unet)), told, "a look finds what loading finds");
    told
}

#[test]
fn missing_and_unexpected_weights_are_counted_and_named_together() {
    let told = changed(|all| {
        let half: Vec<String> =
            all.keys().filter(|name| name.starts_with("up_blocks")).cloned().collect();
        for name in half {
            let value = all.remove(&name).unwrap();
            all.insert(format!("other.{name}"), value);
        }
    });
    let count = told.split("missing").next().unwrap().rsplit(' ').nth(1).unwrap();
    assert!(count.parse::<usize>().unwrap() > 20, "{told}");
    assert!(told.contains(&format!("{count} missing, {count} unexpected")), "{told}");
    for name in ["missing: up_blocks.0.resnets.0.conv1.bias", "unexpected: other.up_blocks.0"] {
        assert!(told.contains(name), "{name}: {told}");
    }
    assert!(told.contains("unet: the weights do not fit"), "{told}");
}

#[test]
fn a_weight_that_is_no_number_is_refused_by_name() {
    for (dtype, bad) in
        [(DType::F16, f32::NAN), (DType::BF16, f32::INFINITY), (DType::F32, f32::NEG_INFINITY)]
    {
        let told = changed(|all| {
            let bias = &all["conv_in.bias"];
            let mut values: Vec<f32> = bias.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
            values[3] = bad;
            let bias = Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            all.insert("conv_in.bias".into(), bias);
        });
        assert!(told.contains("1 fault: 1 not finite"), "{told}");
        assert!(told.contains("conv_in.bias holds NaN or infinity"), "{told}");
    }
    let told = changed(|all| {
        let zeros = Tensor::zeros(16, DType::I64, &Device::Cpu).unwrap();
        all.insert("conv_in.bias".into(), zeros);
    });
    assert!(told.contains("number type of conv_in.bias: I64"), "{told}");
}

#[test]
fn every_precision_and_every_form_of_file_gives_the_same_weights() {
    let (_desk, folder) = model();
    let unet = folder.join("unet");
    let values = |folder: &Path| {
        let stored = Bundle::of_parts(folder).unwrap().stored(Part::Unet).unwrap();
        let value = stored.load("conv_in.weight", &Device::Cpu).unwrap();
        let value = value.to_dtype(DType::F32).unwrap();
        (stored.names().count(), value.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    let before = values(&folder);
    let all = tensors(&folder.join(UNET));
    std::fs::remove_file(folder.join(UNET)).unwrap();

    // A variant in half precision.
    let half = unet.join("diffusion_pytorch_model.fp16.safetensors");
    save(&all, &half).unwrap();
    assert_eq!(values(&folder), before);
    std::fs::remove_file(half).unwrap();

    // Two pieces and their index.
    let (mut pieces, mut map) = ([HashMap::new(), HashMap::new()], serde_json::Map::new());
    for (number, (name, value)) in all.into_iter().enumerate() {
        let file = format!("diffusion_pytorch_model-0000{}-of-00002.safetensors", number % 2 + 1);
        map.insert(name.clone(), file.into());
        pieces[number % 2].insert(name, value.to_dtype(DType::F32).unwrap());
    }
    for (number, piece) in pieces.iter().enumerate() {
        let name = format!("diffusion_pytorch_model-0000{}-of-00002.safetensors", number + 1);
        save(piece, unet.join(name)).unwrap();
    }
    let index = unet.join("diffusion_pytorch_model.safetensors.index.json");
    write_json(&index, &serde_json::json!({ "weight_map": map })).unwrap();
    assert_eq!(values(&folder), before);
    let bundle = Bundle::open(&folder).unwrap();
    bundle.unet(false, &Device::Cpu).unwrap();

    // A weight in both pieces.
    let second = unet.join("diffusion_pytorch_model-00002-of-00002.safetensors");
    let mut both = tensors(&second);
    both.extend(pieces[0].clone().into_iter().take(1));
    save(&both, &second).unwrap();
    assert!(error(bundle.stored(Part::Unet).map(|_| ())).contains("in another piece as well"));

    // An index that leads elsewhere, to itself, to nothing.
    for (file, cause) in [
        ("../../secret.safetensors", "outside its folder"),
        ("/etc/passwd", "outside its folder"),
        ("..", "outside its folder"),
        ("diffusion_pytorch_model.safetensors.index.json", "not .safetensors"),
        ("gone.safetensors", "no such file"),
        ("model.bin", "pickle"),
    ] {
        write_json(&index, &serde_json::json!({ "weight_map": { "a": file } })).unwrap();
        let told = error(bundle.stored(Part::Unet).map(|_| ()));
        assert!(told.contains(cause), "{file}: {told}");
    }
}

#[test]
fn pickles_are_refused_with_what_to_do_instead() {
    let (_desk, folder) = model();
    std::fs::remove_file(folder.join(UNET)).unwrap();
    std::fs::write(folder.join("unet/diffusion_pytorch_model.bin"), b"\x80\x04cos\nsystem\n")
        .unwrap();
    let told = error(Bundle::open(&folder));
    assert!(told.contains("diffusion_pytorch_model.bin: is a pickle"), "{told}");
    assert_eq!(error(Bundle::glance(&folder).unwrap().verify(Part::Unet)), told);
    assert!(told.contains("safe_serialization=True"), "{told}");
}

#[test]
fn the_autoencoders_names_of_before_are_read() {
    let (_desk, folder) = model();
    let path = folder.join("vae/diffusion_pytorch_model.safetensors");
    let before = Bundle::glance(&folder).unwrap().stored(Part::Vae).unwrap();
    let before: Vec<String> = before.names().map(str::to_owned).collect();
    let mut renamed = 0;
    let old = tensors(&path)
        .into_iter()
        .map(|(name, value)| {
            let old = name
                .replace("to_q", "query")
                .replace("to_k", "key")
                .replace("to_v", "value")
                .replace("to_out.0", "proj_attn");
            // As convolutions of one pixel, which they were at first.
            let value = if old != name && value.rank() == 2 {
                renamed += 1;
                value.unsqueeze(2).unwrap().unsqueeze(3).unwrap()
            } else {
                value
            };
            (old, value)
        })
        .collect();
    save(&old, &path).unwrap();
    assert_eq!(renamed, 8, "two attentions of four matrices");
    let bundle = Bundle::glance(&folder).unwrap();
    let names: Vec<String> = bundle.stored(Part::Vae).unwrap().names().map(str::to_owned).collect();
    assert_eq!(names, before);
    bundle.vae(&Device::Cpu).unwrap();
}

#[test]
fn a_folder_without_a_card_gets_one_that_promises_nothing() {
    let (_desk, folder) = model();
    std::fs::remove_file(folder.join("card.json")).unwrap();
    let card = Bundle::open(&folder).unwrap().card().clone();
    assert_eq!(
        (card.name.as_str(), card.licence.as_str(), card.image_size),
        ("model", "unknown", 32)
    );
    assert_eq!(card.weights_sha256.len(), 64);
    std::fs::remove_dir_all(folder.join("unet")).unwrap();
    assert!(error(Bundle::open(&folder)).contains("neither a card.json nor a UNet"));
    Bundle::of_parts(&folder).unwrap().vae(&Device::Cpu).unwrap();
}

#[test]
fn headers_that_lie_are_refused_before_anything_is_mapped() {
    let (_desk, folder) = model();
    let path = folder.join(UNET);
    let whole = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let bundle = Bundle::glance(&folder).unwrap();
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        error(bundle.unet(false, &Device::Cpu).map(|_| ()))
    };
    assert!(told(b"").contains("too short"));
    assert!(told(&whole[..5]).contains("too short"));
    assert!(told(&whole[..length / 2]).contains("truncated"));
    assert!(told(&whole[..whole.len() - 1]).contains("diffusion_pytorch_model"));
    let claimed = |claim: u64| [&claim.to_le_bytes(), &whole[8..]].concat();
    assert!(told(&claimed(u64::MAX)).contains("truncated"));
    assert!(told(&claimed(1 << 40)).contains("truncated"));
    let header = |text: &str| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.bytes());
        bytes.extend([0; 64]);
        bytes
    };
    for text in [
        r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,1099511627776]}}"#,
        r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,64]},"b":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}"#,
        r#"{"a":{"dtype":"F16","shape":[16],"data_offsets":[0,64]}}"#,
        r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,64]}}"#,
        r#"{"a":{"dtype":"X99","shape":[16],"data_offsets":[0,64]}}"#,
    ] {
        assert!(told(&header(text)).contains("diffusion_pytorch_model"), "{text}");
    }
    let mut long = vec![b' '; (17 << 20) + 8];
    long[..8].copy_from_slice(&(17u64 << 20).to_le_bytes());
    assert!(told(&long).contains("read at most"));
}

#[test]
fn configurations_that_are_none_are_refused_before_they_are_read() {
    let (_desk, folder) = model();
    let path = folder.join("unet/config.json");
    let bundle = Bundle::glance(&folder).unwrap();
    let told = || error(bundle.unet(false, &Device::Cpu).map(|_| ()));
    std::fs::write(&path, vec![b' '; (16 << 20) + 1]).unwrap();
    assert!(told().contains("longer than"));
    std::fs::write(&path, format!("{{\"deep\": {}", "[".repeat(1 << 20))).unwrap();
    assert!(told().contains("recursion limit"), "{}", told());
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(told().contains("config.json"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(told().contains("is no file"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(told().contains("is no file"));
    }
}
