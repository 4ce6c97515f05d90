//! How well a segmenter finds the lungs.

use candle_core::{Device, Tensor};

use super::{BATCH, EvaluateError, Figures};
use crate::data::{DataError, Dataset, Images, Masks, Sample, Split};
use crate::metric;
use crate::model::Segmenter;

/// Dice's coefficient of each image, of logits and masks `[n, 1, h, w]`: a pixel is found where its logit is above
/// zero, and inside where its mask is above one half.
///
/// # Errors
/// Where the shapes differ.
pub fn overlap(logits: &Tensor, masks: &Tensor) -> Result<Vec<f64>, EvaluateError> {
    let rows = |x: &Tensor| x.flatten_from(1)?.to_vec2::<f32>();
    let mut found = Vec::new();
    for (logits, mask) in rows(logits)?.iter().zip(rows(masks)?) {
        let above = |values: &[f32], least: f32| -> Vec<bool> {
            values.iter().map(|value| *value > least).collect()
        };
        found.push(metric::dice(&above(logits, 0.0), &above(&mask, 0.5))?);
    }
    Ok(found)
}

/// `lung_dice`, the mean over held-out patients' radiographs that have a mask.
///
/// # Errors
/// Where an image or a mask does not load, or none is held out.
pub fn segmenter(
    segmenter: &Segmenter,
    dataset: &Dataset,
    device: &Device,
) -> Result<Figures, EvaluateError> {
    let size = segmenter.config().sample_size;
    let samples: Vec<&Sample> = dataset
        .samples(Split::Validation)
        .into_iter()
        .filter(|sample| sample.mask_sha256.is_some())
        .collect();
    if samples.is_empty() {
        let cause = "the data set has no lung masks to validate with".to_owned();
        return Err(DataError::Sources { cause }.into());
    }
    let images = Images::of(dataset, &samples, size)?;
    let masks = Masks::of(dataset, &samples, size)?;
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut found = Vec::new();
    for indices in indices.chunks(BATCH) {
        let logits = segmenter.forward(&images.tensor(indices, device)?)?;
        found.extend(overlap(&logits, &masks.tensor(indices, device)?)?);
    }
    Ok([("lung_dice".to_owned(), found.iter().sum::<f64>() / found.len() as f64)].into())
}
