//! What a run leaves in its folder, and how it ends before its last step.

use super::*;
use crate::dicom::read_provenance;

fn start(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

fn resume(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, true, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

#[test]
fn a_run_leaves_configuration_losses_pictures_and_result() {
    let desk = Desk::new();
    let kinds = [Task::Base, Task::Lora, Task::Prefix, Task::TextualInversion, Task::Base];
    for (kind, task) in kinds.into_iter().enumerate() {
        let config = TrainConfig {
            // The last is a whole model that goes on.
            fine_tune: (kind == 4).then(FineTuneConfig::default),
            sample_every: 4,
            sample_prompts: vec!["chest radiograph, normal".into(), String::new()],
            sample_steps: 2,
            ..desk.config(task, &format!("{kind}"))
        };
        start(&config).unwrap();
        let svg = std::fs::read_to_string(config.out.join("loss.svg")).unwrap();
        assert!(svg.contains("held out"));
        // After step 4, and after the last.
        let mut names: Vec<String> = std::fs::read_dir(config.out.join("samples"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["step-00000004.png", "step-00000006.png"]);
        let png = std::fs::read(config.out.join("samples/step-00000006.png")).unwrap();
        let made = read_provenance(&png).unwrap();
        assert_eq!(made.prompt, "chest radiograph, normal | ");
        assert_eq!((made.provenance.seed, made.provenance.steps), (5, 2));
        assert_eq!(made.provenance.width, 2 * made.provenance.height);
        let used = (made.provenance.adapters.len(), made.provenance.embeddings.len());
        let on = usize::from(matches!(task, Task::Lora | Task::Prefix));
        assert_eq!(used, (on, usize::from(task == Task::TextualInversion)), "{task:?}");
        // A run with pictures learns what one without them does.
        let plain = TrainConfig {
            fine_tune: config.fine_tune.clone(),
            ..desk.config(task, &format!("{kind}-plain"))
        };
        start(&plain).unwrap();
        let events = [TrainEvent::Checkpoint { step: 0 }];
        assert!(outcome(&plain.out, &events) == outcome(&config.out, &events), "{task:?}");
    }
    let refused = |config: TrainConfig, word: &str| {
        let error = start(&config).unwrap_err().to_string();
        assert!(error.contains(word) && !config.out.exists(), "{error}");
    };
    let run = |task| TrainConfig { sample_every: 2, ..desk.config(task, "refused") };
    refused(run(Task::Lora), "sample_prompts");
    for task in TASKS.into_iter().filter(|task| !task.samples()) {
        refused(run(task), "sample_every");
    }
    let prompts = vec!["x".to_owned()];
    refused(
        TrainConfig { sample_prompts: prompts, sample_every: 0, ..run(Task::Lora) },
        "sample_every",
    );
}

#[test]
fn a_run_that_learns_no_more_ends_and_keeps_its_best() {
    let desk = Desk::new();
    let config = TrainConfig {
        steps: 10,
        validate_every: 1,
        checkpoint_every: 100,
        average_decay: 0.0,
        learning_rate: 0.5,
        clip_norm: 1e3,
        patience: Some(3),
        ..desk.config(Task::Lora, "run")
    };
    // Before the first step, and after each: the best after the second, and three looks without a better.
    // Every step adds half a unit, along a gradient that never changes.
    let trainee = || Bare::new(&[("x", &[0.0])], |x, _| x["x"].as_tensor().neg()?.sum_all());
    let losses = [9.0, 5.0, 3.0, 4.0, 3.0, 3.5, 1.0];
    let summary = trainee().held_out(&losses).train(&config, None, &mut |_| ()).unwrap();
    assert_eq!((summary.steps, summary.best_step), (5, Some(2)));
    assert_eq!(summary.validation_loss_after.to_bits(), 3f32.to_bits());
    let value = |path: &Path| -> f32 {
        let stored = crate::kernel::map_weights(path).unwrap();
        stored.load("x", &Device::Cpu).unwrap().to_vec1::<f32>().unwrap()[0]
    };
    // Two steps of half a unit along a gradient that never changes.
    let kept = value(&config.out.join("result/x.safetensors"));
    assert!((kept - 1.0).abs() < 1e-3, "{kept}");
    let last = config.out.join("checkpoints/step-00000005");
    assert!((value(&last.join("weights.safetensors")) - 2.5).abs() < 1e-3);
    // Asked to go on, it remembers that it had given up.
    let again = trainee().train(&config, Some(&last), &mut |_| ()).unwrap();
    assert_eq!((again.steps, again.best_step), (5, Some(2)));
    let error = start(&TrainConfig { patience: Some(0), ..config }).unwrap_err();
    assert!(error.to_string().contains("patience"));
}

#[test]
fn a_run_that_goes_on_otherwise_is_told_in_which_values() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    start(&config).unwrap();
    let objective = ObjectiveConfig { noise_offset: 0.1, ..ObjectiveConfig::default() };
    let other = TrainConfig { learning_rate: 2e-3, objective, ..config };
    let error = resume(&other).unwrap_err().to_string();
    assert!(error.contains("differs in learning_rate, objective.noise_offset from"), "{error}");
}

#[test]
fn a_gradient_that_is_no_number_is_named_by_its_weight() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    // The root's slope at zero is infinite, while the loss is a number.
    let trainee = Bare::new(&[("bias", &[0.0]), ("block.weight", &[0.0])], |x, _| {
        let root = x["block.weight"].as_tensor().sqrt()?.sum_all()?;
        root + x["bias"].as_tensor().sum_all()?
    });
    let error = trainee.fails(&config).to_string();
    assert!(error.contains("the gradient of block.weight became"), "{error}");
    assert!(error.contains("at step 1"), "{error}");
}

/// Where the process of [`a_full_disk_leaves_the_last_checkpoint_whole`] finds its run.
const RUN: &str = "SKIAGRAPH_TEST_FULL_DISK";

/// Goes on with the run of [`RUN`] in a process that may write no file beyond a few kilobytes.
#[test]
fn in_a_process_without_room() {
    let Ok(config) = std::env::var(RUN) else { return };
    let config: TrainConfig = serde_json::from_str(&config).unwrap();
    let error = resume(&config).unwrap_err().to_string();
    assert!(error.contains("step-00000004: "), "{error}");
    assert!(error.contains("the checkpoint of step 2 is whole"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_checkpoint_whole() {
    let desk = Desk::new();
    let config = desk.config(Task::Base, "run");
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 2, .. }) {
            cancel.cancel();
        }
    };
    run(&config, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    // The limit of a file's size, where its signal is ignored, is an error of writing like a full disk's.
    // What it says goes through a pipe: a file would be limited as well.
    let done = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "train::tests::folder::in_a_process_without_room"])
        .env(RUN, serde_json::to_string(&config).unwrap())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(config.out.join("checkpoints/step-00000002/state.json").exists());
    assert!(!config.out.join("checkpoints/step-00000004").exists());
    // With room again, it goes on as if nothing had been.
    resume(&config).unwrap();
    let whole = TrainConfig { out: desk.at("whole"), ..config.clone() };
    start(&whole).unwrap();
    let events = [TrainEvent::Checkpoint { step: 0 }];
    assert!(outcome(&config.out, &events) == outcome(&whole.out, &events));
}

