//! Properties of schedules; golden numbers against diffusers live in `tests/golden`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use serde_json::json;

use super::*;

#[test]
fn zero_snr_ends_in_pure_noise() {
    let schedule = Schedule::new(ScheduleConfig::default());
    assert!(schedule.alpha_cumprod(999).abs() < 1e-12);
    let plain = ScheduleConfig { rescale_betas_zero_snr: false, ..ScheduleConfig::default() };
    let plain = Schedule::new(plain);
    assert!((schedule.alpha_cumprod(0) - plain.alpha_cumprod(0)).abs() < 1e-12);
    // Known from Stable Diffusion: ᾱ of the last timestep is 0.0047.
    assert!((plain.alpha_cumprod(999) - 0.004_660_1).abs() < 1e-6);
}

const CLASSES: [&str; 10] = [
    "DDIM",
    "DDPM",
    "PNDM",
    "Euler",
    "EulerAncestral",
    "Heun",
    "DPMSolverMultistep",
    "UniPC",
    "LCM",
    "FlowMatchEuler",
];

fn config(name: &str, more: serde_json::Value) -> Result<SchedulerConfig, String> {
    let base = SchedulerConfig::parse(b"{}").unwrap();
    let named = SchedulerConfig::named(name, &base)?;
    let mut all = named.to_json();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    SchedulerConfig::parse(all.to_string().as_bytes())
}

/// No noise at all.
struct Silence;

impl NoiseSource for Silence {
    fn next(&mut self, like: &Tensor) -> candle_core::Result<Tensor> {
        like.zeros_like()
    }
}

#[test]
fn spacings_are_those_of_the_paper() {
    let of = |spacing, steps| {
        let config = config("DDIM", serde_json::json!({ "timestep_spacing": spacing })).unwrap();
        config.sampler(steps).unwrap().timesteps().to_vec()
    };
    assert_eq!(of("trailing", 4), [999.0, 749.0, 499.0, 249.0]);
    assert_eq!(of("leading", 4), [750.0, 500.0, 250.0, 0.0]);
    assert_eq!(of("linspace", 4), [999.0, 666.0, 333.0, 0.0]);
    assert_eq!(of("trailing", 1), [999.0]);
}

#[test]
fn a_perfect_prediction_leads_back_to_the_clean_sample() {
    let clean = Tensor::new(&[[0.3f32, -0.9, 0.8]], &Device::Cpu).unwrap();
    let noise = Tensor::new(&[[-0.4f32, 0.1, 1.7]], &Device::Cpu).unwrap();
    for name in CLASSES {
        let config = config(
            name,
            serde_json::json!({ "timestep_spacing": "trailing", "prediction_type": "epsilon" }),
        );
        let mut sampler = config.unwrap().sampler(8).unwrap();
        let mut sample = sampler.add_noise(&clean, &noise, 0).unwrap();
        for index in 0..sampler.timesteps().len() {
            // What is wanted of each: the noise in the sample, or the way from the clean one to it.
            let level =
                sampler.add_noise(&clean.zeros_like().unwrap(), &clean.ones_like().unwrap(), index);
            let level = level.unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            let whole = sampler.add_noise(&clean, &clean.zeros_like().unwrap(), index).unwrap();
            let noise = ((&sample - whole).unwrap() / f64::from(level)).unwrap();
            let prediction =
                if name == "FlowMatchEuler" { (noise - &clean).unwrap() } else { noise };
            let stepped = sampler.step(&prediction, index, &sample, &mut Silence).unwrap();
            let error = (stepped.clean - &clean).unwrap().abs().unwrap().max_all().unwrap();
            assert!(name == "LCM" || error.to_scalar::<f32>().unwrap() < 1e-2, "{name} at {index}");
            sample = stepped.sample;
        }
        let error = (sample - &clean).unwrap().abs().unwrap().max_all().unwrap();
        let error = error.to_scalar::<f32>().unwrap();
        assert!(error < 3e-2, "{name}: {error}");
    }
}

#[test]
fn what_is_divided_by_no_signal_is_cut_off_at_the_range() {
    let saved = json!({
        "rescale_betas_zero_snr": true, "timestep_spacing": "trailing", "prediction_type": "epsilon",
        "clip_sample": true, "clip_sample_range": 2.5,
    });
    let sample = Tensor::new(&[[0.3f32, -0.9, 0.8]], &Device::Cpu).unwrap();
    let prediction = Tensor::new(&[[-0.4f32, 0.1, 1.7]], &Device::Cpu).unwrap();
    for name in ["DDIM", "DDPM"] {
        let mut sampler = config(name, saved.clone()).unwrap().sampler(3).unwrap();
        let stepped = sampler.step(&prediction, 0, &sample, &mut Silence).unwrap();
        assert_eq!(stepped.clean.to_vec2::<f32>().unwrap(), [[2.5, -2.5, -2.5]], "{name}");
        let next = stepped.sample.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(next.iter().all(|value| value.is_finite()), "{name}: {next:?}");
    }
}

