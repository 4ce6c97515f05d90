//! Training the segmenter.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::super::config::TrainConfig;
use super::super::draw::Draw;
use super::super::error::TrainError;
use super::super::event::TrainSummary;
use super::super::trainee::Trainee;
use super::{Change, Common, JudgeConfig, cross_entropy};
use crate::data::{DataError, Dataset, Images, Masks, Sample, Split};
use crate::evaluate::{self, Figures};
use crate::model::{Segmenter, SegmenterConfig};
use crate::nn::Weights;

/// Images that are compared at once.
const BATCH: usize = 16;

/// The images of a split that have a mask, and their masks.
struct Pairs {
    images: Images,
    masks: Masks,
}

impl Pairs {
    fn load(dataset: &Dataset, samples: &[&Sample], size: usize) -> Result<Self, TrainError> {
        Ok(Self {
            images: Images::of(dataset, samples, size)?,
            masks: Masks::of(dataset, samples, size)?,
        })
    }
}

/// Cross-entropy of pixels, and the overlap of the whole.
pub(super) struct SegmenterTask {
    common: Common,
    segmenter: Segmenter,
    variables: BTreeMap<String, Var>,
    smoothing: f64,
    train: Pairs,
    validation: Pairs,
    draw: Draw,
    figures: RefCell<Figures>,
}

impl SegmenterTask {
    pub(super) fn new(
        config: &TrainConfig,
        judge: &JudgeConfig,
        sizes: &SegmenterConfig,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let dataset = Dataset::open(&config.dataset)?;
        let with_mask = |split: Split| {
            let samples: Vec<&Sample> = dataset
                .samples(split)
                .into_iter()
                .filter(|sample| sample.mask_sha256.is_some())
                .collect();
            if samples.is_empty() {
                let what = if split == Split::Train { "train on" } else { "validate with" };
                let cause = format!("the data set has no images with a lung mask to {what}");
                return Err(DataError::Sources { cause });
            }
            Ok(samples)
        };
        let train = with_mask(Split::Train)?;
        let mut validation = with_mask(Split::Validation)?;
        validation.truncate(config.validation_samples);
        let draw =
            Draw::new(train.iter().map(|sample| sample.group()), config.balance, config.seed);
        let fresh = Weights::from_seed(config.seed, DType::F32, device);
        Ok(Self {
            common: Common::new(config, judge, &dataset, device),
            segmenter: Segmenter::new(sizes.clone(), &fresh)?,
            variables: fresh.variables(),
            smoothing: judge.label_smoothing,
            train: Pairs::load(&dataset, &train, config.image_size)?,
            validation: Pairs::load(&dataset, &validation, config.image_size)?,
            draw,
            figures: RefCell::default(),
        })
    }
}

/// Cross-entropy, and 1 − Dice's coefficient of the probabilities (Milletari et al., arXiv 1606.04797), of logits
/// and masks `[n, 1, h, w]`, averaged over images.
fn compare(logits: &Tensor, masks: &Tensor, smoothing: f64) -> candle_core::Result<Tensor> {
    let targets = ((masks * (1.0 - smoothing))? + smoothing / 2.0)?;
    let entropy = cross_entropy(logits, &targets)?.mean_all()?;
    let inside = candle_nn::ops::sigmoid(logits)?.flatten_from(1)?;
    let masks = masks.flatten_from(1)?;
    let both = (&inside * &masks)?.sum(1)?;
    let total = (inside.sum(1)? + masks.sum(1)?)?;
    // One pixel more on either side keeps the quotient of an empty mask.
    let overlap = (((both * 2.0)? + 1.0)? / (total + 1.0)?)?.mean_all()?;
    (entropy + 1.0)? - overlap
}

impl Trainee for SegmenterTask {
    fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (self.train.images.len(), self.validation.images.len())
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        let indices = self.draw.batch(step, self.common.config.batch_size);
        let changes = self.common.changes(step);
        let images = self.train.images.tensor(&indices, &Device::Cpu)?;
        let masks = self.train.masks.tensor(&indices, &Device::Cpu)?;
        let common = &self.common;
        let images = common.changed(&images, &changes, Change::image)?;
        let masks = common.changed(&masks, &changes, Change::mask)?;
        Ok(compare(&self.segmenter.forward(&images)?, &masks, self.smoothing)?)
    }

    /// The loss of training without changes and smoothing.
    fn validation_loss(&self) -> Result<f32, TrainError> {
        let indices: Vec<usize> = (0..self.validation.images.len()).collect();
        let (mut total, mut found) = (0f64, Vec::new());
        for indices in indices.chunks(BATCH) {
            let logits = self
                .segmenter
                .forward(&self.validation.images.tensor(indices, &self.common.device)?)?;
            let masks = self.validation.masks.tensor(indices, &self.common.device)?;
            let loss = compare(&logits, &masks, 0.0)?.to_scalar::<f32>()?;
            total += f64::from(loss) * indices.len() as f64;
            found.extend(evaluate::overlap(&logits, &masks)?);
        }
        let count = indices.len() as f64;
        let dice = found.iter().sum::<f64>() / count;
        *self.figures.borrow_mut() = [("lung_dice".to_owned(), dice)].into();
        Ok((total / count) as f32)
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
        let sizes = self.segmenter.config();
        self.common.save("lung segmenter", sizes, weights, summary, self.figures(), out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_loss_is_its_formula() {
        let tensor =
            |values: [f32; 4]| Tensor::from_slice(&values, (1, 1, 2, 2), &Device::Cpu).unwrap();
        // Probabilities 1/2, 3/4, 1/4, 1/2.
        let three = 3f32.ln();
        let logits = tensor([0.0, three, -three, 0.0]);
        let loss = compare(&logits, &tensor([1.0, 1.0, 0.0, 0.0]), 0.0).unwrap();
        let entropy = -(2.0 * 0.5f32.ln() + 2.0 * 0.75f32.ln()) / 4.0;
        let overlap = (2.0 * 1.25 + 1.0) / (2.0 + 2.0 + 1.0);
        let found = loss.to_scalar::<f32>().unwrap();
        assert!((found - (entropy + 1.0 - overlap)).abs() < 1e-6, "{found}");
    }
}
