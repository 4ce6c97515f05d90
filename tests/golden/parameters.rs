//! The less common parameters of diffusers' pipelines, and words that were learned, against diffusers' images.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use skiagraph_engine::adapter::Embedding;
use skiagraph_engine::model::Bundle;
use skiagraph_engine::noise::SchedulerConfig;
use skiagraph_engine::sample::{
    Control, Pipeline, Request, SamplingOptions, Seeded, Sizes, Start, render,
};

use super::pipelines::{TOLERANCE, control, request, shown};
use super::{Golden, folder_of};

fn open(bundle: &str) -> Pipeline {
    let folder = folder_of("pipelines").join(bundle);
    Pipeline::load(&Bundle::open(&folder).unwrap(), &Device::Cpu).unwrap()
}

fn check(pipeline: &Pipeline, name: &str, request: &Request) {
    // The seed that the maker gave diffusers.
    let ours = render(pipeline, request, &mut Seeded::new(7)).unwrap();
    Golden::open("parameters").check("parameters", name, &ours, TOLERANCE);
}

fn with(options: SamplingOptions) -> Request {
    Request { options, ..request(Start::Noise) }
}

#[test]
fn noise_on_the_way_is_that_of_diffusers() {
    let pipeline = open("base");
    check(&pipeline, "eta", &with(SamplingOptions { eta: 0.6, ..SamplingOptions::default() }));
    let start = Start::Image { image: shown().remove("init").unwrap(), strength: 0.6 };
    let options = SamplingOptions { eta: 1.0, ..SamplingOptions::default() };
    check(&pipeline, "eta_image", &Request { start, ..with(options) });
}

#[test]
fn layers_of_the_text_encoder_are_left_out_as_in_diffusers() {
    let skipping = with(SamplingOptions { clip_skip: 1, ..SamplingOptions::default() });
    check(&open("base"), "clip_skip", &skipping);
    check(&open("xl"), "xl_clip_skip", &skipping);
    let all = with(SamplingOptions { clip_skip: 3, ..SamplingOptions::default() });
    let error = render(&open("base"), &all, &mut Seeded::new(7)).unwrap_err().to_string();
    assert!(error.starts_with("clip_skip: ") && error.contains('3'), "{error}");
}

#[test]
fn timesteps_and_sigmas_of_ones_own_are_followed_as_in_diffusers() {
    let pipeline = open("base");
    let named = |name: &str| {
        let mut config = SchedulerConfig::named(name, pipeline.scheduler()).unwrap().to_json();
        if ["EulerDiscrete", "HeunDiscrete", "DPMSolverMultistep"].contains(&name) {
            // The maker's DDIM left its spacing to its class, and these classes have another.
            config["timestep_spacing"] = "linspace".into();
        }
        Some(SchedulerConfig::parse(config.to_string().as_bytes()).unwrap())
    };
    let timesteps = SamplingOptions {
        timesteps: vec![981, 700, 421, 199, 60, 3],
        ..SamplingOptions::default()
    };
    for name in ["DDPM", "DPMSolverMultistep", "EulerDiscrete", "HeunDiscrete", "LCM"] {
        // What is asked for beside a list of one's own says nothing.
        let asked = Request { scheduler: named(name), steps: 50, ..with(timesteps.clone()) };
        check(&pipeline, &format!("timesteps.{name}"), &asked);
    }
    let sigmas = SamplingOptions {
        sigmas: vec![13.0, 6.5, 2.5, 1.0, 0.3, 0.0],
        ..SamplingOptions::default()
    };
    let euler = named("EulerDiscrete");
    check(&pipeline, "sigmas", &Request { scheduler: euler, ..with(sigmas.clone()) });
    for (options, word) in [(timesteps, "timesteps"), (sigmas, "sigmas")] {
        let error = render(&pipeline, &with(options), &mut Seeded::new(7)).unwrap_err().to_string();
        assert!(error.contains("DDIMScheduler takes no") && error.contains(word), "{error}");
    }
}

#[test]
fn guess_mode_is_that_of_diffusers() {
    let pipeline = open("base");
    let guess = with(SamplingOptions { guess_mode: true, ..SamplingOptions::default() });
    let one = Request { controls: vec![control(0, "lungs", 0.8)], ..guess.clone() };
    check(&pipeline, "guess", &one);
    check(&pipeline, "guess_unguided", &Request { guidance_scale: 1.0, ..one });
    let both = vec![control(0, "lungs", 0.8), control(1, "edges", 0.5)];
    check(&pipeline, "guess_two", &Request { controls: both, ..guess });
}

