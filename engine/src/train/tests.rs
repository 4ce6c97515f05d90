//! Every trainable weight learns, no frozen one moves, and a run that was stopped goes on as if it
//! had not been.
#![allow(clippy::unwrap_used, clippy::panic)]

mod adapters;
mod bare;
mod buckets;
mod clip;
mod concept;
mod controlnet;
mod edges;
mod estimate;
mod figures;
mod folder;
mod habits;
mod judge;
mod objective;
mod owed;
mod recipes;
mod tape;
mod vae_losses;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};

use super::trainee::Trainee;
use super::*;
use crate::control::ControlKind;
use crate::data::tests::{small_set, small_set_with_masks};
use crate::data::{Dataset, Split};
use crate::device::CancelToken;
use crate::model::{ModelCard, Part, UnetConfig, VaeConfig, read_json, write_tiny};
use crate::nn::gradients::{self, random, scalar};
use bare::{Bare, remake, rewrite};

/// A data set, a tiny model, and room for runs.
pub(super) struct Desk {
    _keep: tempfile::TempDir,
    folder: tempfile::TempDir,
    dataset: PathBuf,
}

impl Desk {
    pub(super) fn new() -> Self {
        let (keep, dataset) = small_set_with_masks();
        let folder = tempfile::tempdir().unwrap();
        let texts = ["chest radiograph, normal", "chest radiograph, pneumonia"].map(str::to_owned);
        write_tiny(&folder.path().join("model"), &texts, 3).unwrap();
        Self { _keep: keep, folder, dataset }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn part<T: serde::de::DeserializeOwned>(&self, part: Part) -> T {
        read_json(&self.at("model").join(part.folder()).join("config.json")).unwrap()
    }

    pub(super) fn config(&self, task: Task, out: &str) -> TrainConfig {
        let vae: VaeConfig = self.part(Part::Vae);
        let unet: UnetConfig = self.part(Part::Unet);
        TrainConfig {
            name: "test".into(),
            model: self.at("model"),
            batch_size: 3,
            learning_rate: 1e-3,
            seed: 5,
            image_size: vae.sample_size,
            validate_every: 3,
            checkpoint_every: 2,
            rank: 2,
            alpha: 3.0,
            text: Some(TextSizes {
                vocab_size: 600,
                hidden_size: unet.context_width(),
                num_hidden_layers: 1,
                num_attention_heads: 2,
                max_position_embeddings: 24,
            }),
            judge: Some(classifier(vae.sample_size)),
            vae: Some(vae),
            unet: Some(unet),
            card: Some(ModelCard { name: "test".into(), ..ModelCard::default() }),
            controlnet: Some(ControlnetConfig::new(ControlKind::Mask)),
            concept: Some(ConceptConfig {
                tokens: 2,
                width: 8,
                image_size: 16,
                channels: vec![8, 12],
                feature_steps: 3,
                replay: Some(self.dataset.clone()),
                report_prompts: 2,
                ..ConceptConfig::default()
            }),
            clip: Some(ClipConfig {
                projection_dim: 8,
                hidden_size: 16,
                num_hidden_layers: 1,
                num_attention_heads: 2,
                patch_size: 8,
                ..ClipConfig::default()
            }),
            prefix: Some(PrefixConfig { vectors: 3 }),
            textual_inversion: Some(TextualInversionConfig {
                token: "<shade>".into(),
                vectors: 2,
                initial: "chest radiograph".into(),
                template: "{token} {caption}".into(),
            }),
            ..TrainConfig::new(task, self.dataset.clone(), self.at(out), 6)
        }
    }

    fn trainee(&self, task: Task) -> Box<dyn Trainee> {
        self.trainee_on(task, &Device::Cpu)
    }

    fn trainee_on(&self, task: Task, device: &Device) -> Box<dyn Trainee> {
        trainee(&self.config(task, "unused"), device)
    }
}

fn trainee(config: &TrainConfig, device: &Device) -> Box<dyn Trainee> {
    let cancel = CancelToken::new();
    match config.task {
        Task::Vae => Box::new(vae::VaeTask::new(config, device).unwrap()),
        Task::Base => Box::new(base::BaseTask::new(config, device, &cancel).unwrap()),
        Task::Lora => Box::new(lora::LoraTask::new(config, device, &cancel).unwrap()),
        Task::Judge => super::judge::prepare(config, device).unwrap(),
        Task::Controlnet => {
            Box::new(super::controlnet::ControlnetTask::new(config, device, &cancel).unwrap())
        }
        Task::Concept => {
            Box::new(super::concept::ConceptTask::new(config, device, &cancel).unwrap())
        }
        Task::Clip => Box::new(super::clip::ClipTask::new(config, device).unwrap()),
        Task::Prefix => Box::new(prefix::PrefixTask::new(config, device, &cancel).unwrap()),
        Task::TextualInversion => {
            Box::new(textual_inversion::TextualInversionTask::new(config, device, &cancel).unwrap())
        }
    }
}

/// The smallest classifier.
fn classifier(side: usize) -> JudgeConfig {
    let config = serde_json::json!({
        "classifier": {
            "sample_size": side,
            "patch_size": 4,
            "block_out_channels": [4, 8],
            "layers_per_block": 1,
            "norm_num_groups": 2,
            "findings": ["normal", "pneumonia", "effusion"],
            "views": ["AP", "PA"],
        }
    });
    serde_json::from_value(config).unwrap()
}

const TASKS: [Task; 9] = [
    Task::Vae,
    Task::Base,
    Task::Lora,
    Task::Judge,
    Task::Controlnet,
    Task::Clip,
    Task::Concept,
    Task::Prefix,
    Task::TextualInversion,
];

/// Moves every weight a little from where it starts, so that nothing is zero by construction.
fn shake(trainee: &dyn Trainee) {
    gradients::shake(trainee.variables(), 0.05);
}

#[test]
fn every_trainable_weight_has_the_gradient_of_a_finite_difference() {
    let desk = Desk::new();
    for task in TASKS {
        let trainee = desk.trainee(task);
        check_gradients(trainee.as_ref(), &format!("{task:?}"));
    }
}

/// Holds the gradient of every trainable weight against a finite difference along it.
fn check_gradients(trainee: &dyn Trainee, task: &str) {
    shake(trainee);
    gradients::check_gradients(task, trainee.variables(), &|| trainee.loss(1).unwrap());
}

#[cfg(feature = "cuda")]
#[test]
fn training_on_a_gpu_has_the_cpus_loss_and_gradients() {
    use crate::kernel::{SINGLE, gpu};

    let Some(gpu) = gpu("training_on_a_gpu_has_the_cpus_loss_and_gradients") else { return };
    let desk = Desk::new();
    for task in TASKS {
        let [expected, found] = [Device::Cpu, gpu.clone()].map(|device| {
            let trainee = desk.trainee_on(task, &device);
            shake(trainee.as_ref());
            let loss = trainee.loss(1).unwrap();
            let gradients = loss.backward().unwrap();
            let mut numbers = vec![loss.flatten_all().unwrap()];
            for variable in trainee.variables().values() {
                numbers.push(gradients.get(variable).unwrap().flatten_all().unwrap());
            }
            Tensor::cat(&numbers, 0).unwrap().to_device(&Device::Cpu).unwrap()
        });
        let norm = |x: &Tensor| scalar(&x.sqr().unwrap().sum_all().unwrap()).sqrt();
        let difference = norm(&(&found - &expected).unwrap()) / norm(&expected);
        // What stays frozen beside the trained is held in bf16.
        let frozen = matches!(
            task,
            Task::Lora | Task::Prefix | Task::TextualInversion | Task::Controlnet | Task::Concept
        );
        let tolerance = if frozen { 0.1 } else { 10.0 * f64::from(SINGLE) };
        assert!(difference < tolerance, "{task:?}: {difference}");
    }
}

/// Losses by step, and the bytes of the result.
type Outcome = (BTreeMap<u64, f32>, BTreeMap<u64, f32>, Vec<Vec<u8>>);

fn outcome(out: &Path, events: &[TrainEvent]) -> Outcome {
    let (mut losses, mut held_out) = (BTreeMap::new(), BTreeMap::new());
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    for line in text.lines() {
        match serde_json::from_str(line).unwrap() {
            TrainEvent::Step { step, loss, .. } => assert!(losses.insert(step, loss).is_none()),
            TrainEvent::Validation { step, loss } => assert!(held_out.insert(step, loss).is_none()),
            _ => {}
        }
    }
    assert!(!events.is_empty());
    let mut files = Vec::new();
    let mut folders = vec![out.join("result")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "safetensors") {
                files.push(std::fs::read(path).unwrap());
            }
        }
    }
    (losses, held_out, files)
}

