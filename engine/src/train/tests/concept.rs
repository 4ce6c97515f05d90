//! Both stages of a concept; the second's gradients and kills are tested with all tasks'.

use serde_json::Value;

use super::*;
use crate::adapter::{AdapterCard, AdapterError, Concept, summarise, weights_sha256};
use crate::dicom::Frame;
use crate::model::Bundle;
use crate::sample::{Pipeline, Request, generate};

fn go(config: &TrainConfig) -> TrainSummary {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap()
}

#[test]
fn a_closed_gate_changes_nothing() {
    let desk = Desk::new();
    let base = desk.trainee(Task::Lora).validation_loss().unwrap();
    let fresh = desk.trainee(Task::Concept);
    assert_eq!(fresh.validation_loss().unwrap().to_bits(), base.to_bits());
    // And it opens: the gate alone has a gradient yet.
    let gradients = fresh.loss(1).unwrap().backward().unwrap();
    for (name, variable) in fresh.variables() {
        let gradient = gradients.get(variable).unwrap().sqr().unwrap().sum_all().unwrap();
        assert_eq!(scalar(&gradient) > 0.0, name.ends_with("gate"), "{name}");
    }
}

#[test]
fn the_first_stage_has_the_gradients_of_finite_differences() {
    let desk = Desk::new();
    let config = desk.config(Task::Concept, "unused");
    let sizes =
        crate::model::FeatureConfig { image_size: 16, channels: vec![8, 12], tokens: 2, width: 8 };
    let dataset = Dataset::open(&desk.dataset).unwrap();
    let task =
        super::super::concept::FeatureTask::new(&config, &sizes, &dataset, &Device::Cpu).unwrap();
    shake(&task);
    check_gradients(&task, "features");
}

#[test]
fn no_gradient_of_a_frozen_weight_is_computed() {
    let desk = Desk::new();
    let trainee = desk.trainee(Task::Concept);
    shake(trainee.as_ref());
    let gradients = trainee.loss(1).unwrap().backward().unwrap();
    let trained: Vec<_> = trainee.variables().values().map(|v| v.as_tensor().id()).collect();
    for id in gradients.get_ids().filter(|id| !trained.contains(id)) {
        let dims = gradients.get_id(*id).unwrap().dims();
        assert!(dims.is_empty() || dims[0] == 3, "a gradient of {dims:?}");
    }
}

fn image(pipeline: &Pipeline) -> Vec<f32> {
    let request = Request {
        prompt: "chest radiograph, normal".into(),
        seed: 1,
        steps: 3,
        guidance_scale: 2.0,
        ..Request::default()
    };
    generate(pipeline, &request, 0, &mut |_| (), &CancelToken::new()).unwrap().pixels
}

#[test]
fn the_result_is_shown_to_its_own_base_and_to_no_other() {
    let desk = Desk::new();
    let config = desk.config(Task::Concept, "run");
    let summary = go(&config);
    let folder = &summary.output;
    assert!(Concept::lies_in(folder));
    let model = Bundle::open(&config.model).unwrap();
    let mut pipeline = Pipeline::load(&model, &Device::Cpu).unwrap();
    let alone = image(&pipeline);
    let concept = pipeline.concept(folder).unwrap();
    assert_eq!(concept.sha256(), weights_sha256(folder).unwrap());
    pipeline.show(&[(&concept, 1.0)], None).unwrap();
    let shown = image(&pipeline);
    assert_ne!(shown, alone);
    pipeline.show(&[(&concept, 0.5)], None).unwrap();
    assert_ne!(image(&pipeline), shown);
    // A reference has tokens of its own.
    let pixels = (0..40 * 32).map(|pixel| (pixel % 40) as f32 / 40.0).collect();
    let reference = Frame { width: 40, height: 32, pixels };
    pipeline.show(&[(&concept, 1.0)], Some(&reference)).unwrap();
    assert_ne!(image(&pipeline), shown);
    let empty = Frame { width: 0, height: 0, pixels: Vec::new() };
    assert!(pipeline.show(&[(&concept, 1.0)], Some(&empty)).is_err());
    pipeline.show(&[(&concept, 0.0)], None).unwrap();
    assert_eq!(image(&pipeline), alone);
    pipeline.show(&[], None).unwrap();
    assert_eq!(image(&pipeline), alone);

    let described = summarise(folder).unwrap();
    assert_eq!((described.kind.as_str(), described.layers["tokens"]), ("concept", 2));
    write_tiny(&desk.at("other"), &["chest radiograph".to_owned()], 4).unwrap();
    let other = Pipeline::load(&Bundle::open(&desk.at("other")).unwrap(), &Device::Cpu).unwrap();
    let error = other.concept(folder).err().unwrap();
    assert!(matches!(error, AdapterError::WrongBase { .. }), "{error}");
    std::fs::remove_file(folder.join("card.json")).unwrap();
    assert!(pipeline.concept(folder).is_err(), "without a card it does not load");
}

#[test]
fn the_report_says_what_was_kept() {
    let desk = Desk::new();
    let config = TrainConfig { learning_rate: 1e-2, ..desk.config(Task::Concept, "run") };
    let before = Bundle::open(&config.model).unwrap().card().weights_sha256.clone();
    let summary = go(&config);
    assert_eq!(Bundle::open(&config.model).unwrap().card().weights_sha256, before);
    let report: Value = read_json(&summary.output.join("report.json")).unwrap();
    let prompts = report["prompts"].as_array().unwrap();
    assert_eq!(prompts.len(), 2);
    for prompt in prompts {
        assert_eq!(prompt["without"]["mean_squared_error"].as_f64().unwrap().to_bits(), 0);
        assert!(prompt["without"]["psnr_db"].is_null());
        assert!(prompt["with"]["psnr_db"].as_f64().unwrap() > 0.0);
    }
    let old = &report["held_out_old_loss"];
    assert_eq!(old["before"], old["without"], "out of sight the concept is not there");
    assert_ne!(old["before"], old["with"]);
    // Here the old data are the concept's own, and the report's loss is the run's.
    let same = |key: &str, loss: f32| (old[key].as_f64().unwrap() as f32 - loss).abs() < 1e-6;
    assert!(same("before", summary.validation_loss_before));
    assert!(same("with", summary.validation_loss_after));
    let card: AdapterCard = read_json(&summary.output.join("card.json")).unwrap();
    assert!((card.figures["old_ability_kept"] - report["kept"].as_f64().unwrap()).abs() < 1e-9);
    assert_eq!(card.method, "concept");
}

#[test]
fn the_first_stage_goes_on_where_it_was_stopped() {
    let desk = Desk::new();
    let whole = desk.config(Task::Concept, "whole");
    go(&whole);
    let stage = |config: &TrainConfig| {
        std::fs::read(config.out.join("features/result/features.safetensors")).unwrap()
    };
    let stopped = TrainConfig { out: desk.at("stopped"), ..whole.clone() };
    // As a kill after the second step of the first stage leaves it.
    let short = ConceptConfig { feature_steps: 2, ..whole.concept.clone().unwrap() };
    go(&TrainConfig { concept: Some(short), ..stopped.clone() });
    for left in ["config.json", "metrics.jsonl"] {
        std::fs::remove_file(stopped.out.join(left)).unwrap();
    }
    for left in ["checkpoints", "result", "features/result"] {
        std::fs::remove_dir_all(stopped.out.join(left)).unwrap();
    }
    run(&stopped, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    assert!(stage(&stopped) == stage(&whole));
}
