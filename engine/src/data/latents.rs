//! Latents of a data set, encoded once.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::latent_cache::LatentCache;
use super::{DataError, Dataset, Images, Split};
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::model::Vae;

/// Images that are encoded at once.
const BATCH: usize = 16;

/// The scaled latents of a split.
#[derive(Clone)]
pub struct Latents {
    /// `[images, channels, h, w]`, of unit variance about.
    values: Tensor,
}

impl Latents {
    /// Encodes the images of a split, the first `limit` at most, at the autoencoder's own size.
    ///
    /// # Errors
    /// Where an image does not load, or the work was cancelled.
    pub fn encode(
        dataset: &Dataset,
        split: Split,
        vae: &Vae,
        limit: usize,
        device: &Device,
        cancel: &CancelToken,
    ) -> Result<Self, DataError> {
        let images = Images::load(dataset, split, vae.config().sample_size, limit)?;
        let indices: Vec<usize> = (0..images.len()).collect();
        let mut parts = Vec::new();
        for indices in indices.chunks(BATCH) {
            if cancel.is_cancelled() {
                return Err(DataError::Cancelled);
            }
            let (mean, _) = vae.encode(&images.tensor(indices, device)?)?;
            parts.push((mean * vae.config().scaling_factor)?.to_dtype(DType::F32)?);
        }
        Ok(Self { values: Tensor::cat(&parts, 0)? })
    }

    /// Encodes `frames`, one at least, at the autoencoder's own size.
    ///
    /// # Errors
    /// Where the autoencoder fails.
    pub fn of_frames(frames: &[Frame], vae: &Vae, device: &Device) -> candle_core::Result<Self> {
        let (side, channels) = (vae.config().sample_size, vae.config().in_channels);
        let mut parts = Vec::new();
        for frames in frames.chunks(BATCH) {
            let pixels: Vec<f32> = frames
                .iter()
                .flat_map(|frame| frame.resized(side as u32, side as u32).pixels)
                .map(|value| value * 2.0 - 1.0)
                .collect();
            let grey = Tensor::from_vec(pixels, (frames.len(), 1, side, side), device)?;
            let (mean, _) = vae.encode(&Tensor::cat(&vec![grey; channels], 1)?)?;
            parts.push((mean * vae.config().scaling_factor)?.to_dtype(DType::F32)?);
        }
        Ok(Self { values: Tensor::cat(&parts, 0)? })
    }

    /// As [`Self::encode`], by way of a cache in `folder`, whose files are named after the images and the
    /// autoencoder's hash: what was encoded before is read.
    ///
    /// # Errors
    /// As [`Self::encode`], and where the cache cannot be written.
    pub fn cached(
        dataset: &Dataset,
        split: Split,
        (vae, vae_sha256): (&Vae, &str),
        limit: usize,
        device: &Device,
        (folder, cancel): (&Path, &CancelToken),
    ) -> Result<Self, DataError> {
        let cache = LatentCache::new(folder, dataset, split, limit, (vae_sha256, vae.config()));
        let images = dataset.samples(split).len().min(limit);
        if let Some(values) = cache.load(images, device) {
            return Ok(Self { values });
        }
        let latents = Self::encode(dataset, split, vae, limit, device, cancel)?;
        cache.save(&latents.values)?;
        Ok(latents)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.dims()[0]
    }

    /// A split that encodes has at least one image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height and width of a latent.
    pub fn size(&self) -> (usize, usize) {
        (self.values.dims()[2], self.values.dims()[3])
    }

    /// `[indices, channels, h, w]`.
    pub fn batch(&self, indices: &[usize]) -> candle_core::Result<Tensor> {
        let indices: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        self.values.index_select(&Tensor::new(indices, self.values.device())?, 0)
    }
}
