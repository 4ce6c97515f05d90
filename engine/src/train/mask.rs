//! Where the loss counts: masks of a data set at the size of its latents.

use candle_core::{Device, Tensor};

use super::error::TrainError;
use crate::data::{Dataset, Split};

/// The weights of the places of a split's latents, `[images, 1, side, side]`: 1 in a sample's mask and `outside`
/// beyond it; 1 everywhere for a sample without one.
///
/// # Errors
/// Where no sample has a mask, or one does not load.
pub(super) fn weights(
    dataset: &Dataset,
    split: Split,
    (size, side): (usize, usize),
    outside: f64,
    device: &Device,
) -> Result<Tensor, TrainError> {
    let samples = dataset.samples(split);
    let (mut values, mut found) = (Vec::with_capacity(samples.len() * side * side), false);
    for sample in &samples {
        let Some(mask) = dataset.mask_square(sample, size as u32)? else {
            values.resize(values.len() + side * side, 1f32);
            continue;
        };
        found = true;
        // A place of the latent stands for a square of pixels.
        let mask = Tensor::from_vec(mask, (1, 1, size, size), &Device::Cpu)?;
        let places = mask.avg_pool2d(size / side)?.affine(1.0 - outside, outside)?;
        values.extend(places.flatten_all()?.to_vec1::<f32>()?);
    }
    if !found {
        return Err(TrainError::Config {
            field: "objective.outside_mask",
            cause: "must be 1: the data set has no masks".into(),
        });
    }
    Ok(Tensor::from_vec(values, (samples.len(), 1, side, side), device)?)
}
