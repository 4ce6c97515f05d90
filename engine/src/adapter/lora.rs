//! Low-rank adaptation (Hu et al., arXiv 2106.09685), on disk in the form of PEFT.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::card::AdapterCard;
use super::error::AdapterError;
use crate::model::{ModelError, read_json, save_weights, write_json};
use crate::nn::{Delta, DeltaSlot, Init, Weights};

const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";
const PREFIX: &str = "base_model.model.";

/// `adapter_config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// PEFT's name of the method.
    #[serde(default = "peft_type")]
    pub peft_type: String,
    /// Rank.
    pub r: usize,
    /// The change is scaled by α / rank.
    pub lora_alpha: f64,
    /// Ends of the paths of the layers that are adapted.
    pub target_modules: Vec<String>,
}

fn peft_type() -> String {
    "LORA".into()
}

impl LoraConfig {
    /// # Errors
    /// Where the values make no low-rank change.
    fn validate(&self) -> std::result::Result<(), AdapterError> {
        let fault =
            |field, cause: &str| Err(AdapterError::Config { field, cause: cause.to_owned() });
        if self.peft_type != "LORA" {
            return fault("peft_type", "must be LORA");
        }
        if self.r == 0 {
            return fault("r", "must lie above 0");
        }
        if !self.lora_alpha.is_finite() {
            return fault("lora_alpha", "must be a number");
        }
        Ok(())
    }

    fn matches_nothing(&self) -> AdapterError {
        AdapterError::Config {
            field: "targets",
            cause: format!("no linear layer ends in {}", self.target_modules.join(", ")),
        }
    }
}

/// The two factors of one layer's change.
#[derive(Clone)]
struct Factors {
    /// `[rank, in]`
    a: Tensor,
    /// `[out, rank]`
    b: Tensor,
}

/// The low-rank changes of a network's linear layers.
pub struct Lora {
    config: LoraConfig,
    layers: BTreeMap<String, Factors>,
}

impl Lora {
    /// The file in an adapter's `folder` that holds its weights.
    pub fn weights_path(folder: &Path) -> PathBuf {
        folder.join(WEIGHTS)
    }

    /// A fresh adapter that changes nothing, and its trainable weights by name.
    ///
    /// `network` is the frozen network's weights: every linear layer whose path ends in one of the
    /// configuration's targets gets a pair of factors.
    ///
    /// # Errors
    /// Where no layer ends so, or the rank is above a layer's size.
    pub fn fresh(
        config: LoraConfig,
        network: &Weights,
        seed: u64,
        device: &Device,
    ) -> std::result::Result<(Self, BTreeMap<String, Var>), AdapterError> {
        let shapes = network.shapes();
        let weights = Weights::from_seed(seed, DType::F32, device);
        let mut layers = BTreeMap::new();
        for (path, shape) in targets(&config, network, &shapes) {
            let (output, input) = (shape[0], shape[1]);
            if config.r == 0 || config.r > output.min(input) {
                return Err(AdapterError::Config {
                    field: "rank",
                    cause: format!(
                        "{} does not lie between 1 and {}, the size of {path}",
                        config.r,
                        output.min(input)
                    ),
                });
            }
            let weights = weights.pp(format!("{PREFIX}{path}"));
            // PEFT starts A as Kaiming uniform with a = √5, which is uniform in ±1/√in.
            let a = weights.pp("lora_A").get("weight", (config.r, input), Init::FanIn(input))?;
            let b = weights.pp("lora_B").get("weight", (output, config.r), Init::Zeros)?;
            layers.insert(path, Factors { a, b });
        }
        if layers.is_empty() {
            return Err(config.matches_nothing());
        }
        Ok((Self { config, layers }, weights.variables()))
    }

