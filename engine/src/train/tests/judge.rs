//! The segmenter's training, and what a judge's training leaves behind; the classifier's gradients and its runs
//! stand with those of every task.

use super::*;
use crate::data::Dataset;
use crate::evaluate::evaluate;

pub(super) fn segmenter_config(desk: &Desk, out: &str) -> TrainConfig {
    let config = desk.config(Task::Judge, out);
    let segmenter = serde_json::json!({
        "segmenter": {
            "sample_size": config.image_size,
            "patch_size": 2,
            "block_out_channels": [4, 8],
            "layers_per_block": 1,
            "norm_num_groups": 2,
        }
    });
    TrainConfig { judge: Some(serde_json::from_value(segmenter).unwrap()), ..config }
}

fn start(config: &TrainConfig) -> Result<TrainSummary, TrainError> {
    run(config, false, &Device::Cpu, &mut |_| (), &CancelToken::new())
}

#[test]
fn every_weight_of_a_segmenter_has_the_gradient_of_a_finite_difference() {
    let desk = Desk::new();
    let config = segmenter_config(&desk, "unused");
    let trainee = super::super::judge::prepare(&config, &Device::Cpu).unwrap();
    check_gradients(trainee.as_ref(), "segmenter");
}

#[test]
fn a_segmenter_learns_and_its_card_says_how_well() {
    let desk = Desk::new();
    let config = TrainConfig {
        steps: 60,
        learning_rate: 1e-2,
        average_decay: 0.0,
        validate_every: 60,
        checkpoint_every: 60,
        ..segmenter_config(&desk, "run")
    };
    let mut figures = Vec::new();
    let mut on_event = |event: TrainEvent| {
        if let TrainEvent::Figures { step, figures: found } = event {
            figures.push((step, found["lung_dice"]));
        }
    };
    let summary = run(&config, false, &Device::Cpu, &mut on_event, &CancelToken::new()).unwrap();
    assert!(summary.validation_loss_after < 0.5 * summary.validation_loss_before, "{summary:?}");
    assert_eq!(figures.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 60]);
    let (first, last) = (figures[0].1, figures[1].1);
    assert!(last > first && last > 0.8, "{first} {last}");
    // Saved in half precision, so not to the last digit.
    let report = evaluate(&summary.output, &desk.dataset, &Device::Cpu).unwrap();
    assert!((report.figures["lung_dice"] - last).abs() < 0.01, "{report:?}");
    assert!(report.table().contains("| lung_dice | 0."));
}

#[test]
fn a_segmenters_run_that_was_cancelled_goes_on_as_if_it_had_not_been() {
    let desk = Desk::new();
    let events = [TrainEvent::Checkpoint { step: 0 }];
    let whole = TrainConfig { steps: 4, ..segmenter_config(&desk, "whole") };
    start(&whole).unwrap();
    let stopped = TrainConfig { out: desk.at("stopped"), ..whole.clone() };
    let cancel = CancelToken::new();
    let mut on_event = |event: TrainEvent| {
        if matches!(event, TrainEvent::Step { step: 3, .. }) {
            cancel.cancel();
        }
    };
    run(&stopped, false, &Device::Cpu, &mut on_event, &cancel).unwrap_err();
    run(&stopped, true, &Device::Cpu, &mut |_| (), &CancelToken::new()).unwrap();
    assert!(outcome(&stopped.out, &events) == outcome(&whole.out, &events));
}

#[test]
fn a_classifiers_folder_is_measured_as_in_its_training() {
    let desk = Desk::new();
    let summary = start(&desk.config(Task::Judge, "run")).unwrap();
    let report = evaluate(&summary.output, &desk.dataset, &Device::Cpu).unwrap();
    let card: ModelCard = read_json(&summary.output.join("card.json")).unwrap();
    let measured: Vec<&String> = report.figures.keys().collect();
    assert!(measured.contains(&&"auroc_normal".to_owned()), "{measured:?}");
    assert!(measured.iter().all(|name| card.figures.contains_key(*name)), "{:?}", card.figures);
    assert_eq!(card.findings, ["normal", "pneumonia", "effusion"]);
    let dataset = Dataset::open(&desk.dataset).unwrap();
    assert_eq!(report.held_out, dataset.card().samples.validation);
}

#[test]
fn an_autoencoder_is_measured_and_what_is_no_model_is_refused() {
    let desk = Desk::new();
    let report = evaluate(&desk.at("model"), &desk.dataset, &Device::Cpu).unwrap();
    let names: Vec<&str> = report.figures.keys().map(String::as_str).collect();
    assert_eq!(names, ["autoencoder_psnr_db", "autoencoder_ssim"]);
    assert!(evaluate(&desk.at("none"), &desk.dataset, &Device::Cpu).is_err());
    std::fs::remove_dir_all(desk.at("model").join("vae")).unwrap();
    let error = evaluate(&desk.at("model"), &desk.dataset, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("autoencoder"), "{error}");
}

#[test]
fn a_judge_that_cannot_be_trained_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let refused = |change: &dyn Fn(&mut TrainConfig), word: &str| {
        let mut config = desk.config(Task::Judge, "run");
        change(&mut config);
        let error = start(&config).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(!config.out.exists(), "{word}");
    };
    refused(&|config| config.judge = None, "judge");
    refused(&|config| config.judge.as_mut().unwrap().classifier = None, "judge");
    refused(&|config| config.judge.as_mut().unwrap().label_smoothing = 1.0, "label_smoothing");
    refused(&|config| config.judge.as_mut().unwrap().class_balance = 2.0, "class_balance");
    refused(&|config| config.judge.as_mut().unwrap().augment.shift = 1.0, "augment.shift");
    refused(&|config| config.image_size = 64, "image_size");
    let classifier = |config: &mut TrainConfig| {
        config.judge.as_mut().unwrap().classifier.as_mut().unwrap().findings = vec!["gout".into()];
    };
    refused(&classifier, "findings");
    let (_keep, bare) = small_set();
    let without_masks = |config: &mut TrainConfig| {
        *config = TrainConfig { dataset: bare.clone(), ..segmenter_config(&desk, "run") }
    };
    refused(&without_masks, "lung mask");
}
