//! Figures by hand on small cases, and reports of folders that training made (`train/tests/judge.rs`).
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use candle_core::{Device, Tensor};

use super::*;
use crate::data::{Sample, Split};
use crate::model::Label;
use crate::terms::{AgeGroup, Sex};

fn sample(findings: &[&str]) -> Sample {
    Sample {
        id: "00".into(),
        caption: String::new(),
        split: Split::Validation,
        patient: "p".into(),
        findings: findings.iter().map(|slug| (*slug).to_owned()).collect(),
        age_group: Some(AgeGroup::Child),
        age_years: None,
        sex: None,
        view_position: Some("AP".into()),
        width: 1,
        height: 1,
        synthetic: false,
        sha256: String::new(),
        mask_sha256: None,
    }
}

fn labels() -> Vec<Label> {
    ["normal", "pneumonia", "bacterial_pneumonia", "viral_pneumonia", "effusion"]
        .map(|slug| Label::Finding(slug.to_owned()))
        .to_vec()
}

#[test]
fn what_a_source_does_not_say_is_unknown() {
    let known = |findings: &[&str]| truths(&labels(), &sample(findings));
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(known(&["normal"]), [yes, no, no, no, no]);
    assert_eq!(known(&["bacterial_pneumonia"]), [no, yes, yes, no, None]);
    assert_eq!(known(&["viral_pneumonia"]), [no, yes, no, yes, None]);
    assert_eq!(known(&["effusion"]), [no, no, no, no, yes]);
    assert_eq!(known(&["pneumonia", "effusion"]), [no, yes, None, None, yes]);
    let who = [Label::Adult, Label::Female, Label::View("AP".into()), Label::View("PA".into())];
    assert_eq!(truths(&who, &sample(&["normal"])), [no, None, yes, no]);
    let woman = Sample {
        age_group: Some(AgeGroup::Adult),
        sex: Some(Sex::Female),
        view_position: None,
        ..sample(&["normal"])
    };
    assert_eq!(truths(&who, &woman), [yes, yes, None, None]);
    let other = Sample { sex: Some(Sex::Other), ..woman };
    assert_eq!(truths(&who, &other)[1], None);
}

#[test]
fn areas_are_over_what_is_known() {
    let labels = [Label::Finding("normal".into()), Label::Female];
    // Five of either side, one of them wrong way round, and one that nobody knows of, far off.
    let mut truth: Vec<Vec<Option<bool>>> =
        (0..10).map(|number| vec![Some(number >= 5), Some(true)]).collect();
    truth.push(vec![None, None]);
    let mut logits: Vec<Vec<f32>> =
        [0.0, 1.0, 2.0, 3.0, 5.5, 4.0, 6.0, 7.0, 8.0, 9.0].iter().map(|x| vec![*x, 0.0]).collect();
    logits.push(vec![-100.0, 0.0]);
    let figures = areas(&labels, &truth, &logits).unwrap();
    // Of 25 pairs the one of 5.5 and 4.0 is lost. Nobody is known to be male: no area.
    assert_eq!(
        figures,
        [("auroc_findings", 0.96), ("auroc_normal", 0.96)].map(|(n, x)| (n.to_owned(), x)).into()
    );
    let few = areas(&labels, &truth[1..], &logits[1..]).unwrap();
    assert!(!few.contains_key("auroc_findings") && few.contains_key("auroc_normal"));
}

#[test]
fn a_finding_is_parted_from_normal_alone() {
    let labels = ["normal", "pneumonia", "effusion"].map(|slug| Label::Finding(slug.into()));
    let mut truth = Vec::new();
    let mut logits = Vec::new();
    for number in 0..15u8 {
        let (well, ill) = (number < 5, (5..10).contains(&number));
        // Five normal, five ill, and five who have an effusion and the highest logit for pneumonia.
        truth.push(vec![Some(well), Some(ill), (number >= 10).then_some(true)]);
        logits.push(vec![0.0, f32::from(number), 0.0]);
    }
    // One normal is above one who is ill: 24 of 25 pairs are right.
    logits[4][1] = 5.5;
    let figures = areas(&labels, &truth, &logits).unwrap();
    assert!((figures["auroc_pneumonia_against_normal"] - 0.96).abs() < 1e-12, "{figures:?}");
    assert!(figures["auroc_pneumonia"] < 0.5, "{figures:?}");
    // A finding is not parted from itself, and four are too few.
    assert!(!figures.contains_key("auroc_normal_against_normal"));
    let few = areas(&labels, &truth[1..], &logits[1..]).unwrap();
    assert!(!few.contains_key("auroc_pneumonia_against_normal"));
}

#[test]
fn reconstructions_and_masks_are_measured_image_by_image() {
    let image = |f: &dyn Fn(usize) -> f32| -> Vec<f32> { (0..2 * 144).map(f).collect() };
    let tensor = |values: Vec<f32>| Tensor::from_vec(values, (2, 1, 12, 12), &Device::Cpu).unwrap();
    let original = tensor(image(&|place| (place % 5) as f32 / 4.0 - 0.2));
    // A tenth of the range off everywhere: 20 dB.
    let decoded = (&original + 0.2).unwrap();
    let figures = reconstruction(&original, &decoded).unwrap();
    assert!((figures["autoencoder_psnr_db"] - 20.0).abs() < 1e-4);
    assert!(figures["autoencoder_ssim"] > 0.5 && figures["autoencoder_ssim"] < 1.0);
    let same = reconstruction(&original, &original).unwrap();
    assert!((same["autoencoder_ssim"] - 1.0).abs() < 1e-9);

    let masks = tensor(image(&|place| f32::from(u8::from(place % 2 == 0))));
    let logits = tensor(image(&|place| if place < 144 && place % 2 == 0 { 1.0 } else { -1.0 }));
    assert_eq!(overlap(&logits, &masks).unwrap(), [1.0, 0.0]);
}
