//! The condition images of a data set, made once: what a ControlNet sees of each radiograph.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::error::TrainError;
use crate::control::ControlKind;
use crate::data::{DataError, Dataset, Framing, Sample, Size, Split};
use crate::dicom::Frame;

/// Condition images of a split, a bit a pixel: lines and areas are white or black. An image without a
/// condition of its kind is black.
pub(super) struct Conditions {
    /// Of every image its size, and its bits.
    images: Vec<(Size, Option<Vec<u8>>)>,
}

impl Conditions {
    /// Makes the condition images of a split in the sizes of its training images, the first `limit` at most.
    ///
    /// # Errors
    /// Where an image does not load, or none of the split has a condition of this kind.
    pub(super) fn load(
        dataset: &Dataset,
        split: Split,
        kind: ControlKind,
        framing: &Framing,
        limit: usize,
    ) -> Result<Self, TrainError> {
        let mut samples = dataset.samples(split);
        samples.truncate(limit);
        let images = samples
            .par_iter()
            .map(|sample| {
                let condition = condition(dataset, sample, kind, framing)?;
                Ok((framing.size(sample), condition.map(|image| packed(&image))))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        // A split without images is told of by whoever loads them.
        if !images.is_empty() && images.iter().all(|(_, bits)| bits.is_none()) {
            return Err(TrainError::Config {
                field: "controlnet.kind",
                cause: format!("the data set has no {} for its images", kind.word()),
            });
        }
        Ok(Self { images })
    }

    /// How many images of the split have a condition.
    pub(super) fn count(&self) -> usize {
        self.images.iter().filter(|(_, bits)| bits.is_some()).count()
    }

    /// The condition images, those of the split that have one, in its order.
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> {
        self.images.iter().filter_map(|(size, bits)| {
            let (bits, Size { width, height }) = (bits.as_ref()?, *size);
            let pixels = (0..width * height).map(|pixel| value(bits, pixel)).collect();
            Some(Frame { width: width as u32, height: height as u32, pixels })
        })
    }

    /// `[indices, channels, height, width]` of 0 and 1, of images of one size, the same in every channel; black
    /// where `seen` says no.
    pub(super) fn tensor(
        &self,
        indices: &[usize],
        seen: impl Fn(usize) -> bool,
        channels: usize,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let Size { width, height } = self.images[indices[0]].0;
        let pixels = width * height;
        let mut values = vec![0f32; indices.len() * channels * pixels];
        for (place, (index, all)) in
            indices.iter().zip(values.chunks_exact_mut(channels * pixels)).enumerate()
        {
            let Some(bits) = self.images[*index].1.as_ref().filter(|_| seen(place)) else {
                continue;
            };
            for channel in all.chunks_exact_mut(pixels) {
                for (pixel, value) in channel.iter_mut().enumerate() {
                    *value = self::value(bits, pixel);
                }
            }
        }
        Tensor::from_vec(values, (indices.len(), channels, height, width), device)
    }
}

/// The condition image of a sample, over its training image.
fn condition(
    dataset: &Dataset,
    sample: &Sample,
    kind: ControlKind,
    framing: &Framing,
) -> Result<Option<Frame>, DataError> {
    let mask = match kind {
        ControlKind::Mask => dataset.mask_framed(sample, framing)?,
        ControlKind::Edges | ControlKind::Sketch | ControlKind::Ready => None,
    };
    Ok(kind.taught(&dataset.framed(sample, framing)?, mask.as_ref()))
}

/// 0 or 1 at a pixel of [`packed`] bits.
fn value(bits: &[u8], pixel: usize) -> f32 {
    f32::from(bits[pixel / 8] >> (pixel % 8) & 1)
}

fn packed(image: &Frame) -> Vec<u8> {
    let mut bits = vec![0u8; image.pixels.len().div_ceil(8)];
    for (pixel, value) in image.pixels.iter().enumerate() {
        bits[pixel / 8] |= u8::from(*value >= 0.5) << (pixel % 8);
    }
    bits
}