#[test]
fn a_controlnet_that_pools_leads_the_prompt_alone() {
    // The same weights under another configuration.
    let folder = tempfile::tempdir().unwrap();
    let source = folder_of("pipelines/base/controlnet");
    let weights = "diffusion_pytorch_model.safetensors";
    std::fs::copy(source.join(weights), folder.path().join(weights)).unwrap();
    let config = std::fs::read_to_string(source.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["global_pool_conditions"] = true.into();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let mut pipeline = open("base");
    pipeline.add_control(folder.path()).unwrap();
    let controls = vec![control(2, "lungs", 0.8)];
    check(&pipeline, "pooled", &Request { controls, ..request(Start::Noise) });
}

#[test]
fn a_part_made_anew_under_a_control_is_diffusers() {
    let into = |strength, network| {
        let mut shown = shown();
        let image = shown.remove("init").unwrap();
        let mask = shown.remove("mask").unwrap();
        let controls: Vec<Control> = vec![control(network, "lungs", 0.8)];
        Request { controls, ..request(Start::Inpaint { image, mask, strength }) }
    };
    check(&open("base"), "control_inpaint", &into(1.0, 0));
    check(&open("base"), "control_inpaint_part", &into(0.7, 0));
    let mut painter = open("painter");
    painter.add_control(&folder_of("pipelines/base/controlnet")).unwrap();
    check(&painter, "control_inpaint_9", &into(0.7, 0));
}

#[test]
fn what_t2i_adapters_lead_is_diffusers() {
    let mut pipeline = open("base");
    for name in ["t2i_adapter", "t2i_adapter_1"] {
        pipeline.add_control(&folder_of("parameters").join(name)).unwrap();
    }
    // The bundle's own ControlNets come first.
    let one = vec![control(2, "lungs", 0.8)];
    let two = vec![control(2, "lungs", 0.8), control(3, "edges", 0.5)];
    check(&pipeline, "adapter", &Request { controls: one, ..request(Start::Noise) });
    check(&pipeline, "two_adapters", &Request { controls: two, ..request(Start::Noise) });
}

#[test]
fn the_sizes_that_xl_is_told_are_those_of_diffusers() {
    let pipeline = open("xl");
    let sizes = Sizes { original: Some((64, 48)), crop: Some((4, 8)), target: Some((40, 32)) };
    let away = Sizes { original: Some((16, 24)), crop: Some((2, 0)), target: Some((24, 16)) };
    let plain = SamplingOptions::default();
    check(&pipeline, "xl_sizes", &with(SamplingOptions { sizes, ..plain.clone() }));
    let options = SamplingOptions { negative_sizes: Some(away), ..plain };
    check(&pipeline, "xl_negative_sizes", &with(options));
}

fn embedding(file: &str, token: Option<&str>) -> Embedding {
    let folder = folder_of("adapters");
    Embedding::open(&folder.join(Path::new(file)), token).unwrap()
}

#[test]
fn learned_words_mean_what_they_mean_in_diffusers() {
    let mut pipeline = open("base");
    let plain = render(&pipeline, &request(Start::Noise), &mut Seeded::new(7)).unwrap();
    let one = embedding("learned_embeds.safetensors", None);
    let many = embedding("haze.safetensors", None);
    pipeline.learn(&[&one, &many]).unwrap();
    let asked = Request {
        prompt: "chest radiograph, haze over <opacity>, child".into(),
        negative: "blurred <opacity>".into(),
        ..request(Start::Noise)
    };
    check(&pipeline, "embedding", &asked);
    pipeline.learn(&[]).unwrap();
    let again = render(&pipeline, &request(Start::Noise), &mut Seeded::new(7)).unwrap();
    let bits = |image: &Tensor| image.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(bits(&again) == bits(&plain), "forgotten without a trace");

    let mut pipeline = open("xl");
    let fog = embedding("inversion_xl.safetensors", Some("fog"));
    pipeline.learn(&[&fog]).unwrap();
    let asked = Request {
        prompt: "chest radiograph, fog, child".into(),
        negative: "fog".into(),
        ..request(Start::Noise)
    };
    check(&pipeline, "xl_embedding", &asked);
}

#[test]
fn a_word_for_another_model_is_refused_with_the_reason() {
    let mut base = open("base");
    let (one, fog) = (
        embedding("learned_embeds.safetensors", None),
        embedding("inversion_xl.safetensors", Some("fog")),
    );
    let refused = |pipeline: &mut Pipeline, embeddings: &[&Embedding], words: [&str; 2]| {
        let error = pipeline.learn(embeddings).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(&mut base, &[&fog], ["16 numbers", "have 24"]);
    refused(&mut open("xl"), &[&one], ["24 numbers", "have 16"]);
    // As wide as XL's first encoder, and silent for its second.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mist.safetensors");
    let rows = Tensor::ones((2, 16), DType::F32, &Device::Cpu).unwrap();
    let words = std::collections::HashMap::from([("emb_params", rows)]);
    candle_core::safetensors::save(&words, &path).unwrap();
    let mist = Embedding::open(&path, None).unwrap();
    refused(&mut open("xl"), &[&mist], ["mist", "second text encoder"]);
    refused(&mut base, &[&one, &one], ["<opacity>", "another name"]);
}
