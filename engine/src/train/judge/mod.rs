//! Training a judge: the classifier of findings, or the segmenter of lungs.

mod classifier;
mod segmenter;
mod task;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::augment::Augment;
use super::config::TrainConfig;
use super::error::TrainError;
use super::trainee::Trainee;
use crate::model::{ClassifierConfig, SegmenterConfig};

/// Images that are compared at once.
const BATCH: usize = 16;

/// What a judge is and how it is trained: the table `judge` of a run's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// The classifier to train; this or `segmenter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<ClassifierConfig>,
    /// The segmenter to train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<SegmenterConfig>,
    /// Share of a label that is given to its opposite (Szegedy et al., arXiv 1512.00567, section 7).
    #[serde(default = "label_smoothing")]
    pub label_smoothing: f64,
    /// 0 weighs every radiograph alike, 1 those that have a finding, together, as those that have it not.
    #[serde(default = "class_balance")]
    pub class_balance: f64,
    /// How far training images are changed.
    #[serde(default)]
    pub augment: Augment,
}

fn label_smoothing() -> f64 {
    0.05
}

fn class_balance() -> f64 {
    0.5
}

impl JudgeConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        check(
            self.classifier.is_some() != self.segmenter.is_some(),
            "judge",
            "must have the sizes of a classifier or those of a segmenter, and not both",
        )?;
        check(
            (0.0..1.0).contains(&self.label_smoothing),
            "judge.label_smoothing",
            "must lie from 0 to below 1",
        )?;
        check(
            (0.0..=1.0).contains(&self.class_balance),
            "judge.class_balance",
            "must lie between 0 and 1",
        )?;
        self.augment.validate()
    }
}

/// Loads what the training of a judge needs.
pub(super) fn prepare(
    config: &TrainConfig,
    device: &Device,
) -> Result<Box<dyn Trainee>, TrainError> {
    let Some(judge) = &config.judge else {
        return Err(TrainError::Config { field: "judge", cause: "is missing".into() });
    };
    let side = |sample_size: usize| {
        if sample_size == config.image_size {
            return Ok(());
        }
        let cause = format!("must be {sample_size}, the judge's sample_size");
        Err(TrainError::Config { field: "image_size", cause })
    };
    match (&judge.classifier, &judge.segmenter) {
        (Some(sizes), None) => {
            sizes.validate()?;
            side(sizes.sample_size)?;
            Ok(Box::new(classifier::task(config, judge, sizes, device)?))
        }
        (None, Some(sizes)) => {
            sizes.validate()?;
            side(sizes.sample_size)?;
            Ok(Box::new(segmenter::task(config, judge, sizes, device)?))
        }
        _ => {
            let cause = "is neither one classifier nor one segmenter".into();
            Err(TrainError::Config { field: "judge", cause })
        }
    }
}

/// Binary cross-entropy of logits, value by value: max(z, 0) − z t + ln(1 + e^−|z|), which overflows nowhere.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> candle_core::Result<Tensor> {
    let overflow_free = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    (logits.relu()? - (logits * targets)?)? + overflow_free
}
