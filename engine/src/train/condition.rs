//! The condition images of a data set, made once: what a ControlNet sees of each radiograph.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::error::TrainError;
use crate::control::ControlKind;
use crate::data::{DataError, Dataset, Sample, Split};
use crate::dicom::Frame;

/// Condition images of a split, a bit a pixel: lines and areas are white or black. An image without a
/// condition of its kind is black.
pub(super) struct Conditions {
    size: usize,
    images: Vec<Option<Vec<u8>>>,
}

impl Conditions {
    /// Makes the condition images of a split in the size of its training images, the first `limit` at most.
    ///
    /// # Errors
    /// Where an image does not load, or none of the split has a condition of this kind.
    pub(super) fn load(
        dataset: &Dataset,
        split: Split,
        kind: ControlKind,
        size: usize,
        limit: usize,
    ) -> Result<Self, TrainError> {
        let mut samples = dataset.samples(split);
        samples.truncate(limit);
        let images = samples
            .par_iter()
            .map(|sample| Ok(condition(dataset, sample, kind, size)?.map(|image| packed(&image))))
            .collect::<Result<Vec<_>, DataError>>()?;
        // A split without images is told of by whoever loads them.
        if !images.is_empty() && images.iter().all(Option::is_none) {
            return Err(TrainError::Config {
                field: "controlnet.kind",
                cause: format!("the data set has no {} for its images", kind.word()),
            });
        }
        Ok(Self { size, images })
    }

    /// How many images of the split have a condition.
    pub(super) fn count(&self) -> usize {
        self.images.iter().flatten().count()
    }

    /// `[indices, channels, size, size]` of 0 and 1, the same in every channel; black where `seen` says no.
    pub(super) fn tensor(
        &self,
        indices: &[usize],
        seen: impl Fn(usize) -> bool,
        channels: usize,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let pixels = self.size * self.size;
        let mut values = vec![0f32; indices.len() * channels * pixels];
        for (place, (index, all)) in
            indices.iter().zip(values.chunks_exact_mut(channels * pixels)).enumerate()
        {
            let Some(bits) = self.images[*index].as_ref().filter(|_| seen(place)) else {
                continue;
            };
            for channel in all.chunks_exact_mut(pixels) {
                for (pixel, value) in channel.iter_mut().enumerate() {
                    *value = f32::from(bits[pixel / 8] >> (pixel % 8) & 1);
                }
            }
        }
        Tensor::from_vec(values, (indices.len(), channels, self.size, self.size), device)
    }
}

/// The condition image of a sample, in the square of its training image.
fn condition(
    dataset: &Dataset,
    sample: &Sample,
    kind: ControlKind,
    size: usize,
) -> Result<Option<Frame>, DataError> {
    let side = size as u32;
    let square = |pixels| Frame { width: side, height: side, pixels };
    let mask = match kind {
        ControlKind::Mask => dataset.mask_square(sample, side)?.map(square),
        ControlKind::Edges | ControlKind::Sketch | ControlKind::Ready => None,
    };
    Ok(kind.taught(&square(dataset.square(sample, side)?), mask.as_ref()))
}

fn packed(image: &Frame) -> Vec<u8> {
    let mut bits = vec![0u8; image.pixels.len().div_ceil(8)];
    for (pixel, value) in image.pixels.iter().enumerate() {
        bits[pixel / 8] |= u8::from(*value >= 0.5) << (pixel % 8);
    }
    bits
}
