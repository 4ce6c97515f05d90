//! Low-rank adapters in training (Hu et al., arXiv 2106.09685), saved in the form of PEFT.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::attach::linear_layers;
use super::card::AdapterCard;
use super::change::{Change, Factors};
use super::error::AdapterError;
use super::names::{Component, Form, Place};
use super::read::{Adapter, CARD, PEFT_CONFIG, PEFT_WEIGHTS};
use crate::model::{ModelError, save_weights, write_json};
use crate::nn::{Init, Weights};

/// PEFT's prefix of every key.
pub(super) const PREFIX: &str = "base_model.model.";

/// What an adapter is trained with, as `adapter_config.json` says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// PEFT's name of the method, `LORA`.
    pub peft_type: String,
    /// Rank.
    pub r: usize,
    /// The change is scaled by α / rank.
    pub lora_alpha: f64,
    /// Ends of the paths of the layers that are adapted.
    pub target_modules: Vec<String>,
}

impl LoraConfig {
    /// A fresh adapter that changes nothing, and its trainable weights by name.
    ///
    /// `network` is the frozen UNet's weights: every linear layer whose path ends in one of the
    /// targets gets a pair of factors.
    ///
    /// # Errors
    /// Where no layer ends so, or the rank is above a layer's size.
    pub fn fresh(
        &self,
        network: &Weights,
        seed: u64,
        device: &Device,
    ) -> Result<(Adapter, BTreeMap<String, Var>), AdapterError> {
        let weights = Weights::from_seed(seed, DType::F32, device);
        let mut layers = BTreeMap::new();
        for (path, output, input) in linear_layers(network, &self.target_modules) {
            if self.r == 0 || self.r > output.min(input) {
                let (rank, most) = (self.r, output.min(input));
                let cause = format!("{rank} does not lie between 1 and {most}, the size of {path}");
                return Err(AdapterError::Config { field: "rank", cause });
            }
            let weights = weights.pp(format!("{PREFIX}{path}"));
            // PEFT starts A as Kaiming uniform with a = √5, which is uniform in ±1/√in.
            let down = weights.pp("lora_A").get("weight", (self.r, input), Init::FanIn(input))?;
            let up = weights.pp("lora_B").get("weight", (output, self.r), Init::Zeros)?;
            let change = Change {
                factors: Factors::Lora { down, up, middle: None, bias: None },
                alpha: Some(self.lora_alpha),
                rank: Some(self.r),
                rank_stabilised: false,
                magnitude: None,
                lycoris_magnitude: false,
            };
            layers.insert(Place { component: Component::Unet, path }, change);
        }
        if layers.is_empty() {
            return Err(AdapterError::Config {
                field: "targets",
                cause: format!("no linear layer ends in {}", self.target_modules.join(", ")),
            });
        }
        let adapter = Adapter {
            path: PathBuf::new(),
            name: String::new(),
            form: Form::Peft,
            sha256: String::new(),
            card: None,
            configs: BTreeMap::new(),
            layers,
        };
        Ok((adapter, weights.variables()))
    }

    /// Writes trained `weights`, this configuration and the card to `folder`.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(
        &self,
        folder: &Path,
        weights: &BTreeMap<String, Tensor>,
        card: &AdapterCard,
    ) -> Result<(), AdapterError> {
        std::fs::create_dir_all(folder).map_err(|cause| ModelError::file(folder, cause))?;
        save_weights(&folder.join(PEFT_WEIGHTS), weights, DType::F16)?;
        write_json(&folder.join(PEFT_CONFIG), self)?;
        // The card comes last: a folder that was left half-written has none.
        Ok(write_json(&folder.join(CARD), card)?)
    }
}
