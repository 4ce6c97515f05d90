//! Every form of DDIM, step by step, and what training is shown.

use candle_core::Tensor;
use skiagraph_engine::noise::{Ddim, Prediction, Schedule, ScheduleConfig};

use super::{Golden, folder_of};

const TOLERANCE: f32 = 1e-5;

fn cases() -> Vec<(usize, ScheduleConfig)> {
    let text = std::fs::read(folder_of("schedulers").join("configs.json")).unwrap();
    let configs: Vec<ScheduleConfig> = serde_json::from_slice(&text).unwrap();
    for config in &configs {
        config.validate().unwrap();
    }
    configs.into_iter().enumerate().collect()
}

#[test]
fn sampling_steps_are_those_of_diffusers() {
    let golden = Golden::open("schedulers");
    for (number, config) in cases() {
        for steps in [1, 7, 50] {
            let what = format!("{config:?} in {steps} steps");
            let get = |name: &str| golden.get(&format!("{number}.{steps}.{name}"));
            let sampler = Ddim::new(Schedule::new(config.clone()), steps);
            let ours: Vec<i64> = sampler.timesteps().iter().map(|time| *time as i64).collect();
            assert_eq!(ours, get("timesteps").to_vec1::<i64>().unwrap(), "{what}");
            let (samples, predictions) = (get("samples"), get("predictions"));
            // Each step from the golden sample: an error is not handed on.
            let made: Vec<Tensor> = (0..steps)
                .map(|index| {
                    let (sample, prediction) =
                        (samples.get(index).unwrap(), predictions.get(index).unwrap());
                    sampler.step(&prediction, index, &sample).unwrap()
                })
                .collect();
            for (index, ours) in made.iter().enumerate() {
                let found = super::deviation(ours, &samples.get(index + 1).unwrap());
                assert!(found <= TOLERANCE, "{what}: step {index} deviates by {found}");
            }
        }
    }
}

#[test]
fn training_sees_the_noise_of_diffusers() {
    let golden = Golden::open("schedulers");
    for (number, config) in cases() {
        let what = format!("{config:?}");
        let get = |name: &str| golden.get(&format!("{number}.{name}"));
        let timesteps = [0, 250, config.num_train_timesteps - 1];
        let (prediction, schedule) = (config.prediction_type, Schedule::new(config));
        let noisy = schedule.add_noise(get("clean"), get("noise"), &timesteps).unwrap();
        golden.check(&what, &format!("{number}.noisy"), &noisy, TOLERANCE);
        let target = schedule.target(get("clean"), get("noise"), &timesteps).unwrap();
        let wanted = match prediction {
            Prediction::Epsilon => "noise",
            Prediction::Sample => "clean",
            Prediction::VPrediction => "velocity",
        };
        golden.check(&what, &format!("{number}.{wanted}"), &target, TOLERANCE);
    }
}
