//! Reference files against the bundles that they speak of, by the code of `skiagraph-engine model check`;
//! and checkpoints of one file, imported and held against what diffusers makes of them.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use skiagraph_engine::check::{Report, check};
use skiagraph_engine::model::{ImportOptions, import};

use super::folder_of;

const TOLERANCE: f64 = 1e-4;

fn reference(name: &str) -> PathBuf {
    folder_of("references").join(format!("{name}.safetensors"))
}

fn run(bundle: &str, name: &str) -> Report {
    check(&folder_of(bundle), &reference(name), TOLERANCE, &Device::Cpu).unwrap()
}

fn assert_good(report: &Report, parts: &[&str]) {
    println!("{}", report.table());
    assert!(report.ok, "{}", report.table());
    assert_eq!(report.unread, Vec::<String>::new());
    let found: Vec<&str> = report.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(found, parts);
}

#[test]
fn bundles_compute_what_their_reference_files_say() {
    let parts = ["text", "vae", "unet", "scheduler", "pipeline"];
    assert_good(&run("sd1", "sd1"), &parts);
    assert_good(&run("sd2", "sd2"), &parts);
}

#[test]
fn networks_of_other_forms_compute_what_their_reference_files_say() {
    assert_good(&run("pipelines/base", "controlnet"), &["unet", "controlnet"]);
    assert_good(&run("pipelines/xl", "xl"), &["text", "text_2", "unet"]);
}

#[test]
fn schedulers_go_the_way_that_their_reference_files_say() {
    // The configurations stand in the files: the bundle needs to hold nothing.
    let nothing = tempfile::tempdir().unwrap();
    for name in ["ddim", "ddpm", "euler", "heun", "pndm", "dpm_sde", "lcm"] {
        let file = reference(&format!("scheduler_{name}"));
        let report = check(nothing.path(), &file, TOLERANCE, &Device::Cpu).unwrap();
        println!("{name}");
        assert_good(&report, &["scheduler"]);
    }
}

#[test]
fn a_folder_without_card_and_with_one_part_is_checked_for_that_part() {
    let numbers = candle_core::safetensors::load(reference("sd1"), &Device::Cpu).unwrap();
    let desk = tempfile::tempdir().unwrap();
    for (part, names) in [("unet", "unet/"), ("vae", "vae/"), ("text_encoder", "text/")] {
        let only = numbers.clone().into_iter().filter(|(name, _)| name.starts_with(names));
        let path = desk.path().join(format!("{part}.safetensors"));
        candle_core::safetensors::save(&only.collect(), &path).unwrap();
        let folder = folder_of("sd1").join(part);
        let report = check(&folder, &path, TOLERANCE, &Device::Cpu).unwrap();
        assert_good(&report, &[names.trim_end_matches('/')]);
    }
}

/// The reference file of `sd1` with one tensor changed; what the check says of it.
fn changed(name: &str, change: impl Fn(&Tensor) -> Tensor) -> Result<Report, String> {
    let mut numbers = candle_core::safetensors::load(reference("sd1"), &Device::Cpu).unwrap();
    numbers.retain(|name, _| !name.starts_with("pipeline/"));
    let value = change(&numbers[name]);
    numbers.insert(name.to_owned(), value);
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("changed.safetensors");
    candle_core::safetensors::save(&numbers, &path).unwrap();
    check(&folder_of("sd1"), &path, TOLERANCE, &Device::Cpu).map_err(|error| error.to_string())
}

#[test]
fn one_changed_number_is_found() {
    for (output, part) in [
        ("unet/out/sample", "unet"),
        ("vae/out/image", "vae"),
        ("vae/out/mean", "vae"),
        ("text/out/last_hidden_state", "text"),
        ("scheduler/out/trajectory", "scheduler"),
    ] {
        let report = changed(output, |value| {
            let shape = value.shape().clone();
            let mut values: Vec<f32> = value.flatten_all().unwrap().to_vec1().unwrap();
            let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
            let last = values.len() - 1;
            values[last] += 0.01 * largest;
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        })
        .unwrap();
        assert!(!report.ok, "{output}");
        for found in &report.parts {
            assert_eq!(found.ok, found.part != part, "{output}: {}", found.part);
            if found.part == part {
                assert!((found.deviation - 0.01).abs() < 2e-3, "{output}: {}", found.deviation);
            }
        }
    }
}

#[test]
fn what_does_not_fit_the_model_is_told_by_its_name() {
    let cut = |axis: usize| move |value: &Tensor| value.narrow(axis, 0, 1).unwrap();
    for (name, axis) in [
        ("unet/in/sample", 1),
        ("unet/in/encoder_hidden_states", 2),
        ("unet/out/sample", 3),
        ("vae/in/latent", 1),
        ("vae/in/image", 2),
        ("scheduler/in/model_outputs", 1),
    ] {
        let narrow = |value: &Tensor| {
            if name == "scheduler/in/model_outputs" {
                Tensor::cat(&[value, value], 1).unwrap()
            } else {
                cut(axis)(value)
            }
        };
        let error = changed(name, narrow).err().unwrap();
        assert!(error.starts_with(name), "{name}: {error}");
    }
    let error = changed("text/in/input_ids", |ids| ids.affine(0.0, 1e6).unwrap()).err().unwrap();
    assert!(error.contains("vocabulary"), "{error}");
    let nan = |value: &Tensor| (value / 0.0).unwrap();
    let error = changed("unet/in/sample", nan).err().unwrap();
    assert!(error.contains("NaN or infinity"), "{error}");
}