#[test]
fn the_third_order_of_the_stochastic_solver_is_refused_where_it_is_reached() {
    let solver = |more: serde_json::Value, steps| {
        let mut all = json!({
            "algorithm_type": "sde-dpmsolver", "solver_order": 3, "final_sigmas_type": "sigma_min",
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config("DPMSolverMultistep", all).unwrap().sampler(steps).map(drop)
    };
    // The last two of few steps are of lower order, and so is the second.
    assert!((1..=4).all(|steps| solver(json!({}), steps).is_ok()));
    for (more, steps) in [(json!({}), 5), (json!({ "lower_order_final": false }), 3)] {
        let error = solver(more, steps).unwrap_err();
        assert!(error.starts_with("solver_order: sde-dpmsolver"), "{error}");
    }
}

#[test]
fn a_configuration_that_cannot_be_followed_is_refused_by_name() {
    let refused = |name: &str, key: &str, value: serde_json::Value| {
        let config = config(name, serde_json::json!({ key: value }));
        let error = config.and_then(|config| config.sampler(10).map(drop)).unwrap_err();
        assert!(error.starts_with(key), "{name}: {error}");
    };
    for name in CLASSES {
        refused(name, "num_train_timesteps", json!(0));
        refused(name, "num_train_timesteps", json!(1e12 as u64));
        refused(name, "num_train_timesteps", json!("many"));
        refused(name, "prediction_type", json!("score"));
    }
    refused("DDIM", "beta_start", json!(-0.1));
    refused("DDIM", "trained_betas", json!([0.1, 0.2]));
    refused("DDIM", "timestep_spacing", json!("random"));
    refused("DDPM", "variance_type", json!("learned"));
    refused("PNDM", "prediction_type", json!("sample"));
    refused("EulerAncestral", "prediction_type", json!("sample"));
    refused("DPMSolverMultistep", "solver_order", json!(4));
    refused("DPMSolverMultistep", "algorithm_type", json!("dpm"));
    refused("UniPC", "solver_type", json!("bh3"));
    refused("UniPC", "solver_order", json!(0));
    refused("LCM", "original_inference_steps", json!(0));
    refused("FlowMatchEuler", "shift", json!(0));
    refused("FlowMatchEuler", "use_dynamic_shifting", json!(true));
    refused("UniPC", "prediction_type", json!("flow_prediction"));
    refused("UniPC", "solver_p", json!({}));
    refused("Euler", "interpolation_type", json!("cubic"));
    refused("Euler", "timestep_type", json!("whole"));
    for name in ["DDIM", "DDPM", "DPMSolverMultistep", "UniPC", "LCM"] {
        let cut = |more: serde_json::Value| {
            let mut all = json!({ "thresholding": true });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config(name, all).and_then(|config| config.sampler(10).map(drop))
        };
        assert!(cut(json!({})).is_ok(), "{name}");
        let error = cut(json!({ "dynamic_thresholding_ratio": 2 })).unwrap_err();
        assert!(error.starts_with("dynamic_thresholding_ratio"), "{name}: {error}");
        let error = cut(json!({ "sample_max_value": -1 })).unwrap_err();
        assert!(error.starts_with("sample_max_value"), "{name}: {error}");
    }
    for spacings in [["karras", "beta"], ["exponential", "beta"], ["karras", "exponential"]] {
        let keys = spacings.map(|name| format!("use_{name}_sigmas"));
        let both = json!({ keys[0].as_str(): true, keys[1].as_str(): true });
        let error = config("Euler", both).unwrap().sampler(10).map(drop).unwrap_err();
        assert!(error.contains("only one spacing"), "{error}");
    }
    let plain = config("DDIM", json!({})).unwrap();
    assert!(plain.sampler(0).is_err() && plain.sampler(1001).is_err());
    assert!(SchedulerConfig::named("Magic", &plain).unwrap_err().contains("known are DDIM"));
    for bytes in [&b""[..], b"[]", b"{", b"\xff", b"{\"_class_name\": 7}"] {
        assert!(SchedulerConfig::parse(bytes).is_err());
    }
    // Python writes what is no JSON.
    let solver =
        b"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity}";
    assert!(SchedulerConfig::parse(solver).unwrap().sampler(5).is_ok());
}

#[test]
fn a_schedule_that_cannot_learn_is_refused() {
    let config =
        ScheduleConfig { prediction_type: Prediction::Epsilon, ..ScheduleConfig::default() };
    assert!(config.validate().unwrap_err().contains("v_prediction"));
    let config = ScheduleConfig { beta_start: 0.5, beta_end: 0.1, ..ScheduleConfig::default() };
    assert!(config.validate().is_err());
}

#[test]
fn every_timestep_has_its_say_in_the_loss() {
    for prediction_type in [Prediction::Sample, Prediction::VPrediction] {
        let config = ScheduleConfig { prediction_type, ..ScheduleConfig::default() };
        let schedule = Schedule::new(config);
        // Pure noise, where every sampling starts.
        assert!((schedule.min_snr_weight(999, 5.0) - 1.0).abs() < 1e-9);
        let weights: Vec<f64> = (0..1000).map(|t| schedule.min_snr_weight(t, 5.0)).collect();
        assert!(weights.iter().all(|weight| (0.001..=5.0).contains(weight)), "{prediction_type:?}");
    }
    // Nearly clean: what is left to predict is hardly more than noise.
    let schedule = Schedule::new(ScheduleConfig::default());
    let alpha = schedule.alpha_cumprod(0);
    let expected = 6.0 * (1.0 - alpha);
    assert!((schedule.min_snr_weight(0, 5.0) - expected).abs() < 1e-9);
}

#[test]
fn loss_weights_are_those_of_min_snr() {
    for (prediction_type, of) in [
        (Prediction::Epsilon, (|snr, clamped| clamped / snr) as fn(f64, f64) -> f64),
        (Prediction::VPrediction, |snr, clamped| clamped / (snr + 1.0)),
        (Prediction::Sample, |_, clamped| clamped),
        (Prediction::Flow, |_, _| 1.0),
    ] {
        let rescale_betas_zero_snr = false;
        let config =
            ScheduleConfig { prediction_type, rescale_betas_zero_snr, ..ScheduleConfig::default() };
        let schedule = Schedule::new(config);
        for timestep in [0, 100, 500, 999] {
            let alpha = schedule.alpha_cumprod(timestep);
            let snr = alpha / (1.0 - alpha);
            let expected = of(snr, snr.min(5.0));
            let found = schedule.min_snr_weight(timestep, 5.0);
            assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{prediction_type:?}");
            assert!((schedule.min_snr_weight(timestep, 0.0) - 1.0).abs() < 1e-12);
        }
    }
    // diffusers' compute_snr: Stable Diffusion's schedule has a signal-to-noise of 0.0047 / 0.9953 at its end.
    let plain = ScheduleConfig { rescale_betas_zero_snr: false, ..ScheduleConfig::default() };
    assert!((Schedule::new(plain).snr(999) - 0.004_682).abs() < 1e-6);
}

#[test]
fn a_flow_is_sampled_as_it_was_taught() {
    let flow = ScheduleConfig {
        prediction_type: Prediction::Flow,
        rescale_betas_zero_snr: false,
        shift: 3.0,
        ..ScheduleConfig::default()
    };
    let schedule = Schedule::new(flow.clone());
    // FlowMatchEulerDiscreteScheduler(shift=3.0).sigmas of diffusers at 999, 500 and 0.
    for (timestep, sigma) in [(0, 0.002_994_012), (499, 0.75), (999, 1.0)] {
        assert!((schedule.time(timestep) - 1000.0 * sigma).abs() < 1e-4, "{timestep}");
    }
    let clean = Tensor::new(&[[0.3f32, -0.9, 0.8]], &Device::Cpu).unwrap();
    let noise = Tensor::new(&[[-0.4f32, 0.1, 1.7]], &Device::Cpu).unwrap();
    let target = schedule.target(&clean, &noise, &[7]).unwrap();
    for class_name in ["DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"] {
        let flow = ScheduleConfig { class_name: class_name.into(), ..flow.clone() };
        flow.validate().unwrap();
        let written = SchedulerConfig::parse(flow.to_json().to_string().as_bytes()).unwrap();
        assert_eq!(written.class_name(), flow.written_class());
        let back = written.schedule().unwrap();
        assert_eq!((back.prediction_type, back.shift), (Prediction::Flow, 3.0), "{class_name}");
        let mut sampler = written.sampler(6).unwrap();
        let mut sample = sampler.add_noise(&clean, &noise, 0).unwrap();
        for (index, time) in sampler.timesteps().to_vec().into_iter().enumerate() {
            // The network is told the same of the same noise.
            let nearest = (0..1000).min_by(|a, b| {
                let away = |at: &usize| (schedule.time(*at) - time).abs();
                away(a).total_cmp(&away(b))
            });
            let shown = schedule.add_noise(&clean, &noise, &[nearest.unwrap()]).unwrap();
            let error = (&shown - &sample).unwrap().abs().unwrap().max_all().unwrap();
            let error = error.to_scalar::<f32>().unwrap();
            assert!(error < 1e-2, "{class_name} at {time}: {error}");
            sample = sampler.step(&target, index, &sample, &mut Silence).unwrap().sample;
        }
        let error = (sample - &clean).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f32>().unwrap() < 1e-2, "{class_name}");
    }
}
