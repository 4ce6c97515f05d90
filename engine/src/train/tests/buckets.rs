//! Training on images that are not square.

use super::*;
use crate::data::Framing;
use crate::data::tests::small_set_of_several_aspects;

fn desk() -> Desk {
    let (keep, dataset) = small_set_of_several_aspects();
    Desk { _keep: keep, dataset, ..Desk::new() }
}

/// In the sizes 32 × 32, 40 × 24 and 48 × 24 and these turned, and about as many of an autoencoder.
fn bucketed(desk: &Desk, task: Task, out: &str) -> TrainConfig {
    let aspect_buckets = Some(AspectBucketsConfig::default());
    TrainConfig { aspect_buckets, ..desk.config(task, out) }
}

const OF_ANY_SIZE: [Task; 7] = [
    Task::Vae,
    Task::Base,
    Task::Lora,
    Task::Controlnet,
    Task::Concept,
    Task::Prefix,
    Task::TextualInversion,
];

fn start(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

#[test]
fn every_weight_has_its_gradient_on_images_that_are_not_square() {
    let desk = desk();
    for task in OF_ANY_SIZE {
        let trainee = trainee(&bucketed(&desk, task, "unused"), &Device::Cpu);
        check_gradients(trainee.as_ref(), &format!("{task:?} in buckets"));
    }
}

#[test]
fn a_run_in_buckets_goes_on_as_if_it_had_not_been_stopped() {
    let desk = desk();
    let set = Dataset::open(&desk.dataset).unwrap();
    for split in [Split::Train, Split::Validation] {
        let framing = Framing::buckets(32, 8, 2.0);
        let mut sizes: Vec<_> = set.samples(split).iter().map(|one| framing.size(one)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert!(sizes.len() > 1, "{split:?}: {sizes:?}");
    }
    for task in OF_ANY_SIZE {
        let whole = TrainConfig {
            steps: 10,
            validate_every: 5,
            ..bucketed(&desk, task, &format!("{task:?}-whole"))
        };
        start(&whole).unwrap();
        let out = desk.at(&format!("{task:?}-stopped"));
        let stopped = TrainConfig { steps: 7, out: out.clone(), ..whole.clone() };
        start(&stopped).unwrap();
        let longer = TrainConfig { out, ..whole.clone() };
        run(&longer, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
        let (stopped, whole) = (losses(&longer), losses(&whole));
        assert_eq!(stopped.len(), 10);
        assert!(stopped == whole, "{task:?}: {stopped:?}, {whole:?}");
    }
}

/// The loss of every step.
fn losses(config: &TrainConfig) -> BTreeMap<u64, f32> {
    let text = std::fs::read_to_string(config.out.join("metrics.jsonl")).unwrap();
    let step = |line: &str| match serde_json::from_str(line).unwrap() {
        TrainEvent::Step { step, loss, .. } => Some((step, loss)),
        _ => None,
    };
    text.lines().filter_map(step).collect()
}

#[test]
fn latents_are_encoded_once_for_each_size() {
    let desk = desk();
    let cached = |out: &str| TrainConfig {
        latent_cache: Some(desk.at("cache")),
        ..bucketed(&desk, Task::Lora, out)
    };
    let plain = bucketed(&desk, Task::Lora, "plain");
    start(&plain).unwrap();
    start(&cached("first")).unwrap();
    let set = Dataset::open(&desk.dataset).unwrap();
    let framing = Framing::buckets(32, 8, 2.0);
    let count = [Split::Train, Split::Validation].map(|split| {
        let samples = set.samples(split);
        let sizes: std::collections::BTreeSet<_> =
            samples.iter().map(|sample| framing.size(sample)).collect();
        sizes.len()
    });
    let files = std::fs::read_dir(desk.at("cache")).unwrap().count();
    assert_eq!(files, count[0] + count[1]);
    start(&cached("second")).unwrap();
    assert_eq!(std::fs::read_dir(desk.at("cache")).unwrap().count(), files);
    assert!(losses(&cached("first")) == losses(&plain));
    assert!(losses(&cached("second")) == losses(&plain));
}

#[test]
fn masks_weigh_places_of_images_that_are_not_square() {
    let desk = desk();
    let mut config = bucketed(&desk, Task::Lora, "run");
    config.objective.outside_mask = 0.25;
    start(&config).unwrap();
    let plain = bucketed(&desk, Task::Lora, "plain");
    start(&plain).unwrap();
    assert_ne!(losses(&config), losses(&plain));
}

#[test]
fn every_loss_of_the_autoencoder_takes_images_that_are_not_square() {
    let desk = desk();
    let config = |step, out: &str| TrainConfig {
        aspect_buckets: Some(AspectBucketsConfig { longest: 2.0, step }),
        ..super::vae_losses::with_every_loss(&desk, out)
    };
    start(&config(Some(8), "run")).unwrap();
    // The discriminator halves sides of eight.
    let error = start(&config(None, "refused")).unwrap_err().to_string();
    assert!(error.contains("sample_size") && !desk.at("refused").exists(), "{error}");
}

#[test]
fn what_sees_squares_refuses_buckets() {
    let desk = desk();
    let refused = |config: TrainConfig, word: &str| {
        let error = start(&config).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    for task in [Task::Judge, Task::Clip] {
        refused(bucketed(&desk, task, "run"), "aspect_buckets: must be absent");
    }
    let mut aligned = bucketed(&desk, Task::Base, "run");
    let alignment = serde_json::json!({ "judge": "none" });
    aligned.objective.alignment = Some(serde_json::from_value(alignment).unwrap());
    refused(aligned, "objective.alignment");
    let with = |longest, step| TrainConfig {
        aspect_buckets: Some(AspectBucketsConfig { longest, step }),
        ..bucketed(&desk, Task::Lora, "run")
    };
    refused(with(0.5, None), "aspect_buckets.longest");
    refused(with(1.2, None), "aspect_buckets.longest");
    // The autoencoder halves once and takes patches of two, the UNet halves once more.
    refused(with(2.0, Some(4)), "must be a multiple of 8");
}
