//! Single values of gradients, runs that were stopped, and data or numbers that cannot be used.

use serde_json::Value;

use super::*;
use crate::data::Images;
use crate::model::Bundle;

fn start(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

fn resume(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, true, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

/// Cancels `config`'s run once `step` is done.
fn cancel_after(config: &TrainConfig, step: u64) {
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: at, .. } if at == step) {
            cancel.cancel();
        }
    };
    let error = run(config, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    assert!(matches!(error, TrainError::Cancelled { step: at } if at == step), "{error}");
}

#[test]
fn single_values_have_the_gradient_of_a_finite_difference() {
    let desk = Desk::new();
    for task in TASKS {
        let trainee = desk.trainee(task);
        shake(trainee.as_ref());
        let gradients = trainee.loss(2).unwrap().backward().unwrap();
        // The value with the largest gradient of each weight; then the ten largest of all.
        let mut largest: Vec<(f64, &String, usize)> = trainee
            .variables()
            .iter()
            .map(|(name, variable)| {
                let gradient = gradients.get(variable).unwrap().flatten_all().unwrap();
                let values = gradient.to_vec1::<f32>().unwrap();
                let most =
                    (0..values.len()).max_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
                (f64::from(values[most.unwrap()]), name, most.unwrap())
            })
            .collect();
        largest.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        for (found, name, position) in &largest[..largest.len().min(10)] {
            let variable = &trainee.variables()[*name];
            let whole = variable.as_detached_tensor().copy().unwrap();
            let values = whole.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let at = |step: f32| {
                let mut moved = values.clone();
                moved[*position] += step;
                let moved = Tensor::from_vec(moved, whole.shape(), &Device::Cpu).unwrap();
                variable.set(&moved).unwrap();
                scalar(&trainee.loss(2).unwrap())
            };
            let expected = (at(2e-3) - at(-2e-3)) / 4e-3;
            variable.set(&whole).unwrap();
            assert!(
                (expected - found).abs() <= 0.05 * found.abs() + 2e-4,
                "{task:?} {name}[{position}]: finite difference {expected}, gradient {found}"
            );
        }
    }
}

#[test]
fn a_run_that_was_cancelled_goes_on_as_if_it_had_not_been() {
    let desk = Desk::new();
    for task in TASKS {
        let events = [TrainEvent::Checkpoint { step: 0 }];
        let whole = TrainConfig { steps: 4, ..desk.config(task, &format!("{task:?}-whole")) };
        start(&whole).unwrap();
        let stopped = TrainConfig { out: desk.at(&format!("{task:?}-stopped")), ..whole.clone() };
        // Between two checkpoints.
        cancel_after(&stopped, 3);
        let summary = resume(&stopped).unwrap();
        assert_eq!(summary.steps, 4);
        assert!(outcome(&stopped.out, &events) == outcome(&whole.out, &events), "{task:?}");
    }
}

#[test]
fn a_cancel_beside_a_checkpoint_leaves_the_checkpoint_alone() {
    let desk = Desk::new();
    let config = TrainConfig { keep_checkpoints: 1, ..desk.config(Task::Lora, "run") };
    cancel_after(&config, 2);
    let text = std::fs::read_to_string(config.out.join("metrics.jsonl")).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("\"checkpoint\"")).count(), 1, "{text}");
    assert!(has_checkpoint(&config.out));
}

#[test]
fn a_run_may_become_longer_and_not_shorter_than_it_is() {
    let desk = Desk::new();
    let short = TrainConfig { steps: 3, ..desk.config(Task::Lora, "run") };
    start(&short).unwrap();
    let longer = TrainConfig { steps: 5, ..short.clone() };
    assert_eq!(resume(&longer).unwrap().steps, 5);
    let error = resume(&short).unwrap_err();
    assert!(matches!(error, TrainError::Config { field: "steps", .. }), "{error}");
    // A run that is done is done again without a step.
    let again = resume(&longer).unwrap();
    assert_eq!(again.steps, 5);
    let whole = TrainConfig { out: desk.at("whole"), ..longer };
    let validated = start(&whole).unwrap().validation_loss_after;
    assert!((again.validation_loss_after - validated).abs() < 1e-7);
    let weights = |out: &Path| std::fs::read(out.join("result/adapter_model.safetensors")).unwrap();
    assert!(weights(&whole.out) == weights(&short.out));
}

