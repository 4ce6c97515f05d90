//! Every weight of a judge learns, and a folder that does not fit is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::model::{ModelCard, values};
use crate::nn::gradients::{check_gradients, shake};
use crate::nn::{Init, Weights};

fn fresh(seed: u64) -> Weights {
    Weights::from_seed(seed, DType::F32, &Device::Cpu)
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    fresh(seed).get("random", shape, Init::Normal(0.5)).unwrap().detach()
}

/// Holds every weight's gradient, near where it starts, against a finite difference.
fn check(what: &str, variables: &BTreeMap<String, Var>, loss: &dyn Fn() -> Tensor) {
    shake(variables, 0.05);
    check_gradients(what, variables, loss);
}

fn classifier_config() -> ClassifierConfig {
    ClassifierConfig {
        class_name: "SkiagraphClassifier".into(),
        sample_size: 16,
        patch_size: 2,
        block_out_channels: vec![4, 8],
        layers_per_block: 1,
        norm_num_groups: 2,
        findings: ["normal", "pneumonia"].map(str::to_owned).to_vec(),
        views: ["AP", "PA"].map(str::to_owned).to_vec(),
    }
}

fn segmenter_config() -> SegmenterConfig {
    SegmenterConfig {
        class_name: "SkiagraphLungSegmenter".into(),
        sample_size: 16,
        patch_size: 2,
        block_out_channels: vec![4, 8],
        layers_per_block: 1,
        norm_num_groups: 2,
    }
}

/// A sum in which every value counts otherwise.
fn weighed(x: &Tensor) -> Tensor {
    (x * random(x.dims(), 99)).unwrap().mean_all().unwrap()
}

#[test]
fn every_weight_has_the_gradient_of_a_finite_difference() {
    let image = random(&[2, 1, 16, 16], 7);
    let weights = fresh(1);
    let classifier = Classifier::new(classifier_config(), &weights).unwrap();
    check("classifier", &weights.variables(), &|| weighed(&classifier.forward(&image).unwrap()));
    let weights = fresh(2);
    let segmenter = Segmenter::new(segmenter_config(), &weights).unwrap();
    check("segmenter", &weights.variables(), &|| weighed(&segmenter.forward(&image).unwrap()));
    let weights = fresh(3);
    let config =
        DiscriminatorConfig { patch_size: 2, block_out_channels: vec![4, 8], norm_num_groups: 2 };
    let discriminator = Discriminator::new(&config, &weights).unwrap();
    check("discriminator", &weights.variables(), &|| {
        weighed(&discriminator.forward(&image).unwrap())
    });
}

#[test]
fn features_hand_their_gradient_to_the_image() {
    let weights = fresh(1);
    let classifier = Classifier::new(classifier_config(), &weights).unwrap();
    let image = Var::from_tensor(&random(&[1, 1, 16, 16], 7)).unwrap();
    let variables = [("image".to_owned(), image.clone())].into();
    check("features", &variables, &|| {
        let maps = classifier.features(image.as_tensor()).unwrap();
        let sizes: Vec<_> = maps.iter().map(|map| map.dims().to_vec()).collect();
        assert_eq!(sizes, [[1, 8, 8, 4], [1, 4, 4, 8]]);
        (weighed(&maps[0]) + weighed(&maps[1])).unwrap()
    });
}

#[test]
fn labels_are_in_the_order_of_the_heads() {
    let names: Vec<String> = classifier_config().labels().iter().map(Label::to_string).collect();
    assert_eq!(names, ["normal", "pneumonia", "adult", "female", "view_AP", "view_PA"]);
    // With every weight of a head at zero, its bias is the answer.
    let weights = fresh(1);
    let classifier = Classifier::new(classifier_config(), &weights).unwrap();
    let variables = weights.variables();
    let set = |name: &str, values: &[f32]| {
        let bias = &variables[&format!("heads.{name}.bias")];
        bias.set(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
        let weight = &variables[&format!("heads.{name}.weight")];
        weight.set(&weight.zeros_like().unwrap()).unwrap();
    };
    set("findings", &[1.0, 2.0]);
    set("age_group", &[3.0]);
    set("sex", &[4.0]);
    set("view", &[5.0, 6.0]);
    let logits = classifier.forward(&random(&[1, 1, 16, 16], 3)).unwrap();
    assert_eq!(logits.to_vec2::<f32>().unwrap(), [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]);
}

/// Writes a classifier of which `change` was done to the weights.
fn written(folder: &Path, change: impl Fn(&mut BTreeMap<String, Tensor>)) {
    let weights = fresh(5);
    Classifier::new(classifier_config(), &weights).unwrap();
    let mut weights = values(&weights.variables());
    change(&mut weights);
    let card = ModelCard { name: "judge".into(), ..ModelCard::default() };
    write_judge(folder, &classifier_config(), &weights, &card).unwrap();
}

#[test]
fn a_folder_gives_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), |_| ());
    let (classifier, card) = Classifier::open(folder.path(), &Device::Cpu).unwrap();
    assert_eq!((card.name.as_str(), card.weights_sha256.len()), ("judge", 64));
    assert_eq!(classifier.config(), &classifier_config());
    let image = random(&[2, 1, 16, 16], 8);
    let fresh = Classifier::new(classifier_config(), &fresh(5)).unwrap();
    let answer = |classifier: &Classifier| {
        classifier.forward(&image).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    // Stored in half precision.
    for (found, expected) in answer(&classifier).iter().zip(answer(&fresh)) {
        assert!((found - expected).abs() < 2e-3 * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn a_folder_that_does_not_fit_is_refused() {
    let refused = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), |_| ());
        change(folder.path());
        match Classifier::open(folder.path(), &Device::Cpu) {
            Ok(_) => panic!("was opened"),
            Err(error) => error.to_string(),
        }
    };
    let missing =
        refused(&|path| written(path, |weights| drop(weights.remove("heads.sex.weight"))));
    assert!(missing.contains("missing: heads.sex.weight"), "{missing}");
    let unexpected = refused(&|path| {
        written(path, |weights| drop(weights.insert("stray".into(), random(&[2], 1))));
    });
    assert!(unexpected.contains("unexpected: stray"), "{unexpected}");
    let config = |from: &str, to: &str| {
        refused(&|path| {
            let path = path.join("config.json");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            std::fs::write(path, text.replace(from, to)).unwrap();
        })
    };
    assert!(config("SkiagraphClassifier", "SkiagraphLungSegmenter").contains("_class_name"));
    assert!(config("\"pneumonia\"", "\"gout\"").contains("findings"));
    assert!(config("\"pneumonia\"", "\"normal\"").contains("findings"));
    assert!(config("\"PA\"", "\"XX\"").contains("views"));
    assert!(config("\"sample_size\": 16", "\"sample_size\": 18").contains("sample_size"));
    assert!(config("\"patch_size\": 2", "\"patch_size\": 0").contains("patch_size"));
    assert!(config("\"norm_num_groups\": 2", "\"norm_num_groups\": 3").contains("norm_num_groups"));
    assert!(config("\"layers_per_block\"", "\"layers\"").contains("config.json"));
    let none = refused(&|path| std::fs::remove_file(path.join("card.json")).unwrap());
    assert!(none.contains("card.json"));
}
