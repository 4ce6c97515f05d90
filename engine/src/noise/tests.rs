//! Properties of schedules; golden numbers against diffusers live in `tests/golden`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};

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

#[test]
fn spacings_are_those_of_the_paper() {
    let of = |timestep_spacing, steps| {
        let config = ScheduleConfig { timestep_spacing, ..ScheduleConfig::default() };
        Schedule::new(config).timesteps(steps)
    };
    assert_eq!(of(Spacing::Trailing, 4), [999, 749, 499, 249]);
    assert_eq!(of(Spacing::Leading, 4), [750, 500, 250, 0]);
    assert_eq!(of(Spacing::Linspace, 4), [999, 666, 333, 0]);
    assert_eq!(of(Spacing::Trailing, 1), [999]);
}

#[test]
fn a_perfect_prediction_leads_back_to_the_clean_sample() {
    let clean = Tensor::new(&[[0.3f32, -1.2, 0.8]], &Device::Cpu).unwrap();
    let noise = Tensor::new(&[[-0.4f32, 0.1, 1.7]], &Device::Cpu).unwrap();
    for prediction_type in [Prediction::Epsilon, Prediction::Sample, Prediction::VPrediction] {
        let zero = prediction_type != Prediction::Epsilon;
        let config = ScheduleConfig {
            prediction_type,
            rescale_betas_zero_snr: zero,
            ..ScheduleConfig::default()
        };
        let schedule = Schedule::new(config);
        let sampler = Ddim::new(schedule.clone(), 8);
        let first = sampler.timesteps()[0];
        let mut sample = schedule.add_noise(&clean, &noise, &[first]).unwrap();
        for (index, timestep) in sampler.timesteps().iter().enumerate() {
            let prediction = schedule.target(&clean, &noise, &[*timestep]).unwrap();
            sample = sampler.step(&prediction, index, &sample).unwrap();
        }
        let error = (sample - &clean).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f32>().unwrap() < 1e-3, "{prediction_type:?}");
    }
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
