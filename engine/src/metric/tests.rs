//! Against what scikit-image, scikit-learn and SciPy compute (`tests/golden/makers/metrics.py`), and by hand.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::*;

struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn open() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/golden/metrics/expected.safetensors");
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    fn truths(&self, name: &str) -> Vec<bool> {
        let values: Vec<u8> = self.0[name].flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(|value| value == 1).collect()
    }

    fn check(&self, name: &str, found: f64) {
        let expected: f64 =
            self.0[name].to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()[0];
        let deviation = (found - expected).abs() / expected.abs();
        assert!(deviation < 1e-9, "{name}: {found}, not {expected}");
    }
}

#[test]
fn figures_are_those_of_the_libraries() {
    let golden = Golden::open();
    let (image, other) = (golden.values("image"), golden.values("other"));
    golden.check("psnr", psnr(&image, &other, 1.0).unwrap());
    golden.check("ssim", ssim(&image, &other, 48, 1.0).unwrap());
    golden.check("ssim_of_two", ssim(&image, &other, 48, 2.0).unwrap());
    let found = auroc(&golden.values("scores"), &golden.truths("positive")).unwrap();
    golden.check("auroc", found.unwrap());
    golden.check("dice", dice(&golden.truths("mask"), &golden.truths("drawn")).unwrap());
    let of = |name| Gaussian::of(&golden.values(name), 6).unwrap();
    golden.check("frechet", frechet_distance(&of("features"), &of("mixed")).unwrap());
}

#[test]
fn an_image_is_like_itself() {
    let image: Vec<f32> = (0..11 * 13).map(|place| (place % 7) as f32 / 7.0).collect();
    assert_eq!(psnr(&image, &image, 1.0).unwrap(), f64::INFINITY);
    assert_eq!(mean_squared_error(&[0.0, 1.0], &[0.5, 1.0]).unwrap(), 0.125);
    assert_eq!(psnr_of_error(0.125, 2.0).unwrap(), 10.0 * 32f64.log10());
    assert!((ssim(&image, &image, 13, 1.0).unwrap() - 1.0).abs() < 1e-12);
    // A tenth of the range off everywhere: 20 dB.
    let other: Vec<f32> = image.iter().map(|value| value + 0.1).collect();
    assert!((psnr(&image, &other, 1.0).unwrap() - 20.0).abs() < 1e-5);
}

#[test]
fn ties_count_half() {
    let area = |scores: &[f32], positive: &[bool]| auroc(scores, positive).unwrap();
    assert_eq!(area(&[0.0, 1.0], &[false, true]), Some(1.0));
    assert_eq!(area(&[1.0, 0.0], &[false, true]), Some(0.0));
    assert_eq!(area(&[1.0, 1.0, 1.0], &[false, true, false]), Some(0.5));
    assert_eq!(area(&[-0.0, 0.0], &[true, false]), Some(0.5));
    // Of 2 × 2 pairs: one won, one tied, two won.
    assert_eq!(area(&[0.1, 0.5, 0.5, 0.9], &[false, false, true, true]), Some(0.875));
    assert_eq!(area(&[0.1, 0.5], &[true, true]), None);
}

#[test]
fn masks_overlap_as_counted() {
    assert_eq!(dice(&[true, true, false, false], &[true, false, true, false]).unwrap(), 0.5);
    assert_eq!(dice(&[false; 4], &[false; 4]).unwrap(), 1.0);
    assert_eq!(dice(&[true; 4], &[false; 4]).unwrap(), 0.0);
}

#[test]
fn distances_are_those_of_normal_distributions() {
    // Alike but for the mean: the squared distance of the means, also where all features are copies of
    // one and the covariance is singular.
    let features = |shift: f32| -> Vec<f32> {
        [0.0f32, 1.0, 3.0, -2.0, 0.5].iter().flat_map(|value| [value + shift; 4]).collect()
    };
    let of = |shift| Gaussian::of(&features(shift), 4).unwrap();
    assert!(frechet_distance(&of(0.0), &of(0.0)).unwrap().abs() < 1e-9);
    assert!((frechet_distance(&of(0.0), &of(0.5)).unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn what_has_no_figure_is_refused_by_name() {
    let image = [0.5f32; 121];
    assert_eq!(psnr(&image, &image[1..], 1.0).unwrap_err().field, "other");
    assert_eq!(psnr(&[], &[], 1.0).unwrap_err().field, "other");
    for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(psnr_of_error(0.125, range).unwrap_err().field, "data_range");
        assert_eq!(psnr(&image, &image, range).unwrap_err().field, "data_range");
        assert_eq!(ssim(&image, &image, 11, range).unwrap_err().field, "data_range");
    }
    for width in [0, 10, 12, 121] {
        assert_eq!(ssim(&image, &image, width, 1.0).unwrap_err().field, "width", "{width}");
    }
    assert_eq!(dice(&[true], &[]).unwrap_err().field, "other");
    assert_eq!(auroc(&[1.0], &[]).unwrap_err().field, "positive");
    assert_eq!(auroc(&[f32::NAN], &[true]).unwrap_err().field, "scores");
    assert_eq!(Gaussian::of(&[1.0, 2.0], 2).unwrap_err().field, "features");
    assert_eq!(Gaussian::of(&[1.0, f32::NAN], 1).unwrap_err().field, "features");
    let of = |width| Gaussian::of(&[0.0, 1.0, 2.0, 4.0], width).unwrap();
    assert_eq!(frechet_distance(&of(1), &of(2)).unwrap_err().field, "other");
}

#[test]
fn a_threshold_parts_best_what_it_can() {
    let of = |scores: &[f32], positive: &[u8]| {
        let positive: Vec<bool> = positive.iter().map(|value| *value == 1).collect();
        youden_threshold(scores, &positive).unwrap()
    };
    assert_eq!(of(&[3.0, 1.0, 4.0, 2.0], &[1, 0, 1, 0]), Some(2.5));
    // Sensitivity 2/3 and specificity 1 above 2.5; all and 1/2 above 0.75.
    assert_eq!(of(&[0.5, 2.0, 1.0, 3.0, 4.0], &[0, 0, 1, 1, 1]), Some(2.5));
    // Two that are as good: the lowest.
    assert_eq!(of(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1]), Some(1.5));
    // Scores that are the same are on one side.
    assert_eq!(of(&[1.0, 2.0, 2.0, 3.0], &[0, 0, 1, 1]), Some(1.5));
    // Wrong way round: the least bad.
    assert_eq!(of(&[1.0, 2.0], &[1, 0]), Some(1.5));
    assert_eq!(of(&[1.0, 2.0], &[1, 1]), None);
    assert_eq!(of(&[1.0, 1.0], &[1, 0]), None);
    assert!(youden_threshold(&[f32::NAN], &[true]).is_err());
    assert!(youden_threshold(&[1.0], &[]).is_err());
}

#[test]
fn a_quantile_lies_between_its_neighbours() {
    let values = [4.0, 1.0, 3.0, 2.0];
    // numpy.quantile([4, 1, 3, 2], [0, .5, .9, 1]): 1, 2.5, 3.7, 4
    for (share, expected) in [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
        assert!((quantile(&values, share).unwrap() - expected).abs() < 1e-12, "{share}");
    }
    assert_eq!(quantile(&[7.0], 0.3).unwrap(), 7.0);
    assert!(quantile(&[], 0.5).is_err() && quantile(&values, 1.1).is_err());
    assert!(quantile(&[f64::NAN], 0.5).is_err());
}