#[test]
fn a_run_goes_on_only_with_the_data_and_the_model_that_it_began_with() {
    let desk = Desk::new();
    let config = desk.config(Task::Concept, "run");
    // A data set of its own to replay.
    let replay = desk.at("replay");
    crate::data::select(&Dataset::open(&desk.dataset).unwrap(), "old", &|_| true, &replay).unwrap();
    let concept = ConceptConfig { replay: Some(replay.clone()), ..config.concept.clone().unwrap() };
    let config = TrainConfig { concept: Some(concept), ..config };
    cancel_after(&config, 3);
    let left = || {
        let state = config.out.join("checkpoints/step-00000003/state.json");
        let metrics = std::fs::read(config.out.join("metrics.jsonl")).unwrap();
        (std::fs::read(state).unwrap(), metrics)
    };
    let before = left();
    for (field, folder) in [("dataset", &desk.dataset), ("concept.replay", &replay)] {
        let manifest = folder.join("manifest.jsonl");
        let text = std::fs::read(&manifest).unwrap();
        super::bare::rewrite(folder, |sample| sample["caption"] = "another".into());
        let error = resume(&config).unwrap_err();
        assert!(matches!(error, TrainError::Config { field: of, .. } if of == field), "{error}");
        std::fs::write(&manifest, text).unwrap();
    }
    let (model, other) = (desk.at("model"), desk.at("other"));
    write_tiny(&other, &["chest radiograph".to_owned()], 4).unwrap();
    let swap = || {
        std::fs::rename(&model, desk.at("aside")).unwrap();
        std::fs::rename(&other, &model).unwrap();
        std::fs::rename(desk.at("aside"), &other).unwrap();
    };
    swap();
    let error = resume(&config).unwrap_err();
    assert!(matches!(error, TrainError::Config { field: "model", .. }), "{error}");
    assert!(left() == before, "what was refused changed something");
    swap();
    assert_eq!(resume(&config).unwrap().steps, 6);
}

#[test]
fn a_result_stays_until_the_next_is_whole() {
    let desk = Desk::new();
    let short = TrainConfig { steps: 3, ..desk.config(Task::Lora, "run") };
    let result = start(&short).unwrap().output;
    let weights = || std::fs::read(result.join("adapter_model.safetensors")).unwrap();
    let before = weights();
    // What a process left that was killed while it wrote the next.
    let next = short.out.join("result.next");
    std::fs::create_dir(&next).unwrap();
    std::fs::write(next.join("half"), "").unwrap();
    let longer = TrainConfig { steps: 6, ..short };
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 5, .. }) {
            cancel.cancel();
        }
    };
    run(&longer, true, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    assert!(weights() == before);
    resume(&longer).unwrap();
    assert!(weights() != before && !next.exists() && !result.join("half").exists());
}

#[test]
fn a_folder_that_is_no_runs_keeps_its_result() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "thesis");
    std::fs::create_dir_all(config.out.join("result")).unwrap();
    std::fs::write(config.out.join("result/chapter"), "mine").unwrap();
    for again in [start, resume] {
        let error = again(&config).unwrap_err();
        assert!(matches!(error, TrainError::Config { field: "out", .. }), "{error}");
        assert_eq!(std::fs::read_dir(&config.out).unwrap().count(), 1);
    }
}

#[test]
fn a_number_that_json_does_not_give_back_keeps_no_run_from_going_on() {
    let back =
        |x: f64| -> f64 { serde_json::from_str(&serde_json::to_string(&x).unwrap()).unwrap() };
    // Some numbers come back with another last bit.
    let learning_rate = (1..10_000)
        .map(|n| 1e-3 / f64::from(n))
        .find(|x| back(*x).to_bits() != x.to_bits())
        .unwrap_or(1e-3);
    let desk = Desk::new();
    let config = TrainConfig { learning_rate, ..desk.config(Task::Lora, "run") };
    cancel_after(&config, 2);
    resume(&config).unwrap();
}

/// Takes every sample of `split` out of the data set.
fn without(dataset: &Path, split: &str) {
    let mut taken = 0;
    remake(dataset, |sample| {
        let keep = sample["split"] != split;
        taken += usize::from(!keep);
        keep.then_some(sample)
    });
    assert!(taken > 0);
    let card = dataset.join("card.json");
    let mut changed: Value = serde_json::from_slice(&std::fs::read(&card).unwrap()).unwrap();
    changed["samples"][split] = 0.into();
    std::fs::write(&card, changed.to_string()).unwrap();
}

