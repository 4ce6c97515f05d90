//! Fresh models with random weights, for tests and for trying things out.

use std::path::Path;

use candle_core::{DType, Device};

use super::per_level::PerLevel;
use super::supported::Rest;
use super::unet_config::Sides;
use super::unet_options::UnetOptions;
use super::{
    Bundle, ModelCard, ModelError, Part, TextConfig, TextEncoder, Tokenizer, Unet, UnetConfig, Vae,
    VaeConfig, values,
};
use crate::nn::{Init, Weights};
use crate::noise::ScheduleConfig;

/// Writes a tiny model with random weights to `folder`: it makes noise, in a fraction of a second,
/// through the same code as any other. `texts` are what its tokenizer learns from.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_tiny(folder: &Path, texts: &[String], seed: u64) -> Result<(), ModelError> {
    let device = Device::Cpu;
    let vae_config = VaeConfig {
        class_name: "AutoencoderKL".into(),
        in_channels: 1,
        out_channels: 1,
        latent_channels: 4,
        block_out_channels: vec![8, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        scaling_factor: 1.0,
        sample_size: 32,
        mid_block_add_attention: true,
        patch_size: 2,
        use_quant_conv: true,
        use_post_quant_conv: true,
        latents_mean: None,
        latents_std: None,
        rest: Rest::default(),
    };
    let unet_config = UnetConfig {
        class_name: "UNet2DConditionModel".into(),
        sample_size: Some(Sides::Square(8)),
        in_channels: 4,
        out_channels: 4,
        block_out_channels: vec![16, 32],
        down_block_types: vec!["CrossAttnDownBlock2D".into(), "DownBlock2D".into()],
        up_block_types: vec!["UpBlock2D".into(), "CrossAttnUpBlock2D".into()],
        layers_per_block: PerLevel::One(1),
        cross_attention_dim: PerLevel::One(16),
        attention_head_dim: PerLevel::One(2),
        norm_num_groups: 8,
        norm_eps: 1e-5,
        transformer_layers_per_block: PerLevel::One(PerLevel::One(1)),
        use_linear_projection: true,
        flip_sin_to_cos: true,
        freq_shift: 0.0,
        reverse_transformer_layers_per_block: None,
        mid_block_type: Some("UNetMidBlock2DCrossAttn".into()),
        addition_embed_type: None,
        addition_time_embed_dim: None,
        projection_class_embeddings_input_dim: None,
        time_cond_proj_dim: None,
        options: UnetOptions::default(),
        rest: Rest::default(),
    };
    let tokenizer = Tokenizer::train(texts, 600)?;
    let text_config = TextConfig {
        architectures: vec!["CLIPTextModel".into()],
        vocab_size: tokenizer.vocabulary_size(),
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 32,
        hidden_act: "quick_gelu".into(),
        layer_norm_eps: 1e-5,
        eos_token_id: Some(tokenizer.end_token()),
        projection_dim: None,
    };
    let fresh = || Weights::from_seed(seed, DType::F32, &device);
    let weights = fresh();
    Vae::new(vae_config.clone(), &weights)?;
    Bundle::write_part(folder, Part::Vae, &vae_config, &values(&weights.variables()))?;
    let weights = fresh();
    Unet::new(unet_config.clone(), &weights)?;
    let mut unet = values(&weights.variables());
    // A fresh network predicts zero, and would hand no gradient to an adapter.
    let shape = (unet_config.out_channels, unet_config.block_out_channels[0], 3, 3);
    unet.insert("conv_out.weight".into(), weights.get("preset", shape, Init::Normal(0.05))?);
    Bundle::write_part(folder, Part::Unet, &unet_config, &unet)?;
    let weights = fresh();
    TextEncoder::new(text_config.clone(), &weights)?;
    Bundle::write_part(folder, Part::TextEncoder, &text_config, &values(&weights.variables()))?;
    tokenizer.save(&folder.join("tokenizer"), text_config.max_position_embeddings)?;
    let card = ModelCard {
        name: "tiny".into(),
        version: "0".into(),
        description: "Random weights of the smallest size: it makes noise, for tests.".into(),
        image_size: vae_config.sample_size,
        default_steps: 4,
        default_guidance_scale: 2.0,
        licence: "Apache-2.0".into(),
        training: "none".into(),
        limits: "Shows nothing.".into(),
        ..ModelCard::default()
    };
    Bundle::write_index(folder, &ScheduleConfig::default(), &card)
}