#[test]
fn a_run_that_was_killed_goes_on_as_if_it_had_not_been() {
    let desk = Desk::new();
    for task in TASKS {
        goes_on_after_a_kill(&desk, task, 6, 5);
    }
}

/// Kills a run of `steps` after `killed`, an odd number, and holds what it comes to against a whole one's.
fn goes_on_after_a_kill(desk: &Desk, task: Task, steps: u64, killed: u64) {
    let config = |out: &str| TrainConfig { steps, ..desk.config(task, &format!("{task:?}-{out}")) };
    let whole = config("whole");
    let mut events = Vec::new();
    run(&whole, false, &Device::Cpu, &mut |event| events.push(event), &CancelToken::new()).unwrap();
    let expected = outcome(&whole.out, &events);
    assert_eq!(expected.0.len() as u64, steps);

    // A kill leaves what is on the disk: the checkpoint of the step before, and metrics beyond.
    let stopped = config("killed");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut on_event = |event: TrainEvent| {
            if matches!(event, TrainEvent::Step { step, .. } if step == killed) {
                std::panic::resume_unwind(Box::new("killed"));
            }
        };
        run(&stopped, false, &Device::Cpu, &mut on_event, &CancelToken::new())
    }));
    assert!(caught.is_err());
    assert!(has_checkpoint(&stopped.out));
    let mut events = Vec::new();
    run(&stopped, true, &Device::Cpu, &mut |event| events.push(event), &CancelToken::new())
        .unwrap();
    let from = killed - 1;
    assert!(matches!(events[0], TrainEvent::Started { step, .. } if step == from), "{events:?}");
    assert!(outcome(&stopped.out, &events) == expected, "{task:?}");
}

