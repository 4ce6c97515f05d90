//! Latents of a data set, encoded once.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::latent_cache::LatentCache;
use super::planes::by_key;
use super::{DataError, Dataset, Framing, Images, Planes, Sample, Split};
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::model::Vae;

/// Images that are encoded at once.
const BATCH: usize = 16;

/// A frozen autoencoder, and how images come to it.
#[derive(Clone, Copy)]
pub struct Encoding<'a> {
    /// The autoencoder.
    pub vae: &'a Vae,
    /// In which sizes.
    pub framing: &'a Framing,
    /// A folder for what was encoded, and the autoencoder's hash: files are named after both and the images, one
    /// for each size, and what was encoded before is read.
    pub cache: Option<(&'a Path, &'a str)>,
    /// Where it is computed.
    pub device: &'a Device,
    /// Asked between batches.
    pub cancel: &'a CancelToken,
}

impl Encoding<'_> {
    /// The scaled latents of a split's images, the first `limit` at most, of unit variance about.
    ///
    /// # Errors
    /// Where the split has none, an image does not load, the cache cannot be written, or the work was cancelled.
    pub fn latents(
        &self,
        dataset: &Dataset,
        split: Split,
        limit: usize,
    ) -> Result<Planes, DataError> {
        let samples = dataset.some(split, limit)?;
        let mut groups = Vec::new();
        for (size, images) in by_key(samples.iter().map(|sample| self.framing.size(sample))) {
            let samples: Vec<&Sample> = images.iter().map(|image| samples[*image]).collect();
            let cache = self.cache.map(|(folder, vae_sha256)| {
                LatentCache::new(folder, &samples, size, (vae_sha256, self.vae.config()))
            });
            let known = cache.as_ref().and_then(|cache| cache.load(samples.len(), self.device));
            let values = if let Some(values) = known {
                values
            } else {
                let values = self.encoded(dataset, &samples)?;
                cache.as_ref().map_or(Ok(()), |cache| cache.save(&values))?;
                values
            };
            groups.push((images, values));
        }
        Ok(Planes::new(groups))
    }

    /// The latents of samples of one size.
    fn encoded(&self, dataset: &Dataset, samples: &[&Sample]) -> Result<Tensor, DataError> {
        let images = Images::framed(dataset, samples, self.framing)?;
        let mut parts = Vec::new();
        for indices in images.batches(BATCH) {
            if self.cancel.is_cancelled() {
                return Err(DataError::Cancelled);
            }
            parts.push(scaled(self.vae, &images.tensor(&indices, self.device)?)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// The latents of `frames`, one at least, in the autoencoder's own square.
///
/// # Errors
/// Where the autoencoder fails.
pub fn latents_of(frames: &[Frame], vae: &Vae, device: &Device) -> candle_core::Result<Planes> {
    let side = vae.config().sample_size;
    let mut parts = Vec::new();
    for frames in frames.chunks(BATCH) {
        let pixels: Vec<f32> = frames
            .iter()
            .flat_map(|frame| frame.resized(side as u32, side as u32).pixels)
            .map(|value| value * 2.0 - 1.0)
            .collect();
        let grey = Tensor::from_vec(pixels, (frames.len(), 1, side, side), device)?;
        parts.push(scaled(vae, &grey)?);
    }
    Ok(Planes::of_one_size(Tensor::cat(&parts, 0)?))
}

/// The mean of the latent, as diffusion sees it, of grey images `[images, 1, h, w]`; an autoencoder of colours
/// takes them in every channel.
fn scaled(vae: &Vae, grey: &Tensor) -> candle_core::Result<Tensor> {
    let (mean, _) = vae.encode(&Tensor::cat(&vec![grey; vae.config().in_channels], 1)?)?;
    vae.scaled(&mean)?.to_dtype(DType::F32)
}
