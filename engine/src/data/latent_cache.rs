//! Latents on disk, so that a run that goes on does not encode its images again.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

use super::{DataError, Sample, Size};
use crate::files;
use crate::kernel::map_weights;
use crate::model::VaeConfig;

/// The name of the tensor in a file.
const NAME: &str = "latents";

/// Where the latents of a split's images of one size lie: under a name of what they are made of.
pub(super) struct LatentCache {
    file: PathBuf,
}

impl LatentCache {
    /// In `folder`, for samples of one size under the autoencoder of this hash.
    pub(super) fn new(
        folder: &Path,
        samples: &[&Sample],
        size: Size,
        (vae_sha256, config): (&str, &VaeConfig),
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(crate::VERSION);
        hash.update(vae_sha256);
        for side in [size.width, size.height] {
            hash.update((side as u64).to_le_bytes());
        }
        let spread = config.latents_mean.iter().chain(&config.latents_std).flatten();
        for value in std::iter::once(&config.scaling_factor).chain(spread) {
            hash.update(value.to_le_bytes());
        }
        for sample in samples {
            hash.update(&sample.id);
            hash.update(&sample.sha256);
        }
        let name = hex::encode(hash.finalize());
        Self { file: folder.join(format!("latents-{}.safetensors", &name[..32])) }
    }

    /// The latents, where they are there and whole.
    pub(super) fn load(&self, images: usize, device: &Device) -> Option<Tensor> {
        let values = map_weights(&self.file).ok()?.load(NAME, device).ok()?;
        (values.dims().first() == Some(&images) && values.dtype() == DType::F32).then_some(values)
    }

    /// Keeps the latents.
    pub(super) fn save(&self, values: &Tensor) -> Result<(), DataError> {
        let fault = DataError::io("the cache of latents");
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let bytes = safetensors::serialize([(NAME, values)], None).map_err(std::io::Error::other);
        std::fs::create_dir_all(folder)
            .and_then(|()| files::replace(&self.file, &bytes?))
            .map_err(fault)
    }
}
