//! What networks are asked and held against, by hand and by finite differences.

use super::*;
use crate::data::{Dataset, Framing, Split};
use crate::model::Bundle;
use crate::noise::{Prediction, Schedule, ScheduleConfig};
use crate::sample::{Pipeline, Request, generate};
use crate::train::objective::{Noised, Objective};

fn schedule(prediction_type: Prediction) -> ScheduleConfig {
    let rescale_betas_zero_snr = prediction_type == Prediction::VPrediction;
    let shift = if prediction_type == Prediction::Flow { 3.0 } else { 1.0 };
    ScheduleConfig { prediction_type, rescale_betas_zero_snr, shift, ..ScheduleConfig::default() }
}

/// The loss of `trainee` along its whole gradient, held against a finite difference.
fn check_gradient(trainee: &dyn Trainee, what: &str) {
    shake(trainee);
    let gradients = trainee.loss(1).unwrap().backward().unwrap();
    let all: Vec<(&Var, Tensor, Tensor)> = trainee
        .variables()
        .iter()
        .map(|(name, variable)| {
            let found = gradients.get(variable).unwrap_or_else(|| panic!("{what} {name}")).clone();
            (variable, variable.as_detached_tensor().copy().unwrap(), found)
        })
        .collect();
    let squares = |x: &Tensor| scalar(&x.sqr().unwrap().sum_all().unwrap());
    let norm = all.iter().map(|(_, _, gradient)| squares(gradient)).sum::<f64>().sqrt();
    let at = |step: f64| {
        for (variable, start, gradient) in &all {
            variable.set(&(start + (gradient * (step / norm)).unwrap()).unwrap()).unwrap();
        }
        scalar(&trainee.loss(1).unwrap())
    };
    let step = (2e-3 / norm).clamp(1e-5, 5e-2);
    let expected = (at(step) - at(-step)) / (2.0 * step);
    assert!(
        (expected - norm).abs() <= 0.05 * norm,
        "{what}: finite difference {expected}, gradient {norm}"
    );
}

/// A judge of random weights, which sees the data set's images in squares of 4 pixels.
fn write_judge(desk: &Desk) {
    let config = TrainConfig { steps: 1, ..desk.config(Task::Judge, "judging") };
    let summary = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    std::fs::rename(summary.output, desk.at("judge")).unwrap();
}

#[test]
fn every_objective_has_the_gradient_of_a_finite_difference() {
    let desk = Desk::new();
    write_judge(&desk);
    let alignment = |block| AlignmentConfig {
        judge: desk.at("judge"),
        level: None,
        block,
        weight: 0.5,
        width: 8,
    };
    let plain = ObjectiveConfig::default();
    let logit = ObjectiveConfig { timesteps: TimestepDraw::LogitNormal, ..plain.clone() };
    let offset = ObjectiveConfig { noise_offset: 0.1, input_perturbation: 0.1, ..plain.clone() };
    let masked = ObjectiveConfig { outside_mask: 0.1, ..plain.clone() };
    let middle = ObjectiveConfig { alignment: Some(alignment(0)), ..plain.clone() };
    let up = ObjectiveConfig { alignment: Some(alignment(1)), ..plain.clone() };
    for (prediction, objective) in [
        (Prediction::Epsilon, offset),
        (Prediction::Sample, plain.clone()),
        (Prediction::Flow, logit),
        (Prediction::Flow, plain),
        (Prediction::VPrediction, masked),
        (Prediction::VPrediction, middle),
        (Prediction::VPrediction, up),
    ] {
        let what = format!("{prediction:?} {objective:?}");
        let config = TrainConfig {
            schedule: schedule(prediction),
            objective,
            ..desk.config(Task::Base, "unused")
        };
        let trainee = base::BaseTask::new(&config, &Device::Cpu, &CancelToken::new()).unwrap();
        check_gradient(&trainee, &what);
    }
}