#[test]
fn a_damaged_image_is_named_before_anything_is_written() {
    let desk = Desk::new();
    let frames: Vec<_> = std::fs::read_dir(desk.dataset.join("frames")).unwrap().collect();
    let middle = frames[frames.len() / 2].as_ref().unwrap().path();
    std::fs::write(&middle, "rubbish").unwrap();
    for task in TASKS {
        let config = desk.config(task, "run");
        let error = start(&config).unwrap_err().to_string();
        let name = middle.file_name().unwrap().to_str().unwrap();
        assert!(error.contains(name) && error.contains("is not the file"), "{task:?}: {error}");
        assert!(!config.out.exists());
    }
}

#[test]
fn images_without_a_caption_are_trained_on_beside_others_that_have_one() {
    let desk = Desk::new();
    let bare = std::cell::Cell::new(false);
    rewrite(&desk.dataset, |sample| {
        if bare.replace(!bare.get()) {
            sample["caption"] = "".into();
        }
    });
    for task in [Task::Base, Task::Lora] {
        start(&desk.config(task, &format!("{task:?}"))).unwrap();
    }
    rewrite(&desk.dataset, |sample| sample["caption"] = " ".into());
    for task in TASKS {
        if !matches!(task, Task::Vae | Task::Judge) {
            let config = desk.config(task, "run");
            let error = start(&config).unwrap_err().to_string();
            assert!(error.contains("no image has a caption"), "{task:?}: {error}");
            assert!(!config.out.exists());
        }
    }
}

#[test]
fn a_run_of_fifty_steps_may_be_stopped_at_any() {
    let desk = Desk::new();
    for task in [Task::Base, Task::Lora] {
        let whole = TrainConfig {
            steps: 50,
            validate_every: 10,
            checkpoint_every: 9,
            warmup_steps: 5,
            rate_schedule: RateSchedule::Cosine,
            ..desk.config(task, &format!("{task:?}-whole"))
        };
        start(&whole).unwrap();
        let events = [TrainEvent::Checkpoint { step: 0 }];
        let expected = outcome(&whole.out, &events);
        assert_eq!(expected.0.len(), 50);
        for at in [1, 9, 26, 49] {
            let out = desk.at(&format!("{task:?}-{at}"));
            let stopped = TrainConfig { out, ..whole.clone() };
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut on_event = |event: TrainEvent| {
                    if matches!(event, TrainEvent::Step { step, .. } if step == at) {
                        std::panic::resume_unwind(Box::new("killed"));
                    }
                };
                run(&stopped, false, &Device::Cpu, &mut on_event, &CancelToken::new())
            }));
            assert!(killed.is_err());
            resume(&stopped).unwrap();
            assert!(outcome(&stopped.out, &events) == expected, "{task:?} after step {at}");
        }
    }
}