#[test]
fn a_data_set_without_a_split_is_refused_before_anything_is_written() {
    for (split, word) in [("train", "train on"), ("validation", "validate with")] {
        let desk = Desk::new();
        without(&desk.dataset, split);
        for task in TASKS {
            let config = desk.config(task, "run");
            let error = start(&config).unwrap_err().to_string();
            assert!(error.contains(word), "{task:?} without {split}: {error}");
            assert!(!config.out.exists());
        }
    }
}

#[test]
fn a_data_set_without_an_image_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    without(&desk.dataset, "train");
    without(&desk.dataset, "validation");
    for task in TASKS {
        let config = desk.config(task, "run");
        let error = start(&config).unwrap_err().to_string();
        assert!(error.contains("no images") && error.contains("train on"), "{task:?}: {error}");
        assert!(!config.out.exists());
    }
}

#[test]
fn an_autoencoder_that_no_radiograph_fits_is_refused() {
    let desk = Desk::new();
    let with = |change: &dyn Fn(&mut VaeConfig)| {
        let mut config = desk.config(Task::Vae, "run");
        change(config.vae.as_mut().unwrap());
        let error = start(&config).unwrap_err().to_string();
        assert!(!config.out.exists(), "{error}");
        error
    };
    assert!(with(&|vae| vae.in_channels = 3).contains("in_channels"));
    assert!(with(&|vae| vae.sample_size = 64).contains("image_size"));
    assert!(with(&|vae| vae.block_out_channels = vec![7]).contains("block_out_channels"));
    let none = TrainConfig { validation_samples: 0, ..desk.config(Task::Lora, "run") };
    assert!(start(&none).unwrap_err().to_string().contains("validation_samples"));
}

#[test]
fn a_model_whose_unet_is_asked_otherwise_is_refused() {
    let desk = Desk::new();
    let file = desk.at("model/unet/config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let refused = |word: &str| {
        for task in TASKS {
            if matches!(task, Task::Vae | Task::Base | Task::Judge | Task::Clip) {
                continue;
            }
            let config = desk.config(task, "run");
            let error = start(&config).unwrap_err();
            assert!(
                matches!(error, TrainError::Config { field: "model", .. }),
                "{task:?}: {error}"
            );
            assert!(error.to_string().contains(word), "{task:?}: {error}");
            assert!(!config.out.exists());
        }
    };
    let with = |key: &str, value: Value| {
        let mut changed: Value = serde_json::from_str(&text).unwrap();
        changed[key] = value;
        std::fs::write(&file, changed.to_string()).unwrap();
    };
    with("in_channels", 9.into());
    refused("paints into images");
    with("num_class_embeds", 4.into());
    refused("a class");
    std::fs::write(&file, &text).unwrap();
    let second = desk.at("model").join(Part::TextEncoder2.folder());
    std::fs::create_dir(&second).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(desk.at("model/text_encoder").join(file), second.join(file)).unwrap();
    }
    refused("two text encoders");
}

#[test]
fn the_latents_of_the_autoencoder_on_disk_have_unit_variance() {
    let desk = Desk::new();
    // An average that lags far behind the weights.
    let config =
        TrainConfig { learning_rate: 1e-2, clip_norm: 1e3, ..desk.config(Task::Vae, "run") };
    let summary = start(&config).unwrap();
    let vae = Bundle::open(&summary.output).unwrap().vae(&Device::Cpu).unwrap();
    let dataset = Dataset::open(&desk.dataset).unwrap();
    let images = Images::load(&dataset, Split::Train, config.image_size, usize::MAX).unwrap();
    let all: Vec<usize> = (0..images.len()).collect();
    let (mean, _) = vae.encode(&images.tensor(&all, &Device::Cpu).unwrap()).unwrap();
    let latents = (mean * vae.config().scaling_factor).unwrap();
    let centre = scalar(&latents.mean_all().unwrap());
    let variance = scalar(&latents.sqr().unwrap().mean_all().unwrap()) - centre * centre;
    assert!((variance - 1.0).abs() < 0.02, "a variance of {variance}");
}

#[test]
fn a_held_out_loss_that_is_no_number_stops_the_run_with_its_reason() {
    let desk = Desk::new();
    let config = desk.config(Task::Lora, "run");
    // It learns, but sees no number on held-out patients.
    let trainee = Bare::new(&[("x", &[1.0, 2.0])], |x, _| x["x"].as_tensor().sqr()?.sum_all());
    let error = trainee.held_out(&[1.0, f32::NAN]).fails(&config);
    assert!(matches!(error, TrainError::NotFinite { step: 3, .. }), "{error}");
    assert!(error.to_string().contains("held-out"), "{error}");
    assert!(has_checkpoint(&config.out));
}