    /// Reads an adapter folder and checks it against the network that it will change.
    ///
    /// # Errors
    /// Where card or weights are missing, or a layer does not fit.
    pub fn open(
        folder: &Path,
        base_sha256: &str,
        network: &Weights,
        device: &Device,
    ) -> std::result::Result<(Self, AdapterCard), AdapterError> {
        let card: AdapterCard = read_json(&folder.join("card.json"))?;
        if card.base_sha256 != base_sha256 {
            return Err(AdapterError::WrongBase {
                path: folder.to_owned(),
                cause: format!(
                    "was trained on {} with other weights than this model's",
                    card.base_model
                ),
            });
        }
        let config: LoraConfig = read_json(&folder.join(CONFIG))?;
        config.validate()?;
        let path = Self::weights_path(folder);
        let file =
            crate::kernel::map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
        let weights = Weights::from_file(file, false, DType::F32, device);
        let shapes = network.shapes();
        let mut layers = BTreeMap::new();
        for (path, shape) in targets(&config, network, &shapes) {
            let weights = weights.pp(format!("{PREFIX}{path}"));
            let a = weights.pp("lora_A").get("weight", (config.r, shape[1]), Init::Zeros)?;
            let b = weights.pp("lora_B").get("weight", (shape[0], config.r), Init::Zeros)?;
            layers.insert(path, Factors { a, b });
        }
        weights.finish()?;
        if layers.is_empty() {
            return Err(config.matches_nothing());
        }
        Ok((Self { config, layers }, card))
    }

    /// Writes weights, configuration and card to `folder`.
    pub fn save(
        folder: &Path,
        config: &LoraConfig,
        weights: &BTreeMap<String, Tensor>,
        card: &AdapterCard,
    ) -> std::result::Result<(), AdapterError> {
        std::fs::create_dir_all(folder).map_err(|cause| ModelError::file(folder, cause))?;
        save_weights(&Self::weights_path(folder), weights, DType::F16)?;
        write_json(&folder.join(CONFIG), config)?;
        // The card comes last: a folder that was left half-written has none and does not load.
        write_json(&folder.join("card.json"), card)?;
        Ok(())
    }

    /// The configuration.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Layers that are adapted.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }
}

/// The linear layers that the configuration means, with the shapes of their weights `[out, in]`.
fn targets(
    config: &LoraConfig,
    network: &Weights,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Vec<(String, Vec<usize>)> {
    network
        .slots()
        .into_keys()
        .filter(|path| {
            config.target_modules.iter().any(|target| {
                path == target
                    || path.strip_suffix(target.as_str()).is_some_and(|rest| rest.ends_with('.'))
            })
        })
        .filter_map(|path| {
            let shape = shapes.get(&format!("{path}.weight"))?;
            (shape.len() == 2).then(|| (path, shape.clone()))
        })
        .collect()
}

/// Puts `adapters`, each with its scale, in the slots of a network, in place of those before.
pub fn attach(network: &Weights, adapters: &[(&Lora, f32)]) {
    for (path, slot) in network.slots() {
        fill(&slot, &path, adapters);
    }
}

fn fill(slot: &DeltaSlot, path: &str, adapters: &[(&Lora, f32)]) {
    let deltas = adapters
        .iter()
        .filter_map(|(lora, scale)| {
            let factors = lora.layers.get(path)?.clone();
            let scale = f64::from(*scale) * lora.config.lora_alpha / lora.config.r as f64;
            Some(Arc::new(LoraDelta { factors, scale }) as Arc<dyn Delta>)
        })
        .collect();
    slot.fill(deltas);
}

struct LoraDelta {
    factors: Factors,
    scale: f64,
}

impl Delta for LoraDelta {
    /// `[…, in]` to `[…, out]`: scale · x Aᵀ Bᵀ.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (output, input) = (self.factors.b.dim(0)?, self.factors.a.dim(1)?);
        let rows = x.reshape(((), input))?;
        let y = (rows.matmul(&self.factors.a.t()?)? * self.scale)?.matmul(&self.factors.b.t()?)?;
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = output;
        }
        y.reshape(dims)
    }
}
