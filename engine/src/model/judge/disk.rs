//! A judge's folder: `card.json`, `config.json`, `model.safetensors`.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kernel::map_weights;
use crate::model::{ModelCard, ModelError, read_json, save_weights, sha256_file, write_json};
use crate::nn::Weights;

const WEIGHTS: &str = "model.safetensors";

/// Writes a judge's folder, the weights in half precision.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_judge(
    folder: &Path,
    config: &impl Serialize,
    weights: &BTreeMap<String, Tensor>,
    card: &ModelCard,
) -> Result<(), ModelError> {
    std::fs::create_dir_all(folder).map_err(|cause| ModelError::file(folder, cause))?;
    write_json(&folder.join("config.json"), config)?;
    save_weights(&folder.join(WEIGHTS), weights, DType::F16)?;
    write_json(&folder.join("card.json"), card)
}

/// Loads what a folder holds: its configuration is checked, then the network is built, and a weight that is
/// missing or unexpected is an error.
pub(super) fn open<Config: DeserializeOwned, Network>(
    folder: &Path,
    device: &Device,
    validate: impl Fn(&Config) -> Result<(), ModelError>,
    network: impl Fn(Config, &Weights) -> candle_core::Result<Network>,
) -> Result<(Network, ModelCard), ModelError> {
    let mut card: ModelCard = read_json(&folder.join("card.json"))?;
    let config: Config = read_json(&folder.join("config.json"))?;
    validate(&config)?;
    let path = folder.join(WEIGHTS);
    let mapped = map_weights(&path).map_err(|cause| ModelError::file(&path, cause))?;
    let weights = Weights::from_file(mapped, false, DType::F32, device);
    let network = network(config, &weights)?;
    weights.finish().map_err(|cause| ModelError::file(&path, cause))?;
    card.weights_sha256 = sha256_file(&path)?;
    Ok((network, card))
}
