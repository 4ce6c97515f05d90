//! Latents of a data set, encoded once.

use candle_core::{DType, Device, Tensor};

use super::{DataError, Dataset, Images, Split};
use crate::device::CancelToken;
use crate::model::Vae;

/// Images that are encoded at once.
const BATCH: usize = 16;

/// The scaled latents of a split.
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
