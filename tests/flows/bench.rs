//! `skiagraph-engine bench` as a person calls it.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use candle_core::{Device, Tensor, safetensors};
use serde_json::Value;

use crate::harness::server::program;

/// A model of the smallest size.
fn tiny() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pipelines/base");
    folder.to_str().unwrap().to_owned()
}

/// Whether the program ended well, and the events that it printed.
fn bench(options: &[&str]) -> (bool, Vec<Value>) {
    let done =
        Command::new(program("skiagraph-engine")).args(["--json", "bench"]).args(options).output();
    let done = done.unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (done.status.success(), events)
}

#[test]
fn a_case_is_timed_and_its_report_names_its_fields() {
    let desk = tempfile::tempdir().unwrap();
    let (model, file) = (tiny(), desk.path().join("answer.safetensors"));
    let order = ["--case", "small-forward", "--dtype", "f32", "--model", &model];
    let more = ["--repeat", "3", "--threads", "1", "--profile", "--output"];
    let (ended_well, events) = bench(&[&order[..], &more, &[file.to_str().unwrap()]].concat());
    assert!(ended_well, "{events:?}");
    let [report] = &events[..] else { panic!("{events:?}") };
    for (field, value) in [
        ("event", "bench".into()),
        ("case", "small-forward".into()),
        ("dtype", "f32".into()),
        ("status", "measured".into()),
        ("threads", Value::from(1)),
        ("warm_up", Value::from(1)),
        ("repeat", Value::from(3)),
    ] {
        assert_eq!(report[field], value, "{field}: {report}");
    }
    let seconds = |name: &str| report["seconds"][name].as_f64().unwrap();
    assert!(seconds("min") > 0.0 && seconds("min") <= seconds("median"), "{report}");
    assert!(seconds("median") <= seconds("max"), "{report}");
    assert_eq!(report["each"].as_array().unwrap().len(), 3);
    assert!(report["load_seconds"].as_f64().unwrap() > 0.0);
    if cfg!(target_os = "linux") {
        // Whoever holds no megabyte has not loaded a network.
        assert!(report["peak_bytes"].as_u64().unwrap() > 1 << 20, "{report}");
    }
    let shares = report["profile"].as_array().unwrap();
    let total: f64 = shares.iter().map(|share| share["share"].as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 0.05, "{report}");

    let answer = safetensors::load(&file, &Device::Cpu).unwrap();
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["sample"]);
    assert_eq!(answer["sample"].dims(), [8, 4, 32, 32]);
    let largest = answer["sample"].abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    // JSON's text may not give a number back to its last bit.
    let said = report["digest"]["largest"].as_f64().unwrap();
    assert!((said / f64::from(largest) - 1.0).abs() < 1e-9, "{said} and {largest}");
    // The same work once more, in another process: the same numbers.
    let (_, again) = bench(&[&order[..], &["--repeat", "1", "--threads", "1"]].concat());
    assert_eq!(again[0]["digest"], report["digest"]);
}

#[test]
fn a_case_of_no_model_makes_one() {
    let order = ["--case", "small-forward", "--dtype", "f32", "--repeat", "1", "--warm-up", "0"];
    let (ended_well, events) = bench(&order);
    assert!(ended_well, "{events:?}");
    assert_eq!(events[0]["status"], "measured", "{events:?}");
    assert!(events[0]["digest"]["largest"].as_f64().unwrap() > 0.0, "{events:?}");
}

#[test]
fn a_number_type_is_measured_or_told_as_unsupported() {
    let model = tiny();
    for case in ["small-forward", "small-training", "vae-decode", "lora-training", "text-to-image"]
    {
        let order = ["--case", case, "--dtype", "bf16", "--model", &model];
        let (ended_well, events) = bench(&[&order[..], &["--repeat", "1"]].concat());
        assert!(ended_well, "{events:?}");
        match events[0]["status"].as_str() {
            Some("measured") => assert!(events[0]["seconds"]["median"].is_f64()),
            Some("unsupported") => assert!(!events[0]["reason"].as_str().unwrap().is_empty()),
            other => panic!("{case}: {other:?}: {events:?}"),
        }
    }
}

#[test]
fn what_cannot_be_timed_is_refused_by_its_name() {
    let desk = tempfile::tempdir().unwrap();
    let inputs = desk.path().join("inputs.safetensors");
    let sample = Tensor::zeros((8, 4, 32, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
    safetensors::save(&HashMap::from([("sample", sample)]), &inputs).unwrap();
    let (model, inputs) = (tiny(), inputs.to_str().unwrap().to_owned());
    let order = ["--case", "small-forward", "--dtype", "f32", "--model", &model];
    let (ended_well, events) = bench(&[&order[..], &["--inputs", &inputs]].concat());
    assert!(!ended_well, "{events:?}");
    assert_eq!(events[0]["status"], "failed", "{events:?}");
    let cause = events[0]["cause"].as_str().unwrap();
    assert!(cause.contains("context") && cause.contains("missing"), "{cause}");

    let (ended_well, events) = bench(&["--output", "answer.safetensors", "--model", &model]);
    assert!(!ended_well && events[0]["cause"].as_str().unwrap().contains("--output"), "{events:?}");
}
