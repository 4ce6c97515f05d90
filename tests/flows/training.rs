//! `skiagraph-engine train` under `kill -9`, again and again: step for step the losses of a run that nobody killed.
//! `make kill-resume` prints them beside each other.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::objects::objects;
use crate::harness::server::{program, tiny_model};

const STEPS: u64 = 50;
/// A run is killed when it has done these steps: before its first checkpoint, and between two.
const KILLS: [u64; 4] = [3, 17, 30, 41];

/// What the runs have in common; weights and averages, rates and draws all change from step to step.
const COMMON: &str = r#"
name = "killed"
seed = 9
steps = 50
batch_size = 4
accumulate = 2
learning_rate = 2e-3
warmup_steps = 5
rate_schedule = "cosine"
average_decay = 0.99
caption_dropout = 0.2
validate_every = 7
checkpoint_every = 4
"#;

const BASE: &str = r#"
[text]
vocab_size = 300
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
max_position_embeddings = 32

[unet]
sample_size = 8
in_channels = 4
out_channels = 4
block_out_channels = [16, 32]
down_block_types = ["CrossAttnDownBlock2D", "DownBlock2D"]
up_block_types = ["UpBlock2D", "CrossAttnUpBlock2D"]
layers_per_block = 1
cross_attention_dim = 16
attention_head_dim = 2
norm_num_groups = 8
use_linear_projection = true

[card]
name = "killed"
version = "1"
description = "For a test."
image_size = 32
findings = []
default_steps = 4
default_guidance_scale = 2.0
licence = ""
attribution = []
training = ""
limits = "Shows nothing."
"#;

#[test]
fn a_base_that_is_killed_comes_out_as_one_that_is_not() {
    killed_and_not("base", BASE);
}

#[test]
fn a_lora_that_is_killed_comes_out_as_one_that_is_not() {
    killed_and_not("lora", "rank = 2\nalpha = 2.0\n");
}

#[test]
fn a_controlnet_that_is_killed_comes_out_as_one_that_is_not() {
    killed_and_not("controlnet", "[controlnet]\nkind = \"edges\"\n");
}

/// A data set of drawn radiographs, made once.
fn dataset() -> PathBuf {
    static DATASET: OnceLock<tempfile::TempDir> = OnceLock::new();
    let desk = DATASET.get_or_init(|| {
        let desk = tempfile::tempdir().unwrap();
        let sources = desk.path().join("sources");
        std::fs::create_dir(&sources).unwrap();
        for (name, bytes) in objects() {
            std::fs::write(sources.join(name), bytes).unwrap();
        }
        let done = Command::new(program("skiagraph-engine"))
            .args(["dataset", "build", "--name", "drawn", "--licence", "CC0"])
            .args(["--attribution", "nobody", "--validation-fraction", "0.25", "--out"])
            .arg(desk.path().join("set"))
            .arg(&sources)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        desk
    });
    desk.path().join("set")
}

/// The program, told to train into `out`, or to go on there.
fn training(task: &str, config: &Path, out: &Path) -> Command {
    let mut command = Command::new(program("skiagraph-engine"));
    command.args(["--json", "train", task, "--resume", "--config"]).arg(config);
    command.arg("--dataset").arg(dataset()).arg("--model").arg(tiny_model());
    command.arg("--out").arg(out);
    command
}

/// Lets a run go on until the folder `out` tells of `step`, and kills it at its work.
fn kill_after(command: &mut Command, out: &Path, step: u64) {
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while steps(out).last().is_none_or(|(last, _)| *last < step) {
        assert!(begun.elapsed() < Duration::from_mins(5), "never came to step {step}");
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL: it cannot be caught.
    run.kill().unwrap();
    let status = run.wait().unwrap();
    assert!(status.code().is_none(), "over before it could be killed: {status}");
}

/// The lines of a run's metrics that are whole and of this kind: step and loss.
fn lines(out: &Path, kind: &str) -> Vec<(u64, f64)> {
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["event"] == kind)
        .map(|event| (event["step"].as_u64().unwrap(), event["loss"].as_f64().unwrap()))
        .collect()
}

fn steps(out: &Path) -> Vec<(u64, f64)> {
    lines(out, "step")
}

/// Every file of weights below `folder`, in the order of their names.
fn weights(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "safetensors") {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn killed_and_not(task: &str, own: &str) {
    let desk = tempfile::tempdir().unwrap();
    let config = desk.path().join("run.toml");
    std::fs::write(&config, format!("task = \"{task}\"\n{COMMON}{own}")).unwrap();
    let (whole, killed) = (desk.path().join("whole"), desk.path().join("killed"));
    let finish = |out: &Path| {
        let done = training(task, &config, out).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    };
    finish(&whole);
    for step in KILLS {
        kill_after(&mut training(task, &config, &killed), &killed, step);
        assert!(!killed.join("result").exists());
    }
    finish(&killed);

    let (expected, found) = (steps(&whole), steps(&killed));
    println!(
        "{task}, killed after the steps {KILLS:?}: step, loss, loss of the run that was killed"
    );
    for ((step, loss), (_, again)) in expected.iter().zip(&found) {
        println!("{task} {step:2} {loss:.9} {again:.9}");
    }
    let numbers: Vec<u64> = found.iter().map(|(step, _)| *step).collect();
    assert_eq!(
        numbers,
        (1..=STEPS).collect::<Vec<_>>(),
        "{task}: a step is missing or there twice"
    );
    let bits = |lines: &[(u64, f64)]| -> Vec<(u64, u64)> {
        lines.iter().map(|(step, loss)| (*step, loss.to_bits())).collect()
    };
    assert_eq!(bits(&found), bits(&expected), "{task}");
    // It learns: losses that stand still would be the same as well.
    assert!(expected.iter().any(|(_, loss)| loss.to_bits() != expected[0].1.to_bits()), "{task}");
    let held_out = |out: &Path| bits(&lines(out, "validation"));
    assert_eq!(held_out(&killed), held_out(&whole), "{task}: losses on held-out patients");
    let (expected, found) = (weights(&whole.join("result")), weights(&killed.join("result")));
    assert!(!expected.is_empty() && found == expected, "{task}: the results differ");
    println!(
        "{task}: {STEPS} of {STEPS} losses are the same, and {} files of weights",
        found.len()
    );
}