#[test]
fn the_projection_of_an_alignment_is_trained_and_left_out_of_the_result() {
    let desk = Desk::new();
    write_judge(&desk);
    let alignment =
        AlignmentConfig { judge: desk.at("judge"), level: None, block: 0, weight: 0.5, width: 8 };
    let objective = ObjectiveConfig { alignment: Some(alignment.clone()), ..Default::default() };
    for task in [Task::Base, Task::Lora] {
        let config =
            TrainConfig { objective: objective.clone(), ..desk.config(task, &format!("{task:?}")) };
        let mut steps = Vec::new();
        let mut on_event = |event| steps.push(event);
        let summary =
            run(&config, false, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
        let checkpoint = config.out.join("checkpoints/step-00000006/weights.safetensors");
        let trained = crate::kernel::map_weights(&checkpoint).unwrap();
        let names = trained.tensors().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names.iter().filter(|name| name.starts_with("alignment.")).count(), 6);
        // Loading fails on a weight that is not the result's.
        match task {
            Task::Base => {
                Bundle::open(&summary.output).unwrap().unet(false, &Device::Cpu).unwrap();
            }
            Task::Lora => {
                let file = summary.output.join("adapter_model.safetensors");
                let result = crate::kernel::map_weights(&file).unwrap();
                assert!(result.tensors().iter().all(|(name, _)| name.contains("lora_")));
            }
            _ => unreachable!(),
        }
    }
    for (wrong, word) in [
        (AlignmentConfig { block: 9, ..alignment.clone() }, "alignment.block: must be at most"),
        (AlignmentConfig { level: Some(9), ..alignment }, "alignment.level: must lie below"),
    ] {
        let objective = ObjectiveConfig { alignment: Some(wrong), ..Default::default() };
        let config = TrainConfig { objective, ..desk.config(Task::Base, "wrong") };
        let error =
            run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

fn objective(prediction: Prediction, config: ObjectiveConfig) -> Objective {
    let desk = TrainConfig {
        objective: config,
        min_snr_gamma: 0.0,
        ..TrainConfig::new(Task::Base, PathBuf::new(), PathBuf::new(), 1)
    };
    Objective::new(&desk, Schedule::new(schedule(prediction)), &Device::Cpu)
}

fn noised(objective: &Objective, clean: &Tensor) -> Noised {
    objective.noised(1, clean, &mut crate::train::draw::source(5, 1, "noise")).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_flow_is_asked_for_the_straight_way_between_noise_and_sample() {
    let clean = random(&[4, 2, 3, 3], 1);
    let asked = noised(&objective(Prediction::Flow, ObjectiveConfig::default()), &clean);
    assert_eq!(asked.weights, [1.0; 4]);
    let (clean, noisy, target) = (values(&clean), values(&asked.noisy), values(&asked.target));
    for (sample, time) in asked.times.iter().enumerate() {
        // The network's time is σ, which is how far the sample is on its way.
        let sigma = (*time / 1000.0) as f32;
        for index in sample * 18..(sample + 1) * 18 {
            let expected = clean[index] + sigma * target[index];
            assert!((noisy[index] - expected).abs() < 1e-5, "{sample}: {}", noisy[index]);
        }
    }
    // A shift of 3 leaves a quarter of all timesteps below σ = 0.5.
    assert!(asked.times[0] < 500.0 && asked.times[1] > 450.0, "{:?}", asked.times);
}

#[test]
fn noise_of_whole_channels_is_asked_for_and_a_perturbation_is_not() {
    let clean = Tensor::zeros((2, 3, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
    let plain = noised(&objective(Prediction::Epsilon, ObjectiveConfig::default()), &clean);
    let offset = ObjectiveConfig { noise_offset: 0.5, ..ObjectiveConfig::default() };
    let offset = noised(&objective(Prediction::Epsilon, offset), &clean);
    let more = (&offset.target - &plain.target).unwrap();
    let (first, all) = (more.narrow(2, 0, 1).unwrap().narrow(3, 0, 1).unwrap(), values(&more));
    let spread = values(&first.broadcast_as(more.shape()).unwrap());
    assert!(all.iter().zip(&spread).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!(values(&first).iter().all(|value| value.abs() > 1e-4), "{all:?}");
    let perturbed = ObjectiveConfig { input_perturbation: 0.5, ..ObjectiveConfig::default() };
    let perturbed = noised(&objective(Prediction::Epsilon, perturbed), &clean);
    assert_eq!(values(&perturbed.target), values(&plain.target));
    assert_ne!(values(&perturbed.noisy), values(&plain.noisy));
    // Nothing but the timestep decides how much of either there is: γ as its authors have it.
    let share = values(&perturbed.noisy)
        .iter()
        .zip(values(&plain.noisy))
        .map(|(a, b)| f64::from((a - b) / 0.5).powi(2))
        .sum::<f64>();
    assert!(share > 0.0 && share < 2.0 * 3.0 * 64.0 * 1.5, "{share}");
}

#[test]
fn logit_normal_timesteps_have_the_quantiles_of_their_distribution() {
    let logit = ObjectiveConfig {
        timesteps: TimestepDraw::LogitNormal,
        logit_mean: 0.5,
        logit_std: 2.0,
        ..ObjectiveConfig::default()
    };
    let objective = objective(Prediction::Epsilon, logit);
    let clean = Tensor::zeros((4000, 1, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
    let times = noised(&objective, &clean).times;
    // One is drawn from each four-thousandth. scipy.stats: expit(0.5 + 2 * norm.ppf([0.1, 0.5, 0.9])).
    for (place, expected) in [(400, 0.112_7), (2000, 0.622_5), (3600, 0.955_3)] {
        let found = times[place] / 1000.0;
        assert!((found - expected).abs() < 2e-3, "{place}: {found}, not {expected}");
    }
}

#[test]
fn a_mask_weighs_places_and_not_samples() {
    let objective = objective(Prediction::Epsilon, ObjectiveConfig::default());
    let zeros = Tensor::zeros((2, 1, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let asked = Noised {
        noisy: zeros.clone(),
        target: zeros,
        times: vec![0.0; 2],
        weights: vec![1.0, 2.0],
    };
    let said = Tensor::new(&[1f32, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 5.0], &Device::Cpu).unwrap();
    let said = said.reshape((2, 1, 2, 2)).unwrap();
    let mask = Tensor::new(&[1f32, 1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5], &Device::Cpu).unwrap();
    let mask = mask.reshape((2, 1, 2, 2)).unwrap();
    let found = values(&objective.errors(&said, &asked, Some(&mask)).unwrap());
    // (1 + 4) / 2, and 2 · (1 + 1 + 1 + 25) / 4.
    assert_eq!(found, [2.5, 14.0]);
    let found = values(&objective.errors(&said, &asked, None).unwrap());
    assert_eq!(found, [7.5, 14.0]);
}

#[test]
fn masks_of_the_data_set_stand_at_the_size_of_its_latents() {
    let weights = |set: &Dataset| {
        let sizes = (&Framing::Square(32), 4);
        crate::train::mask::weights(set, Split::Train, sizes, 0.25, &Device::Cpu)
    };
    let (_keep, bare) = small_set();
    let error = weights(&Dataset::open(&bare).unwrap()).err().unwrap().to_string();
    assert!(error.contains("no masks"), "{error}");
    let desk = Desk::new();
    let set = Dataset::open(&desk.dataset).unwrap();
    let samples = set.samples(Split::Train);
    let all: Vec<usize> = (0..samples.len()).collect();
    let found = weights(&set).unwrap().batch(&all).unwrap();
    assert_eq!(found.dims(), [samples.len(), 1, 8, 8]);
    let found = values(&found);
    assert!(found.contains(&1.0) && found.contains(&0.25), "inside and outside");
    for (sample, places) in samples.iter().zip(found.chunks_exact(64)) {
        let mask = set.mask_square(sample, 32).unwrap().unwrap();
        for (place, found) in places.iter().enumerate() {
            let (top, left) = (place / 8 * 4, place % 8 * 4);
            let inside: f32 =
                (0..16).map(|pixel| mask[(top + pixel / 4) * 32 + left + pixel % 4]).sum();
            assert!((found - (0.25 + 0.75 * inside / 16.0)).abs() < 1e-6, "{place}: {found}");
        }
    }
}

#[test]
fn a_model_that_was_taught_a_flow_is_read_back_and_samples() {
    let desk = Desk::new();
    let config =
        TrainConfig { schedule: schedule(Prediction::Flow), ..desk.config(Task::Base, "flow") };
    let summary = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let bundle = Bundle::open(&summary.output).unwrap();
    let found = bundle.schedule().unwrap();
    assert_eq!((found.prediction_type, found.shift), (Prediction::Flow, 3.0));
    let read = |name: &str| -> serde_json::Value { read_json(&summary.output.join(name)).unwrap() };
    let written = read("scheduler/scheduler_config.json");
    assert_eq!(
        written,
        serde_json::json!({
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "num_train_timesteps": 1000,
            "shift": 3.0,
        })
    );
    assert_eq!(read("model_index.json")["scheduler"][1], "FlowMatchEulerDiscreteScheduler");
    let pipeline = Pipeline::load(&bundle, &Device::Cpu).unwrap();
    let request = Request { steps: 3, ..Request::default() };
    let frame = generate(&pipeline, &request, 0, &mut |_| (), &CancelToken::new()).unwrap();
    assert!(frame.pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    // An adapter of such a model is taught the same flow.
    let config = TrainConfig { model: summary.output, ..desk.config(Task::Lora, "adapter") };
    run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
}

#[test]
fn an_objective_that_cannot_be_is_refused() {
    let desk = Desk::new();
    let (_keep, bare) = small_set();
    let refused = |objective: ObjectiveConfig, word: &str| {
        let dataset = bare.clone();
        let config = TrainConfig { dataset, objective, ..desk.config(Task::Base, "run") };
        let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists());
    };
    let plain = ObjectiveConfig::default;
    refused(ObjectiveConfig { logit_std: 0.0, ..plain() }, "logit_std");
    refused(ObjectiveConfig { logit_mean: f64::NAN, ..plain() }, "logit_mean");
    refused(ObjectiveConfig { noise_offset: 2.0, ..plain() }, "noise_offset");
    refused(ObjectiveConfig { input_perturbation: -1.0, ..plain() }, "input_perturbation");
    refused(ObjectiveConfig { outside_mask: 0.5, ..plain() }, "no masks");
    let schedule = ScheduleConfig { shift: 3.0, ..ScheduleConfig::default() };
    let config = TrainConfig { schedule, ..desk.config(Task::Base, "run") };
    let error = run(&config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap_err();
    assert!(error.to_string().contains("flow_prediction"), "{error}");
}
