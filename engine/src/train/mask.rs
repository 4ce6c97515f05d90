//! Where the loss counts: masks of a data set at the size of its latents.

use std::path::Path;

use candle_core::{Device, Tensor};
use image::ImageFormat;

use super::error::TrainError;
use crate::data::{DataError, Dataset, Sample, Split, square};
use crate::dicom::Frame;

/// The mask of a sample – a lung's, or any – as the square training image shows it: `size × size` values
/// between 0 (outside) and 1; none where the data set has none, `masks/<id>.png` in its folder.
fn mask_square(folder: &Path, sample: &Sample, size: u32) -> Result<Option<Vec<f32>>, DataError> {
    let file = format!("masks/{}.png", sample.id);
    let bytes = match std::fs::read(folder.join(&file)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataError::io("a mask")(error)),
    };
    let damaged = |cause: String| DataError::Damaged { file: file.clone(), cause };
    let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png)
        .map_err(|error| damaged(error.to_string()))?
        .into_luma8();
    if image.dimensions() != (sample.width, sample.height) {
        return Err(damaged("has another size than its frame".to_owned()));
    }
    let pixels = image.into_raw().iter().map(|value| f32::from(*value) / 255.0).collect();
    let frame = Frame { width: sample.width, height: sample.height, pixels };
    Ok(Some(square(&frame, size)))
}

/// The weights of the places of a split's latents, `[images, 1, side, side]`: 1 in a sample's mask and `outside`
/// beyond it; 1 everywhere for a sample without one.
///
/// # Errors
/// Where no sample has a mask, or one does not load.
pub(super) fn weights(
    folder: &Path,
    dataset: &Dataset,
    split: Split,
    (size, side): (usize, usize),
    outside: f64,
    device: &Device,
) -> Result<Tensor, TrainError> {
    let samples = dataset.samples(split);
    let (mut values, mut found) = (Vec::with_capacity(samples.len() * side * side), false);
    for sample in &samples {
        let Some(mask) = mask_square(folder, sample, size as u32)? else {
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
