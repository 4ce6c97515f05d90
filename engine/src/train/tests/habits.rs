//! Accumulated gradients, rates, optimisers, number types, and what is not computed twice.

use candle_core::DType;

use super::*;
use crate::kernel::map_weights;

fn start(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

#[test]
fn accumulated_batches_are_one_step_of_their_mean() {
    let desk = Desk::new();
    // Of its batch number n the loss is n times the sum of its weights.
    let numbered = || {
        let start: &[f32] = &[0.5, 0.25, 0.25, 0.0];
        Bare::new(&[("x", start)], |x, step| x["x"].as_tensor().sum_all()? * step as f64)
    };
    let config = TrainConfig {
        accumulate: 3,
        steps: 2,
        learning_rate: 1e-6,
        ..desk.config(Task::Lora, "run")
    };
    let mut seen = Vec::new();
    let mut on_event = |event| {
        if let TrainEvent::Step { step, loss, gradient_norm, .. } = event {
            seen.push((step, loss, gradient_norm));
        }
    };
    numbered().train(&config, None, &mut on_event).unwrap();
    // Batches 1, 2 and 3, and 4, 5 and 6; the sum of the weights is 1 and there are four of them.
    for ((step, loss, norm), expected) in seen.iter().zip([2.0, 5.0]) {
        assert!((loss - expected).abs() < 1e-3, "step {step}: {loss}");
        assert!((norm - 2.0 * expected).abs() < 1e-3, "step {step}: {norm}");
    }
    assert_eq!(seen.len(), 2);
    // One step of the mean gradient moves as far as the same gradient of a single batch.
    let whole = TrainConfig { accumulate: 1, steps: 1, clip_norm: 1.0, ..config.clone() };
    let parts = TrainConfig { accumulate: 3, ..whole.clone() };
    let moved = |config: &TrainConfig, out: &str| {
        let config = TrainConfig {
            out: desk.at(out),
            optimiser: OptimiserKind::Adafactor,
            ..config.clone()
        };
        let trainee = numbered();
        trainee.train(&config, None, &mut |_| ()).unwrap();
        trainee.variables["x"].as_tensor().to_vec1::<f32>().unwrap()
    };
    // Both gradients are longer than the clip: cut to it, they are the same.
    assert_eq!(moved(&whole, "whole"), moved(&parts, "parts"));
}

#[test]
fn rates_rise_over_the_warm_up_and_fall_as_they_are_called() {
    let of = |rate_schedule, step| {
        let config = TrainConfig {
            warmup_steps: 10,
            learning_rate: 1.0,
            rate_schedule,
            ..TrainConfig::new(Task::Lora, PathBuf::new(), PathBuf::new(), 110)
        };
        config.rate_at(step)
    };
    for (schedule, expected) in [
        (RateSchedule::Constant, [0.5, 1.0, 1.0, 1.0]),
        (RateSchedule::Linear, [0.5, 1.0, 0.55, 0.1]),
        (RateSchedule::Cosine, [0.5, 1.0, 0.55, 0.1]),
    ] {
        for (step, expected) in [5, 10, 60, 110].into_iter().zip(expected) {
            let found = of(schedule, step);
            assert!((found - expected).abs() < 1e-9, "{schedule:?} at {step}: {found}");
        }
    }
    assert!((of(RateSchedule::Linear, 35) - 0.775).abs() < 1e-9);
    assert!(of(RateSchedule::Cosine, 35) > 0.8);
}

#[test]
fn a_run_with_less_memory_goes_on_as_if_it_had_not_been_stopped() {
    let desk = Desk::new();
    let plain = |task, out: &str| TrainConfig { steps: 5, ..desk.config(task, out) };
    for (name, config) in [
        (
            "adafactor",
            TrainConfig {
                optimiser: OptimiserKind::Adafactor,
                learning_rate: 1e-2,
                accumulate: 2,
                ..plain(Task::Base, "a")
            },
        ),
        (
            "without an average",
            TrainConfig {
                optimiser: OptimiserKind::Adafactor,
                average_decay: 0.0,
                ..plain(Task::Lora, "b")
            },
        ),
        ("bf16", TrainConfig { precision: Precision::Bf16, ..plain(Task::Base, "c") }),
    ] {
        let events = [TrainEvent::Checkpoint { step: 0 }];
        start(&config).unwrap();
        let stopped = TrainConfig { out: desk.at(&format!("{name}-stopped")), ..config.clone() };
        let cancel = CancelToken::new();
        let mut on_event = |event: TrainEvent| {
            if matches!(event, TrainEvent::Step { step: 3, .. }) {
                cancel.cancel();
            }
        };
        run(&stopped, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
        run(&stopped, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
        assert!(outcome(&stopped.out, &events) == outcome(&config.out, &events), "{name}");
    }
}

#[test]
fn a_network_in_bf16_learns_what_one_in_single_precision_does() {
    let desk = Desk::new();
    let losses = |precision, out: &str| {
        let config = TrainConfig {
            precision,
            steps: 4,
            learning_rate: 1e-5,
            ..desk.config(Task::Base, out)
        };
        start(&config).unwrap();
        (outcome(&config.out, &[TrainEvent::Checkpoint { step: 0 }]).0, config.out)
    };
    let (single, _) = losses(Precision::F32, "single");
    let (less, out) = losses(Precision::Bf16, "less");
    for (step, loss) in &single {
        let found = less[step];
        assert!((found - loss).abs() < 0.02 * loss, "step {step}: {found}, in f32 {loss}");
    }
    // Steps that bf16 cannot tell apart add up in the masters.
    let file = out.join("checkpoints/step-00000004/weights.safetensors");
    let weights = map_weights(&file).unwrap();
    let name = "unet.conv_in.weight";
    let master = weights.load(name, &Device::Cpu).unwrap();
    assert_eq!(master.dtype(), DType::F32);
    let rounded = master.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    let lost = (master - rounded).unwrap().abs().unwrap().max_all().unwrap();
    assert!(scalar(&lost) > 0.0);
    let vae = TrainConfig { precision: Precision::Bf16, ..desk.config(Task::Vae, "vae") };
    assert!(start(&vae).unwrap_err().to_string().contains("precision"));
}

/// Every frame of the data set becomes rubbish.
fn spoil(dataset: &Path) {
    for entry in std::fs::read_dir(dataset.join("frames")).unwrap() {
        std::fs::write(entry.unwrap().path(), "rubbish").unwrap();
    }
}

#[test]
fn latents_are_encoded_once_for_each_autoencoder() {
    let desk = Desk::new();
    let cached = |out: &str| TrainConfig {
        latent_cache: Some(desk.at("cache")),
        ..desk.config(Task::Lora, out)
    };
    let plain = desk.config(Task::Lora, "plain");
    start(&plain).unwrap();
    start(&cached("first")).unwrap();
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 3, .. }) {
            cancel.cancel();
        }
    };
    run(&cached("second"), false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    assert_eq!(std::fs::read_dir(desk.at("cache")).unwrap().count(), 2);
    // What is encoded is asked for no more.
    spoil(&desk.dataset);
    run(&cached("second"), true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    let events = [TrainEvent::Checkpoint { step: 0 }];
    let expected = outcome(&plain.out, &events);
    assert!(outcome(&desk.at("first"), &events) == expected);
    assert!(outcome(&desk.at("second"), &events) == expected);
    // Another autoencoder, or fewer images, have other latents.
    let texts = ["chest radiograph, normal"].map(str::to_owned);
    write_tiny(&desk.at("other"), &texts, 4).unwrap();
    let other = TrainConfig { model: desk.at("other"), ..cached("other-run") };
    assert!(start(&other).unwrap_err().to_string().contains("frames/"));
    let fewer = TrainConfig { validation_samples: 1, ..cached("fewer") };
    assert!(start(&fewer).unwrap_err().to_string().contains("frames/"));
    // A file that is cut off is no cache.
    for entry in std::fs::read_dir(desk.at("cache")).unwrap() {
        std::fs::write(entry.unwrap().path(), "rubbish").unwrap();
    }
    assert!(start(&cached("third")).unwrap_err().to_string().contains("frames/"));
}

#[test]
fn marks_of_de_identification_reach_no_network() {
    let desk = Desk::new();
    let loss = || scalar(&desk.trainee(Task::Lora).loss(1).unwrap());
    let expected = loss();
    rewrite(&desk.dataset, |sample| {
        let caption = sample["caption"].as_str().unwrap();
        sample["caption"] = format!("XXXX {caption} ___ [**2101-1-1**]").into();
    });
    assert!((loss() - expected).abs() < 1e-9);
}
