//! A model as a folder in the diffusers layout, with its card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    ModelCard, ModelError, TextConfig, TextEncoder, Tokenizer, Unet, UnetConfig, Vae, VaeConfig,
};
use crate::files;
use crate::kernel::map_weights;
use crate::nn::Weights;
use crate::noise::ScheduleConfig;

/// A network of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The autoencoder.
    Vae,
    /// The denoising network.
    Unet,
    /// The text encoder.
    TextEncoder,
}

impl Part {
    /// Folder of the part.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Vae => "vae",
            Self::Unet => "unet",
            Self::TextEncoder => "text_encoder",
        }
    }

    /// File name of the weights, as diffusers and transformers call it.
    pub fn weights_file(self) -> &'static str {
        match self {
            Self::Vae | Self::Unet => "diffusion_pytorch_model.safetensors",
            Self::TextEncoder => "model.safetensors",
        }
    }
}

/// A model folder that was opened: its card and configurations are read, its weights are not.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    card: ModelCard,
}

impl Bundle {
    /// Opens `folder`. The card is required; the hash of the weights is computed.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::file(folder, "is not a model folder"));
        }
        let mut card: ModelCard = read_json(&folder.join("card.json"))?;
        let bundle = Self { folder: folder.to_owned(), card: card.clone() };
        card.weights_sha256 = bundle.hash()?;
        Ok(Self { card, ..bundle })
    }

    /// SHA-256 over the hashes of the weight files, in the order vae, unet, text encoder.
    fn hash(&self) -> Result<String, ModelError> {
        let mut hash = Sha256::new();
        for part in [Part::Vae, Part::Unet, Part::TextEncoder] {
            let path = self.weights_path(part);
            if path.exists() {
                hash.update(sha256_file(&path)?.as_bytes());
            }
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The weights of a part.
    pub fn weights_path(&self, part: Part) -> PathBuf {
        self.folder.join(part.folder()).join(part.weights_file())
    }

    fn config<T: DeserializeOwned>(&self, part: Part) -> Result<T, ModelError> {
        read_json(&self.folder.join(part.folder()).join("config.json"))
    }

    /// Maps the weights of a part.
    pub fn weights(
        &self,
        part: Part,
        trainable: bool,
        device: &Device,
    ) -> Result<Weights, ModelError> {
        let path = self.weights_path(part);
        let file = map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
        Ok(Weights::from_file(file, trainable, DType::F32, device))
    }

    /// The autoencoder's configuration.
    pub fn vae_config(&self) -> Result<VaeConfig, ModelError> {
        let config: VaeConfig = self.config(Part::Vae)?;
        config.validate()?;
        Ok(config)
    }

    /// Loads the autoencoder.
    pub fn vae(&self, device: &Device) -> Result<Vae, ModelError> {
        let weights = self.weights(Part::Vae, false, device)?;
        let network = Vae::new(self.vae_config()?, &weights)?;
        weights.finish()?;
        Ok(network)
    }

    /// Loads the UNet, and hands out its weights for whoever attaches adapters or trains.
    pub fn unet(&self, trainable: bool, device: &Device) -> Result<(Unet, Weights), ModelError> {
        let config: UnetConfig = self.config(Part::Unet)?;
        config.validate()?;
        let weights = self.weights(Part::Unet, trainable, device)?;
        let network = Unet::new(config, &weights)?;
        weights.finish()?;
        Ok((network, weights))
    }

    /// Loads the text encoder, with its weights.
    pub fn text_encoder(
        &self,
        trainable: bool,
        device: &Device,
    ) -> Result<(TextEncoder, Weights), ModelError> {
        let config: TextConfig = self.config(Part::TextEncoder)?;
        config.validate()?;
        let weights = self.weights(Part::TextEncoder, trainable, device)?;
        let network = TextEncoder::new(config, &weights)?;
        weights.finish()?;
        Ok((network, weights))
    }

    /// Loads the tokenizer.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        Tokenizer::open(&self.folder.join("tokenizer"))
    }

    /// The noise schedule.
    pub fn schedule(&self) -> Result<ScheduleConfig, ModelError> {
        let path = self.folder.join("scheduler").join("scheduler_config.json");
        let config: ScheduleConfig = read_json(&path)?;
        config.validate().map_err(|cause| ModelError::file(path, cause))?;
        Ok(config)
    }

    /// Writes a part's configuration and weights; the weights in half precision.
    pub fn write_part(
        folder: &Path,
        part: Part,
        config: &impl Serialize,
        weights: &BTreeMap<String, Tensor>,
    ) -> Result<(), ModelError> {
        let folder = folder.join(part.folder());
        std::fs::create_dir_all(&folder).map_err(|cause| ModelError::file(&folder, cause))?;
        write_json(&folder.join("config.json"), config)?;
        save_weights(&folder.join(part.weights_file()), weights, DType::F16)
    }

    /// Writes what is not a network: index, scheduler and card.
    pub fn write_index(
        folder: &Path,
        schedule: &ScheduleConfig,
        card: &ModelCard,
    ) -> Result<(), ModelError> {
        let scheduler = folder.join("scheduler");
        std::fs::create_dir_all(&scheduler).map_err(|cause| ModelError::file(&scheduler, cause))?;
        write_json(&scheduler.join("scheduler_config.json"), schedule)?;
        write_json(&folder.join("card.json"), card)?;
        let index = serde_json::json!({
            "_class_name": "StableDiffusionPipeline",
            "vae": ["diffusers", "AutoencoderKL"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "scheduler": ["diffusers", "DDIMScheduler"],
            "safety_checker": [null, null],
            "feature_extractor": [null, null],
        });
        write_json(&folder.join("model_index.json"), &index)
    }
}

/// Reads a JSON file; the error names the file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let text = std::fs::read(path).map_err(|cause| ModelError::file(path, cause))?;
    serde_json::from_slice(&text).map_err(|cause| ModelError::file(path, cause))
}

/// Writes a value as readable JSON, atomically.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|cause| ModelError::file(path, cause))?;
    files::replace(path, format!("{text}\n").as_bytes())
        .map_err(|cause| ModelError::file(path, cause))
}

/// Writes `weights` as safetensors in `dtype`, atomically.
pub fn save_weights(
    path: &Path,
    weights: &BTreeMap<String, Tensor>,
    dtype: DType,
) -> Result<(), ModelError> {
    let converted = weights
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(dtype)?.contiguous()?)))
        .collect::<candle_core::Result<Vec<_>>>()?;
    let bytes =
        safetensors::serialize(converted, None).map_err(|cause| ModelError::file(path, cause))?;
    files::replace(path, &bytes).map_err(|cause| ModelError::file(path, cause))
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String, ModelError> {
    let fault = |cause| ModelError::file(path, cause);
    let mut file = std::fs::File::open(path).map_err(fault)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(fault)?;
    Ok(hex::encode(hash.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The variables' values, detached, by name.
pub fn values(variables: &BTreeMap<String, Var>) -> BTreeMap<String, Tensor> {
    variables.iter().map(|(name, variable)| (name.clone(), variable.as_detached_tensor())).collect()
}
