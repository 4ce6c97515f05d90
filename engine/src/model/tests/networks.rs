//! Small networks of several forms, with weights of which none is zero.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use rand::SeedableRng;
use serde_json::{Value, json};

use crate::model::{Unet, UnetConfig};
use crate::nn::Weights;

/// Normal numbers of a seed.
pub(super) fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut source = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values = crate::device::normal(&mut source, shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Moves every weight a little from where it starts.
pub(super) fn shaken(variables: &BTreeMap<String, Var>) {
    for (seed, variable) in variables.values().enumerate() {
        let noise = (numbers(variable.dims(), seed as u64) * 0.05).unwrap();
        let noise = noise.to_dtype(variable.dtype()).unwrap();
        variable.set(&(variable.as_detached_tensor() + noise).unwrap()).unwrap();
    }
}

/// The configuration of a small Stable Diffusion, with `changes`.
pub(super) fn config(changes: &Value) -> UnetConfig {
    let mut config = json!({
        "_class_name": "UNet2DConditionModel",
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [16, 32],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "layers_per_block": 1,
        "cross_attention_dim": 24,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
        "norm_eps": 1e-5,
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    let config: UnetConfig = serde_json::from_value(config).unwrap();
    config.validate().unwrap();
    config
}

/// A small UNet with trainable weights of a seed.
pub(super) fn unet(changes: &Value, dtype: DType) -> (Unet, Weights) {
    let weights = Weights::from_seed(7, dtype, &Device::Cpu);
    let network = Unet::new(config(changes), &weights).unwrap();
    shaken(&weights.variables());
    (network, weights)
}
