//! Training the classifier.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};

use super::super::config::TrainConfig;
use super::super::error::TrainError;
use super::task::{Drawn, JudgeTask, Lesson, Samples};
use super::{BATCH, JudgeConfig, cross_entropy};
use crate::data::{Dataset, Images, Sample};
use crate::evaluate::{self, Figures};
use crate::model::{Classifier, ClassifierConfig, Label};
use crate::nn::Weights;

/// What a rare label's positives may count for, at most, before all are scaled together.
const MOST_WEIGHT: f64 = 20.0;

/// Binary cross-entropy of every label that is known.
pub(super) struct Findings {
    classifier: Classifier,
    labels: Vec<Label>,
    smoothing: f64,
    /// What a negative and a positive of each label count for.
    weights: Vec<[f32; 2]>,
    train: Vec<Vec<Option<bool>>>,
    held_out: Vec<Vec<Option<bool>>>,
}

/// The training of a classifier of `sizes`.
pub(super) fn task(
    config: &TrainConfig,
    judge: &JudgeConfig,
    sizes: &ClassifierConfig,
    device: &Device,
) -> Result<JudgeTask<Findings>, TrainError> {
    let dataset = Dataset::open(&config.dataset)?;
    let samples = Samples::new(config, &dataset, "images", |_| true)?;
    let labels = sizes.labels();
    let truths = |samples: &[&Sample]| -> Vec<_> {
        samples.iter().map(|sample| evaluate::truths(&labels, sample)).collect()
    };
    let (train, held_out) = (truths(&samples.train), truths(&samples.held_out));
    check_shown(&labels, &train)?;
    let weights =
        (0..labels.len()).map(|column| balanced(&train, column, judge.class_balance)).collect();
    let lesson = |fresh: &Weights| -> Result<Findings, TrainError> {
        let classifier = Classifier::new(sizes.clone(), fresh)?;
        let smoothing = judge.label_smoothing;
        Ok(Findings { classifier, labels, smoothing, weights, train, held_out })
    };
    let mut task = JudgeTask::new(config, judge, &dataset, &samples, device, lesson)?;
    let shown: BTreeSet<&String> =
        samples.train.iter().flat_map(|sample| &sample.findings).collect();
    task.card.findings =
        sizes.findings.iter().filter(|slug| shown.contains(slug)).cloned().collect();
    Ok(task)
}

/// A judge that was never shown a finding would still answer when it is asked for it. Age, sex and views may be all
/// alike in a good data set; of these a run warns.
///
/// # Errors
/// Names the findings that no image to train on shows.
fn check_shown(labels: &[Label], train: &[Vec<Option<bool>>]) -> Result<(), TrainError> {
    let unseen: Vec<&str> = labels
        .iter()
        .enumerate()
        .filter_map(|(column, label)| match label {
            Label::Finding(slug) => Some((column, slug.as_str())),
            Label::Adult | Label::Female | Label::View(_) => None,
        })
        .filter(|(column, _)| !train.iter().any(|truths| truths[*column] == Some(true)))
        .map(|(_, slug)| slug)
        .collect();
    if unseen.is_empty() {
        return Ok(());
    }
    Err(TrainError::Config {
        field: "judge.classifier.findings",
        cause: format!(
            "no image to train on shows {}: leave it out, for nothing is learned of it",
            unseen.join(", ")
        ),
    })
}

impl Findings {
    /// The weighted loss of `logits` `[n, labels]`, a known label of mean weight.
    fn compare(
        &self,
        logits: &Tensor,
        truths: &[&Vec<Option<bool>>],
        smoothing: f64,
    ) -> candle_core::Result<Tensor> {
        let (mut targets, mut weights, mut known) = (Vec::new(), Vec::new(), 0usize);
        for truths in truths {
            for (truth, [negative, positive]) in truths.iter().zip(&self.weights) {
                known += usize::from(truth.is_some());
                targets.push(match truth {
                    Some(true) => (1.0 - smoothing / 2.0) as f32,
                    Some(false) | None => (smoothing / 2.0) as f32,
                });
                weights.push(match truth {
                    Some(true) => *positive,
                    Some(false) => *negative,
                    None => 0.0,
                });
            }
        }
        let like = |values| Tensor::from_vec(values, logits.dims(), logits.device());
        let losses = (cross_entropy(logits, &like(targets)?)? * like(weights)?)?;
        losses.sum_all()? / known.max(1) as f64
    }
}

/// What a negative and a positive of a label count for: with a balance of 1 both together as much, with 0 each alike,
/// and on average 1.
fn balanced(truths: &[Vec<Option<bool>>], column: usize, balance: f64) -> [f32; 2] {
    let known = || truths.iter().filter_map(|truths| truths[column]);
    let positives = known().filter(|truth| *truth).count() as f64;
    let negatives = known().count() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return [1.0; 2];
    }
    let ratio = (negatives / positives).powf(balance).clamp(1.0 / MOST_WEIGHT, MOST_WEIGHT);
    let negative = (positives + negatives) / (ratio * positives + negatives);
    [negative as f32, (ratio * negative) as f32]
}

impl Lesson for Findings {
    const NAME: &'static str = "classifier";
    type Sizes = ClassifierConfig;

    fn sizes(&self) -> &ClassifierConfig {
        self.classifier.config()
    }

    fn loss(&self, images: &Tensor, drawn: &Drawn) -> candle_core::Result<Tensor> {
        let truths: Vec<_> = drawn.indices.iter().map(|index| &self.train[*index]).collect();
        self.compare(&self.classifier.forward(images)?, &truths, self.smoothing)
    }

    fn look(&self, held_out: &Images, device: &Device) -> Result<(f32, Figures), TrainError> {
        let indices: Vec<usize> = (0..held_out.len()).collect();
        let mut logits = Vec::new();
        for indices in indices.chunks(BATCH) {
            logits.push(self.classifier.forward(&held_out.tensor(indices, device)?)?);
        }
        let logits = Tensor::cat(&logits, 0)?;
        let truths: Vec<_> = self.held_out.iter().collect();
        let loss = self.compare(&logits, &truths, 0.0)?.to_scalar::<f32>()?;
        // What is no number has no order, and the loss says so.
        let figures = if loss.is_finite() {
            evaluate::areas(&self.labels, &self.held_out, &logits.to_vec2::<f32>()?)?
        } else {
            Figures::new()
        };
        Ok((loss, figures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_label_counts_as_balance_says() {
        let mut truths = vec![vec![Some(false)]; 9];
        truths.extend([vec![Some(true)], vec![None]]);
        let near = |found: [f32; 2], expected: [f32; 2]| {
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(near(balanced(&truths, 0, 0.0), [1.0, 1.0]));
        // 9 · 5/9 = 1 · 5, and 10 in all.
        assert!(near(balanced(&truths, 0, 1.0), [5.0 / 9.0, 5.0]));
        assert!(near(balanced(&truths, 0, 0.5), [10.0 / 12.0, 30.0 / 12.0]));
        assert!(near(balanced(&truths[..9], 0, 1.0), [1.0, 1.0]));
    }
}
