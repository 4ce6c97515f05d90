//! A model as a folder in the diffusers layout, with its card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::disk::{read_json, read_text, save_weights, sha256_file, write_json};
use super::part::{Part, check_shards};
use super::{
    ControlNet, ControlNetConfig, ModelCard, ModelError, T2iAdapter, T2iAdapterConfig, TextConfig,
    TextEncoder, Tokenizer, Unet, UnetConfig, Vae, VaeConfig,
};
use crate::kernel::{Fault, map_shards};
use crate::nn::{Cut, Stored, WeightForm, Weights};
use crate::noise::{ScheduleConfig, SchedulerConfig};

#[cfg(test)]
mod tests;

/// A model folder that was opened: its card and configurations are read, its weights are not.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    card: ModelCard,
    weight_form: WeightForm,
}

impl Bundle {
    /// Opens `folder`: a model in diffusers' layout. Without a `card.json`, a card is made up from what
    /// the configurations say, with the licence as unknown. The hash of the weights is computed.
    ///
    /// # Errors
    /// Where it is no folder, holds neither a card nor a UNet, or a card or a configuration is damaged.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let mut bundle = Self::glance(folder)?;
        bundle.card.weights_sha256 = bundle.hash()?;
        Ok(bundle)
    }

    /// Opens `folder` without computing the hash of its weights, which reads all of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn glance(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::file(folder, "is not a model folder"));
        }
        let path = folder.join("card.json");
        let card = if path.exists() { read_json(&path)? } else { ModelCard::made_up(folder)? };
        Ok(Self { folder: folder.to_owned(), card, weight_form: WeightForm::Full })
    }

    /// The bundle, whose UNet and ControlNets will hold their layers' weights in `form` when they are loaded.
    #[must_use]
    pub fn with_weights(self, form: WeightForm) -> Self {
        Self { weight_form: form, ..self }
    }

    /// How the UNet and the ControlNets hold their layers' weights.
    pub fn weight_form(&self) -> WeightForm {
        self.weight_form
    }

    /// Opens what there is in `folder`, perhaps a single part: nothing is asked of it but to be a
    /// folder. Its card is empty where it has none.
    ///
    /// # Errors
    /// Where it is no folder, or has a card that cannot be read.
    pub fn of_parts(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::file(folder, "is not a model folder"));
        }
        let path = folder.join("card.json");
        let card = if path.exists() { read_json(&path)? } else { ModelCard::default() };
        Ok(Self { folder: folder.to_owned(), card, weight_form: WeightForm::Full })
    }

    /// SHA-256 over the hashes of the weight files, in the order vae, unet, text encoders.
    fn hash(&self) -> Result<String, ModelError> {
        let mut hash = Sha256::new();
        for part in Part::BASE {
            if self.has(part) {
                for file in part.weight_files(&self.part_folder(part))? {
                    hash.update(sha256_file(&file)?.as_bytes());
                }
            }
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// SHA-256 of a part's weights, over the hashes of its files, in hexadecimal; of a single file, its own.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn part_hash(&self, part: Part) -> Result<String, ModelError> {
        let files = part.weight_files(&self.part_folder(part))?;
        if let [file] = &files[..] {
            return sha256_file(file);
        }
        let mut hash = Sha256::new();
        for file in files {
            hash.update(sha256_file(&file)?.as_bytes());
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// Whether the bundle has weights or a configuration of a part.
    pub fn has(&self, part: Part) -> bool {
        let folder = self.part_folder(part);
        folder.join("config.json").exists() || part.weight_files(&folder).is_ok()
    }

    /// The folder of a part.
    pub fn part_folder(&self, part: Part) -> PathBuf {
        let folder = self.folder.join(part.folder());
        // A folder of one part alone is that part.
        if !folder.exists() && part.stands_alone_in(&self.folder) {
            self.folder.clone()
        } else {
            folder
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The configuration of a part.
    ///
    /// # Errors
    /// Where it cannot be read, or is not of this form.
    pub fn config<T: DeserializeOwned>(&self, part: Part) -> Result<T, ModelError> {
        read_json(&self.part_folder(part).join("config.json"))
    }

    /// Maps the weight files of a part, under the names of today.
    ///
    /// # Errors
    /// Where there are none, or they are damaged.
    pub fn stored(&self, part: Part) -> Result<Stored, ModelError> {
        let folder = self.part_folder(part);
        let files = part.weight_files(&folder)?;
        let place = files.first().filter(|_| files.len() == 1).unwrap_or(&folder);
        if files.len() > 1 {
            check_shards(&files)?;
        }
        let mapped = map_shards(&files).map_err(|cause| ModelError::file(place, cause))?;
        Stored::renamed(mapped, |name| vec![todays_name(part, name)])
            .map_err(|cause| ModelError::file(place, cause))
    }

    /// Maps the weights of a part. On a GPU a frozen network that the denoising loop asks again and again is
    /// taken in bf16. What is asked once stays in f32: bf16 has eight significant bits, and a radiograph more.
    ///
    /// # Errors
    /// Where they cannot be read, or should be held in eight bits and be trained or lie on a GPU.
    pub fn weights(
        &self,
        part: Part,
        trainable: bool,
        device: &Device,
    ) -> Result<Weights, ModelError> {
        if self.weight_form == WeightForm::Int8 && matches!(part, Part::Unet | Part::ControlNet(_))
        {
            if trainable || !device.is_cpu() {
                let cause = "weights: int8 is for serving on the CPU, not for training or a GPU";
                return Err(Fault::new(cause).into());
            }
            return Ok(Weights::in_int8(self.stored(part)?));
        }
        let dtype = match part {
            Part::Unet | Part::ControlNet(_) | Part::T2iAdapter if !trainable => {
                device.bf16_default_to_f32()
            }
            Part::Unet
            | Part::ControlNet(_)
            | Part::T2iAdapter
            | Part::Vae
            | Part::TextEncoder
            | Part::TextEncoder2 => DType::F32,
        };
        Ok(Weights::from_file(self.stored(part)?, trainable, dtype, device))
    }

    /// Ends the loading of a part: the error names its folder.
    fn finish(&self, part: Part, weights: &Weights) -> Result<(), ModelError> {
        weights.finish().map_err(|cause| ModelError::file(self.part_folder(part), cause))
    }

    /// Looks at every weight of a part without loading it: the network that its configuration describes
    /// must find each under its name, in its shape and with numbers in it, and no other.
    ///
    /// # Errors
    /// Names every weight that does not fit.
    pub fn verify(&self, part: Part) -> Result<(), ModelError> {
        let weights = Weights::to_verify(self.stored(part)?);
        match part {
            Part::Vae => drop(Vae::new(self.vae_config()?, &weights)?),
            Part::Unet => drop(Unet::new(self.unet_config()?, &weights)?),
            Part::TextEncoder | Part::TextEncoder2 => {
                let config: TextConfig = self.config(part)?;
                config.validate()?;
                drop(TextEncoder::new(config, &weights)?);
            }
            Part::ControlNet(_) => {
                let config: ControlNetConfig = self.config(part)?;
                config.validate()?;
                drop(ControlNet::new(config, &weights)?);
            }
            Part::T2iAdapter => {
                let config: T2iAdapterConfig = self.config(part)?;
                config.validate()?;
                drop(T2iAdapter::new(config, &weights)?);
            }
        }
        self.finish(part, &weights)
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
        self.finish(Part::Vae, &weights)?;
        Ok(network)
    }

    /// The UNet's configuration.
    pub fn unet_config(&self) -> Result<UnetConfig, ModelError> {
        let config: UnetConfig = self.config(Part::Unet)?;
        config.validate()?;
        Ok(config)
    }

    /// Loads the UNet, and hands out its weights for whoever attaches adapters or trains.
    pub fn unet(&self, trainable: bool, device: &Device) -> Result<(Unet, Weights), ModelError> {
        let config = self.unet_config()?;
        let weights = self.weights(Part::Unet, trainable, device)?;
        let network = Unet::new(config, &weights)?;
        self.finish(Part::Unet, &weights)?;
        Ok((network, weights))
    }

    /// Loads a text encoder, with its weights.
    pub fn text_encoder(
        &self,
        part: Part,
        trainable: bool,
        device: &Device,
    ) -> Result<(TextEncoder, Weights), ModelError> {
        let config: TextConfig = self.config(part)?;
        config.validate()?;
        let weights = self.weights(part, trainable, device)?;
        let network = TextEncoder::new(config, &weights)?;
        self.finish(part, &weights)?;
        Ok((network, weights))
    }

    /// Loads a text encoder's tokenizer.
    pub fn tokenizer(&self, part: Part) -> Result<Tokenizer, ModelError> {
        let folder = if part == Part::TextEncoder2 { "tokenizer_2" } else { "tokenizer" };
        Tokenizer::open(&self.folder.join(folder))
    }

    /// Loads a ControlNet.
    pub fn controlnet(&self, index: u8, device: &Device) -> Result<ControlNet, ModelError> {
        let part = Part::ControlNet(index);
        let config: ControlNetConfig = self.config(part)?;
        config.validate()?;
        let weights = self.weights(part, false, device)?;
        let network = ControlNet::new(config, &weights)?;
        self.finish(part, &weights)?;
        Ok(network)
    }

    /// Loads a T2I-Adapter.
    pub fn t2i_adapter(&self, device: &Device) -> Result<T2iAdapter, ModelError> {
        let config: T2iAdapterConfig = self.config(Part::T2iAdapter)?;
        config.validate()?;
        let weights = self.weights(Part::T2iAdapter, false, device)?;
        let network = T2iAdapter::new(config, &weights)?;
        self.finish(Part::T2iAdapter, &weights)?;
        Ok(network)
    }

    /// Whether an empty negative prompt is zeros in place of the embedding of no words, as Stable Diffusion
    /// XL was taught (`force_zeros_for_empty_prompt` of `model_index.json`, true unless it says otherwise).
    pub fn zeros_for_no_words(&self) -> Result<bool, ModelError> {
        let path = self.folder.join("model_index.json");
        if !path.exists() {
            return Ok(true);
        }
        let index: serde_json::Value = read_json(&path)?;
        let said = index.get("force_zeros_for_empty_prompt");
        Ok(said.and_then(serde_json::Value::as_bool).unwrap_or(true))
    }

    /// The scheduler.
    ///
    /// # Errors
    /// Where there is none, or the engine cannot follow it; the field is named.
    pub fn scheduler(&self) -> Result<SchedulerConfig, ModelError> {
        let path = self.folder.join("scheduler").join("scheduler_config.json");
        let text = read_text(&path)?;
        SchedulerConfig::parse(&text).map_err(|cause| ModelError::file(path, cause))
    }

    /// The noise schedule of a training.
    ///
    /// # Errors
    /// As [`Self::scheduler`], and where it is none to train under.
    pub fn schedule(&self) -> Result<ScheduleConfig, ModelError> {
        let path = self.folder.join("scheduler").join("scheduler_config.json");
        self.scheduler()?.schedule().map_err(|cause| ModelError::file(path, cause))
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
        write_json(&scheduler.join("scheduler_config.json"), &schedule.to_json())?;
        write_json(&folder.join("card.json"), card)?;
        let index = serde_json::json!({
            "_class_name": "StableDiffusionPipeline",
            "vae": ["diffusers", "AutoencoderKL"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "scheduler": ["diffusers", schedule.written_class()],
            "safety_checker": [null, null],
            "feature_extractor": [null, null],
        });
        write_json(&folder.join("model_index.json"), &index)
    }
}

/// The name that diffusers has today for a weight of a part: up to version 0.12 it wrote the
/// autoencoder's attention under names of its own, as Stable Diffusion 1.5 still has them.
fn todays_name(part: Part, name: &str) -> (String, Cut) {
    const OLD: [(&str, &str); 4] =
        [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];
    if part == Part::Vae
        && let Some((path, layer)) = name.rsplit_once(".attentions.0.")
        && let Some((layer, kind)) = layer.split_once('.')
        && let Some((_, today)) = OLD.iter().find(|(old, _)| *old == layer)
    {
        let cut = if kind == "weight" { Cut::Flat } else { Cut::Whole };
        return (format!("{path}.attentions.0.{today}.{kind}"), cut);
    }
    (name.to_owned(), Cut::Whole)
}