/// The UNet's part of the reference file `controlnet` with its tensors changed and with this metadata; what the
/// check says of it.
fn edited(
    change: impl Fn(&mut HashMap<String, Tensor>),
    metadata: &[(&str, &str)],
) -> Result<Report, String> {
    let mut numbers =
        candle_core::safetensors::load(reference("controlnet"), &Device::Cpu).unwrap();
    numbers.retain(|name, _| name.starts_with("unet/"));
    change(&mut numbers);
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("edited.safetensors");
    candle_core::safetensors::save(&numbers, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    header["__metadata__"] = metadata.iter().map(|(key, value)| (*key, *value)).collect();
    let header = header.to_string().into_bytes();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(&path, [&length[..], &header, rest].concat()).unwrap();
    check(&folder_of("pipelines/base"), &path, TOLERANCE, &Device::Cpu)
        .map_err(|error| error.to_string())
}

#[test]
fn an_input_that_would_not_be_read_is_told_by_its_name() {
    assert!(edited(|_| (), &[]).unwrap().ok);
    let number = |value: f64| Tensor::new(value, &Device::Cpu).unwrap();
    let without = |gone: &'static [&str]| {
        move |numbers: &mut HashMap<String, Tensor>| {
            numbers.retain(|name, _| !gone.contains(&name.as_str()));
        }
    };
    let down = ["unet/in/down_0", "unet/in/down_1", "unet/in/down_2", "unet/in/down_3"];
    let told = |change: &dyn Fn(&mut HashMap<String, Tensor>), words: &str| {
        let error = edited(change, &[]).unwrap_err();
        assert!(error.starts_with(words), "{words}: {error}");
    };
    told(&without(&["unet/in/mid"]), "unet/in/mid: is missing");
    told(&without(&["unet/in/down_2"]), "unet/in/down_2: is missing");
    told(&|numbers| numbers.retain(|name, _| !down.contains(&name.as_str())), "unet/in/down_0: is");
    let reversed = |numbers: &mut HashMap<String, Tensor>| {
        let all = down.map(|name| numbers.remove(name).unwrap());
        numbers.extend(down.into_iter().rev().map(str::to_owned).zip(all));
    };
    told(&reversed, "unet/in/down_0: is [1, 32, 4, 6], and the model takes [any, 16, 8, 12]");
    for name in ["unet/in/text_embed", "unet/in/down_4", "unet/out/samples"] {
        let more = |numbers: &mut HashMap<String, Tensor>| {
            numbers.insert(name.to_owned(), number(1.0));
        };
        told(&more, &format!("{name}: is no input or output"));
    }
    for value in [-5.0, 1e30] {
        let other = |numbers: &mut HashMap<String, Tensor>| {
            numbers.insert("unet/in/timestep".to_owned(), number(value));
        };
        told(&other, "unet/in/timestep: ");
    }
    // What belongs to no part is noted.
    let stray = |numbers: &mut HashMap<String, Tensor>| {
        numbers.insert("notes/in/made".to_owned(), number(1.0));
    };
    let report = edited(stray, &[]).unwrap();
    assert!(report.ok && report.unread == ["notes/in/made"], "{}", report.table());
}

#[test]
fn an_adapter_that_the_expected_output_does_not_show_is_a_deviation() {
    let lora = folder_of("adapters").join("diffusers");
    let under = |scale: &str| edited(|_| (), &[("lora", &format!("{}:{scale}", lora.display()))]);
    assert!(under("0").unwrap().ok);
    let report = under("0.6").unwrap();
    assert!(!report.ok && report.table().contains("nearer without them"), "{}", report.table());
    for scale in ["nan", "inf", "-1", "5"] {
        let error = under(scale).unwrap_err();
        assert!(error.starts_with("lora: the scale"), "{scale}: {error}");
    }
}

#[test]
fn checkpoints_of_one_file_become_bundles_that_compute_the_same() {
    let desk = tempfile::tempdir().unwrap();
    for (kind, folders, parts) in [
        ("sd1", &["vae", "unet", "text_encoder"][..], &["text", "vae", "unet"][..]),
        ("sd2", &["unet", "text_encoder"], &["text", "unet"]),
        (
            "xl",
            &["vae", "unet", "text_encoder", "text_encoder_2"],
            &["text", "text_2", "vae", "unet"],
        ),
    ] {
        let to = desk.path().join(kind);
        let file = reference(&format!("single_{kind}"));
        let imported = import(&file, &to, &ImportOptions::default()).unwrap();
        assert_eq!(imported.parts, folders);
        assert_eq!(imported.left_out, ["alphas_cumprod", "model_ema.decay"]);
        assert!(imported.notes.iter().any(|note| note.contains("tokenizer")));
        assert_eq!((imported.card.image_size, imported.card.licence.as_str()), (64, "unknown"));
        assert_eq!(imported.card.name, format!("single_{kind}"));
        let numbers = reference(&format!("single_{kind}_numbers"));
        assert_good(&check(&to, &numbers, TOLERANCE, &Device::Cpu).unwrap(), parts);
    }
}

#[test]
fn a_controlnet_of_one_file_becomes_a_bundle_of_its_own() {
    let desk = tempfile::tempdir().unwrap();
    let to = desk.path().join("canny");
    let options = ImportOptions { licence: Some("openrail".into()), ..ImportOptions::default() };
    let imported = import(&reference("single_controlnet"), &to, &options).unwrap();
    assert_eq!(imported.parts, ["controlnet"]);
    let numbers = reference("single_controlnet_numbers");
    assert_good(&check(&to, &numbers, TOLERANCE, &Device::Cpu).unwrap(), &["controlnet"]);
}
