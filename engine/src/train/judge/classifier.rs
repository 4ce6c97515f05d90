//! Training the classifier.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::super::config::TrainConfig;
use super::super::draw::Draw;
use super::super::error::TrainError;
use super::super::event::TrainSummary;
use super::super::trainee::Trainee;
use super::{Change, Common, JudgeConfig, cross_entropy};
use crate::data::{Dataset, Images, Sample, Split};
use crate::evaluate::{self, Figures};
use crate::model::{Classifier, ClassifierConfig, Label};
use crate::nn::Weights;

/// Images that are compared at once.
const BATCH: usize = 16;
/// What a rare label's positives may count for, at most, before all are scaled together.
const MOST_WEIGHT: f64 = 20.0;

/// Binary cross-entropy of every label that is known.
pub(super) struct ClassifierTask {
    common: Common,
    classifier: Classifier,
    variables: BTreeMap<String, Var>,
    labels: Vec<Label>,
    smoothing: f64,
    /// What a negative and a positive of each label count for.
    weights: Vec<[f32; 2]>,
    train: Images,
    train_truths: Vec<Vec<Option<bool>>>,
    validation: Images,
    validation_truths: Vec<Vec<Option<bool>>>,
    draw: Draw,
    figures: RefCell<Figures>,
}

impl ClassifierTask {
    pub(super) fn new(
        config: &TrainConfig,
        judge: &JudgeConfig,
        sizes: &ClassifierConfig,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let dataset = Dataset::open(&config.dataset)?;
        let size = config.image_size;
        let train = Images::load(&dataset, Split::Train, size, usize::MAX)?;
        let validation =
            Images::load(&dataset, Split::Validation, size, config.validation_samples)?;
        let labels = sizes.labels();
        let truths = |samples: &[&Sample]| -> Vec<_> {
            samples.iter().map(|sample| evaluate::truths(&labels, sample)).collect()
        };
        let samples = dataset.samples(Split::Train);
        let train_truths = truths(&samples);
        let validation_truths = truths(&dataset.samples(Split::Validation)[..validation.len()]);
        let weights = (0..labels.len())
            .map(|column| balanced(&train_truths, column, judge.class_balance))
            .collect();
        let draw =
            Draw::new(samples.iter().map(|sample| sample.group()), config.balance, config.seed);
        let mut common = Common::new(config, judge, &dataset, device);
        let shown: BTreeSet<&String> = samples.iter().flat_map(|sample| &sample.findings).collect();
        common.card.findings =
            sizes.findings.iter().filter(|slug| shown.contains(slug)).cloned().collect();
        let fresh = Weights::from_seed(config.seed, DType::F32, device);
        Ok(Self {
            common,
            classifier: Classifier::new(sizes.clone(), &fresh)?,
            variables: fresh.variables(),
            labels,
            smoothing: judge.label_smoothing,
            weights,
            train,
            train_truths,
            validation,
            validation_truths,
            draw,
            figures: RefCell::default(),
        })
    }

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

impl Trainee for ClassifierTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.len(), self.validation.len())
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let indices = self.draw.batch(step, self.common.config.batch_size);
        let changes = self.common.changes(step);
        let images = self.train.tensor(&indices, &Device::Cpu)?;
        let images = self.common.changed(&images, &changes, Change::image)?;
        let truths: Vec<_> = indices.iter().map(|index| &self.train_truths[*index]).collect();
        Ok(self.compare(&self.classifier.forward(&images)?, &truths, self.smoothing)?)
    }

    /// The loss of training without changes and smoothing.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let indices: Vec<usize> = (0..self.validation.len()).collect();
        let mut logits = Vec::new();
        for indices in indices.chunks(BATCH) {
            logits.push(
                self.classifier.forward(&self.validation.tensor(indices, &self.common.device)?)?,
            );
        }
        let logits = Tensor::cat(&logits, 0)?;
        let truths: Vec<_> = self.validation_truths.iter().collect();
        let loss = self.compare(&logits, &truths, 0.0)?.to_scalar::<f32>()?;
        let rows = logits.to_vec2::<f32>()?;
        if loss.is_finite() {
            *self.figures.borrow_mut() =
                evaluate::areas(&self.labels, &self.validation_truths, &rows)?;
        }
        Ok(loss)
    }

    fn figures(&self) -> Figures {
        self.figures.borrow().clone()
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        let sizes = self.classifier.config();
        self.common.save("classifier", sizes, weights, summary, self.figures(), out)
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
