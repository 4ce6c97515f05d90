//! Training the segmenter.

use candle_core::{Device, Tensor};

use super::super::augment::Change;
use super::super::config::TrainConfig;
use super::super::error::TrainError;
use super::task::{Drawn, JudgeTask, Lesson, Samples};
use super::{BATCH, JudgeConfig, cross_entropy};
use crate::data::{Dataset, Images, Masks};
use crate::evaluate::{self, Figures};
use crate::model::{Segmenter, SegmenterConfig};

/// Cross-entropy of pixels, and the overlap of the whole.
pub(super) struct Lungs {
    segmenter: Segmenter,
    smoothing: f64,
    train: Masks,
    held_out: Masks,
}

/// The training of a segmenter of `sizes`.
pub(super) fn task(
    config: &TrainConfig,
    judge: &JudgeConfig,
    sizes: &SegmenterConfig,
    device: &Device,
) -> Result<JudgeTask<Lungs>, TrainError> {
    let dataset = Dataset::open(&config.dataset)?;
    let what = "images with a lung mask";
    let samples = Samples::new(config, &dataset, what, |sample| sample.mask_sha256.is_some())?;
    JudgeTask::new(config, judge, &dataset, &samples, device, |fresh| {
        Ok(Lungs {
            segmenter: Segmenter::new(sizes.clone(), fresh)?,
            smoothing: judge.label_smoothing,
            train: Masks::of(&dataset, &samples.train, config.image_size)?,
            held_out: Masks::of(&dataset, &samples.held_out, config.image_size)?,
        })
    })
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

impl Lesson for Lungs {
    const NAME: &'static str = "lung segmenter";
    type Sizes = SegmenterConfig;

    fn sizes(&self) -> &SegmenterConfig {
        self.segmenter.config()
    }

    fn loss(&self, images: &Tensor, drawn: &Drawn) -> candle_core::Result<Tensor> {
        let masks = self.train.tensor(&drawn.indices, &Device::Cpu)?;
        let masks = drawn.changed(&masks, Change::mask)?;
        compare(&self.segmenter.forward(images)?, &masks, self.smoothing)
    }

    fn look(&self, held_out: &Images, device: &Device) -> Result<(f32, Figures), TrainError> {
        let indices: Vec<usize> = (0..held_out.len()).collect();
        let (mut total, mut found) = (0f64, Vec::new());
        for indices in indices.chunks(BATCH) {
            let logits = self.segmenter.forward(&held_out.tensor(indices, device)?)?;
            let masks = self.held_out.tensor(indices, device)?;
            let loss = compare(&logits, &masks, 0.0)?.to_scalar::<f32>()?;
            total += f64::from(loss) * indices.len() as f64;
            found.extend(evaluate::overlap(&logits, &masks)?);
        }
        let count = indices.len() as f64;
        let dice = found.iter().sum::<f64>() / count;
        Ok(((total / count) as f32, [("lung_dice".to_owned(), dice)].into()))
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
