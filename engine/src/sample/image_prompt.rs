//! Images as prompts: read once for a request, seen by the network at every step.

use std::path::Path;

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::error::SampleError;
use crate::adapter::{AdapterError, IpAdapter};
use crate::dicom::Frame;
use crate::model::{ImageProcessor, Unet, VisionEncoder};
use crate::nn::ImageContext;

/// An image that shows what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagePrompt {
    /// The image, of any size.
    pub image: Frame,
    /// How strongly it acts beside the words, 0 (not at all) to 4; 1 as trained.
    pub scale: f64,
}

/// What reads images for a network: an image encoder, and the IP-Adapter between the two.
pub(super) struct ImageReader {
    encoder: VisionEncoder,
    processor: ImageProcessor,
    adapter: IpAdapter,
    sha256: String,
}

impl ImageReader {
    /// The encoder in `encoder_folder` and the adapter in `file`, for `unet`.
    pub(super) fn load(
        encoder_folder: &Path,
        file: &Path,
        unet: &Unet,
        device: &Device,
    ) -> Result<Self, AdapterError> {
        let encoder = VisionEncoder::open(encoder_folder, device)?;
        let processor = ImageProcessor::open(encoder_folder, encoder.config().image_size)?;
        let adapter = IpAdapter::open(file, unet.cross_attentions(), encoder.config(), device)?;
        let mut hash = Sha256::new();
        hash.update(adapter.sha256());
        hash.update(VisionEncoder::sha256(encoder_folder)?);
        Ok(Self { encoder, processor, adapter, sha256: hex::encode(hash.finalize()) })
    }

    /// SHA-256 over the hashes of the adapter's and the encoder's weights, in hexadecimal.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the network sees of `prompts`, of one sample, or of two where `twice`: nothing first, for
    /// guidance to lead away from.
    pub(super) fn read(
        &self,
        prompts: &[ImagePrompt],
        twice: bool,
    ) -> Result<Vec<Vec<ImageContext>>, SampleError> {
        let nothing = twice.then(|| self.adapter.no_tokens(&self.encoder)).transpose()?;
        let mut read = Vec::with_capacity(prompts.len());
        for ImagePrompt { image, scale } in prompts {
            let pixels = self
                .processor
                .pixels(image, self.encoder.device())
                .map_err(|cause| SampleError::invalid("image_prompt", cause))?;
            let tokens = self.adapter.tokens(&self.encoder.encode(&pixels)?)?;
            let tokens = match &nothing {
                Some(nothing) => Tensor::cat(&[nothing, &tokens], 0)?,
                None => tokens,
            };
            read.push((tokens, *scale));
        }
        Ok(self.adapter.images(&read)?)
    }
}
