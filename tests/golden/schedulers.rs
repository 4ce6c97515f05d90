//! Every scheduler over a whole sampling, every form of DDIM step by step, and what training is shown.

use candle_core::Tensor;
use skiagraph_engine::noise::{NoiseSource, Prediction, Schedule, ScheduleConfig, SchedulerConfig};

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
            let mut sampler = SchedulerConfig::from(&config).sampler(steps).unwrap();
            let ours: Vec<i64> = sampler.timesteps().iter().map(|time| *time as i64).collect();
            assert_eq!(ours, get("timesteps").to_vec1::<i64>().unwrap(), "{what}");
            let (samples, predictions) = (get("samples"), get("predictions"));
            // Each step from the golden sample: an error is not handed on.
            let made: Vec<Tensor> = (0..steps)
                .map(|index| {
                    let (sample, prediction) =
                        (samples.get(index).unwrap(), predictions.get(index).unwrap());
                    let mut silence = Draws(Vec::new());
                    sampler.step(&prediction, index, &sample, &mut silence).unwrap().sample
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
            Prediction::Flow => "flow",
        };
        golden.check(&what, &format!("{number}.{wanted}"), &target, TOLERANCE);
    }
}

/// The draws that the maker recorded, in their order.
struct Draws(Vec<Tensor>);

impl NoiseSource for Draws {
    fn next(&mut self, like: &Tensor) -> candle_core::Result<Tensor> {
        if self.0.is_empty() {
            candle_core::bail!("more draws than diffusers makes");
        }
        self.0.remove(0).reshape(like.shape())
    }
}

#[test]
fn whole_samplings_are_those_of_diffusers() {
    let golden = Golden::open("samplers");
    let text = std::fs::read_to_string(folder_of("samplers").join("cases.jsonl")).unwrap();
    let mut worst: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let config = SchedulerConfig::parse(line.as_bytes()).unwrap();
        for steps in [1, 7, 20] {
            let get = |name: &str| golden.find(&format!("{number}.{steps}.{name}"));
            let Some(timesteps) = get("timesteps") else { continue };
            let what = format!("{line} in {steps} steps");
            let mut sampler =
                config.sampler(steps).unwrap_or_else(|cause| panic!("{what}: {cause}"));
            let wanted: Vec<f32> = timesteps.to_vec1().unwrap();
            assert_eq!(sampler.timesteps().len(), wanted.len(), "{what}");
            for (ours, wanted) in sampler.timesteps().iter().zip(&wanted) {
                let found = (ours - f64::from(*wanted)).abs();
                // At the noisiest timestep of a cosine schedule the last bit decides which whole one it is.
                let edge = (*wanted - 998.0).abs() < 2.0 && found <= 1.0;
                assert!(found <= 1e-3 || edge, "{what}: timestep {ours}, not {wanted}");
            }
            let spread: f32 = get("init_noise_sigma").unwrap().to_scalar().unwrap();
            assert!((sampler.init_noise_sigma() / f64::from(spread) - 1.0).abs() < 1e-6, "{what}");
            let draws = (0..).map_while(|index| get(&format!("noise_{index}")).cloned());
            let mut draws = Draws(draws.collect());
            let (noise, predictions) = (get("noise").unwrap(), get("predictions").unwrap());
            let mut sample = (noise * sampler.init_noise_sigma()).unwrap();
            let (mut seen, mut made) = (Vec::new(), Vec::new());
            for index in 0..wanted.len() {
                seen.push(sampler.scale_model_input(&sample, index).unwrap());
                let prediction = predictions.get(index).unwrap();
                let stepped = sampler.step(&prediction, index, &sample, &mut draws);
                sample = stepped.unwrap_or_else(|cause| panic!("{what}: {cause}")).sample;
                made.push(sample.clone());
            }
            assert!(draws.0.is_empty(), "{what}: fewer draws than diffusers makes");
            for (name, ours) in [("seen", seen), ("trajectory", made)] {
                let ours = Tensor::stack(&ours, 0).unwrap();
                let found = super::deviation(&ours, get(name).unwrap());
                // Not a number deviates, too.
                if found.is_nan() || found > TOLERANCE {
                    worst.push(format!("{what}: {name} deviates by {found}"));
                }
            }
            let begun = get("begun").unwrap();
            let middle = wanted.len() / 2;
            let ours = config.sampler(steps).unwrap().add_noise(
                &predictions.get(0).unwrap(),
                noise,
                middle,
            );
            let found = super::deviation(&ours.unwrap(), begun);
            if found.is_nan() || found > TOLERANCE {
                worst.push(format!("{what}: what is begun with deviates by {found}"));
            }
        }
    }
    assert!(worst.is_empty(), "{} of many:\n{}", worst.len(), worst.join("\n"));
}
