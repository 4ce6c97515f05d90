//! Where the loss counts: masks of a data set at the size of its latents.

use candle_core::{DType, Device, Tensor};

use super::error::TrainError;
use crate::data::{Dataset, Framing, Planes, Sample, Size, Split};

/// The weights of the places of a split's latents, whose sides are a `compression`th of an image's, `[images, 1, h,
/// w]`: 1 in a sample's mask and `outside` beyond it; 1 everywhere for a sample without one.
///
/// # Errors
/// Where no sample has a mask, or one does not load.
pub(super) fn weights(
    dataset: &Dataset,
    split: Split,
    (framing, compression): (&Framing, usize),
    outside: f64,
    device: &Device,
) -> Result<Planes, TrainError> {
    let samples = dataset.samples(split);
    if samples.iter().all(|sample| sample.mask_sha256.is_none()) {
        return Err(TrainError::Config {
            field: "objective.outside_mask",
            cause: "must be 1: the data set has no masks".into(),
        });
    }
    let of = |sample: &Sample| -> Result<Tensor, TrainError> {
        let Size { width, height } = framing.size(sample);
        let Some(mask) = dataset.mask_framed(sample, framing)? else {
            let shape = (1, 1, height / compression, width / compression);
            return Ok(Tensor::ones(shape, DType::F32, device)?);
        };
        // A place of the latent stands for a square of pixels.
        let mask = Tensor::from_vec(mask.pixels, (1, 1, height, width), &Device::Cpu)?;
        let places = mask.avg_pool2d(compression)?.affine(1.0 - outside, outside)?;
        Ok(places.to_device(device)?)
    };
    let weights = samples.iter().map(|sample| of(sample)).collect::<Result<Vec<_>, _>>()?;
    Ok(Planes::of_images(&weights)?)
}