#[test]
fn a_cancelled_run_keeps_its_last_step() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 3, .. }) {
            cancel.cancel();
        }
    };
    let error = run(&config, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    assert!(matches!(error, TrainError::Cancelled { step: 3 }), "{error}");
    let mut first = None;
    let mut on_event = |event| {
        first.get_or_insert(event);
    };
    run(&config, true, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
    assert!(matches!(first, Some(TrainEvent::Started { step: 3, .. })));
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let refused = |config: &TrainConfig, word: &str| {
        let error = run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    let lora = || desk.config(Task::Lora, "run");
    refused(&TrainConfig { steps: 0, ..lora() }, "steps");
    refused(&TrainConfig { batch_size: 0, ..lora() }, "batch_size");
    refused(&TrainConfig { learning_rate: f64::NAN, ..lora() }, "learning_rate");
    refused(&TrainConfig { rank: 0, ..lora() }, "rank");
    refused(&TrainConfig { rank: 200, ..lora() }, "200 does not lie between 1 and");
    refused(&TrainConfig { targets: vec!["nowhere".into()], ..lora() }, "nowhere");
    refused(&TrainConfig { model: desk.at("none"), ..lora() }, "none");
    let base = desk.config(Task::Base, "run");
    refused(&TrainConfig { unet: None, ..base.clone() }, "unet");
    let text = base.text.clone().map(|text| TextSizes { hidden_size: 32, ..text });
    refused(&TrainConfig { text, ..base }, "cross_attention_dim");
    let vae = desk.config(Task::Vae, "run");
    refused(&TrainConfig { image_size: 33, ..vae.clone() }, "image_size");
    refused(&TrainConfig { gradient_checkpointing: true, ..vae }, "gradient_checkpointing");
}

#[test]
fn a_folder_holds_one_run() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(error.to_string().contains("holds a run already"));
    let other = TrainConfig { learning_rate: 2e-3, ..config };
    let error = run(&other, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(error.to_string().contains("differs"), "{error}");
}

#[test]
fn a_loss_that_runs_away_stops_the_run_with_its_reason() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    // It learns well until its third step.
    let trainee = Bare::new(&[("x", &[1.0, -2.0])], |x, step| {
        let factor = if step < 3 { 1.0 } else { f64::NAN };
        x["x"].as_tensor().sqr()?.sum_all()? * factor
    });
    let error = trainee.fails(&config);
    assert!(matches!(error, TrainError::NotFinite { step: 3, .. }), "{error}");
    assert!(error.to_string().contains("learning rate"));
    assert!(has_checkpoint(&config.out), "the checkpoint of step 2 is whole");
}
