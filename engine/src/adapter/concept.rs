//! A concept: feature tokens of its images, which a frozen model sees through cross-attention of its own beside
//! the text's, behind a gate (Li et al., GLIGEN, arXiv 2301.07093; Alayrac et al., Flamingo, arXiv 2204.14198).
//!
//! On disk a folder: `concept_config.json`, `concept.safetensors` (`encoder.*`, `mean`, `readers.{n}.*`) and
//! `card.json`, without which it does not load. n counts the UNet's cross-attentions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor};

use super::card::AdapterCard;
use super::error::AdapterError;
use super::read::{CARD, stem};
use super::reader::Reader;
use crate::dicom::Frame;
use crate::kernel::map_weights;
use crate::model::{
    CrossAttention, FeatureConfig, FeatureEncoder, ModelError, read_json, save_weights,
    sha256_file, write_json,
};
use crate::nn::{ImageContext, Init, Weights};

const CONFIG: &str = "concept_config.json";
const WEIGHTS: &str = "concept.safetensors";
/// What a concept's card calls its method.
pub const CONCEPT: &str = "concept";

/// What makes keys and values of a concept's tokens for every cross-attention of a UNet, each behind a gate that
/// starts closed.
pub struct GatedReaders {
    readers: Vec<(Reader, Tensor)>,
}

impl GatedReaders {
    /// For a UNet with these [`cross_attentions`](crate::model::Unet::cross_attentions) and tokens `width` wide.
    /// Fresh readers show nothing.
    pub fn new(
        cross_attentions: &[CrossAttention],
        width: usize,
        weights: &Weights,
    ) -> Result<Self> {
        let reader = |(index, attention): (usize, &CrossAttention)| {
            let weights = weights.pp(index);
            let reader = Reader::new(width, attention.inner, ["to_k", "to_v"], &weights)?;
            Ok((reader, weights.get("gate", 1, Init::Zeros)?))
        };
        let readers = cross_attentions.iter().enumerate().map(reader).collect::<Result<_>>()?;
        Ok(Self { readers })
    }

    /// What every cross-attention sees of `tokens` `[batch, tokens, width]`, `scale` times.
    pub fn contexts(&self, tokens: &Tensor, scale: f64) -> Result<Vec<ImageContext>> {
        let read = |(reader, gate): &(Reader, Tensor)| {
            let (keys, values) = reader.read(tokens)?;
            // What attention gives is linear in the values: a gate on them is a gate on it.
            Ok(ImageContext { keys, values: values.broadcast_mul(&gate.tanh()?)?, scale })
        };
        self.readers.iter().map(read).collect()
    }
}

/// A concept from disk, for one model.
pub struct Concept {
    encoder: FeatureEncoder,
    /// `[1, tokens, width]`
    mean: Tensor,
    readers: GatedReaders,
    card: AdapterCard,
    name: String,
    sha256: String,
    device: Device,
}

impl Concept {
    /// Whether a concept lies in a folder.
    pub fn lies_in(folder: &Path) -> bool {
        folder.join(CONFIG).is_file()
    }

    /// The file of its weights.
    pub(super) fn weights_file(folder: &Path) -> PathBuf {
        folder.join(WEIGHTS)
    }

    /// Card, and sizes of the tokens, without a model.
    pub(super) fn describe(
        folder: &Path,
    ) -> std::result::Result<(AdapterCard, FeatureConfig), AdapterError> {
        Ok((read_json(&folder.join(CARD))?, read_json(&folder.join(CONFIG))?))
    }

    /// Opens a concept for a UNet with these [`cross_attentions`](crate::model::Unet::cross_attentions), of a
    /// model whose weights have the hash `base_sha256`.
    ///
    /// # Errors
    /// [`AdapterError::WrongBase`] where it was trained on another model; where a file is missing or damaged, or
    /// a weight is missing or one too many.
    pub fn open(
        folder: &Path,
        cross_attentions: &[CrossAttention],
        base_sha256: &str,
        device: &Device,
    ) -> std::result::Result<Self, AdapterError> {
        let (card, config) = Self::describe(folder)?;
        config.validate()?;
        if card.base_sha256 != base_sha256 {
            let model = &card.base_model;
            let cause = format!("was trained on {model} with other weights than this model's");
            return Err(AdapterError::WrongBase { path: folder.to_owned(), cause });
        }
        let path = Self::weights_file(folder);
        let file = map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
        let weights = Weights::from_file(file, false, DType::F32, device);
        let (tokens, width) = (config.tokens, config.width);
        let concept = Self {
            encoder: FeatureEncoder::new(config, &weights.pp("encoder"))?,
            mean: weights.get("mean", (1, tokens, width), Init::Zeros)?,
            readers: GatedReaders::new(cross_attentions, width, &weights.pp("readers"))?,
            name: if card.name.is_empty() { stem(folder) } else { card.name.clone() },
            card,
            sha256: sha256_file(&path)?,
            device: device.clone(),
        };
        weights.finish().map_err(|cause| ModelError::file(&path, cause))?;
        Ok(concept)
    }

    /// Writes a concept to `folder`: `weights` of the readers by their names from `readers.` on, those of the
    /// encoder from `encoder.` on, and the tokens `mean` `[1, tokens, width]` of a whole data set.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(
        folder: &Path,
        config: &FeatureConfig,
        weights: &BTreeMap<String, Tensor>,
        card: &AdapterCard,
    ) -> std::result::Result<(), AdapterError> {
        std::fs::create_dir_all(folder).map_err(|cause| ModelError::file(folder, cause))?;
        save_weights(&folder.join(WEIGHTS), weights, DType::F16)?;
        write_json(&folder.join(CONFIG), config)?;
        // The card comes last: a folder that was left half-written has none.
        Self::write_card(folder, card)
    }

    /// Writes the card anew.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_card(folder: &Path, card: &AdapterCard) -> std::result::Result<(), AdapterError> {
        Ok(write_json(&folder.join(CARD), card)?)
    }

    /// The concept's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The card.
    pub fn card(&self) -> &AdapterCard {
        &self.card
    }

    /// SHA-256 of the weights, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Tokens `[1, tokens, width]` of the concept: the mean over its images, or those of the middle square of
    /// `reference`.
    ///
    /// # Errors
    /// Where the reference is empty.
    pub fn tokens(&self, reference: Option<&Frame>) -> std::result::Result<Tensor, AdapterError> {
        let Some(frame) = reference else { return Ok(self.mean.clone()) };
        let side = frame.width.min(frame.height);
        let cropped =
            frame.cropped((frame.width - side) / 2, (frame.height - side) / 2, side, side);
        let Some(square) = cropped.filter(|_| side > 0) else {
            return Err(AdapterError::Config { field: "concept_image", cause: "is empty".into() });
        };
        let size = self.encoder.config().image_size;
        let grey = square.resized(size as u32, size as u32).pixels;
        let grey = Tensor::from_vec(grey, (1, 1, size, size), &self.device)?;
        Ok(self.encoder.forward(&grey.affine(2.0, -1.0)?)?)
    }

    /// What every cross-attention sees of `tokens` `[1, tokens, width]`, `scale` times.
    pub fn contexts(&self, tokens: &Tensor, scale: f64) -> Result<Vec<ImageContext>> {
        self.readers.contexts(tokens, scale)
    }
}
