//! Fresh models with random weights, for tests, benchmarks and for trying things out.

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

/// The shape of a fresh model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The smallest: it makes noise, in a fraction of a second, through the same code as any other.
    Tiny,
    /// A UNet of 18 M weights, for radiographs of 256 × 256 pixels.
    Small,
    /// Stable Diffusion 1.5's shape, 1.1 billion weights (Rombach et al., arXiv 2112.10752).
    StableDiffusion15,
}

/// Writes a tiny model with random weights to `folder`, as [`write_preset`] does.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_tiny(folder: &Path, texts: &[String], seed: u64) -> Result<(), ModelError> {
    write_preset(folder, Preset::Tiny, texts, seed)
}

/// Writes a model with random weights to `folder`, in half precision. `texts` are what its tokenizer
/// learns from.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_preset(
    folder: &Path,
    preset: Preset,
    texts: &[String],
    seed: u64,
) -> Result<(), ModelError> {
    let device = Device::Cpu;
    let fresh = || Weights::from_seed(seed, DType::F32, &device);
    let weights = fresh();
    let vae_config = preset.vae();
    Vae::new(vae_config.clone(), &weights)?;
    Bundle::write_part(folder, Part::Vae, &vae_config, &values(&weights.variables()))?;
    // A part is let go before the next is made: the largest has 3.4 GB.
    drop(weights);
    let weights = fresh();
    let unet_config = preset.unet();
    Unet::new(unet_config.clone(), &weights)?;
    let mut unet = values(&weights.variables());
    // A fresh network predicts zero, and would hand no gradient to an adapter.
    let shape = (unet_config.out_channels, unet_config.block_out_channels[0], 3, 3);
    unet.insert("conv_out.weight".into(), weights.get("preset", shape, Init::Normal(0.05))?);
    drop(weights);
    Bundle::write_part(folder, Part::Unet, &unet_config, &unet)?;
    drop(unet);
    let weights = fresh();
    let tokenizer = Tokenizer::train(texts, 600)?;
    let text_config = preset.text(&tokenizer);
    TextEncoder::new(text_config.clone(), &weights)?;
    Bundle::write_part(folder, Part::TextEncoder, &text_config, &values(&weights.variables()))?;
    tokenizer.save(&folder.join("tokenizer"), text_config.max_position_embeddings)?;
    Bundle::write_index(folder, &ScheduleConfig::default(), &preset.card())
}

impl Preset {
    fn vae(self) -> VaeConfig {
        let of = |channels, levels: &[usize], layers, groups, side| VaeConfig {
            class_name: "AutoencoderKL".into(),
            in_channels: channels,
            out_channels: channels,
            latent_channels: 4,
            block_out_channels: levels.to_vec(),
            layers_per_block: layers,
            norm_num_groups: groups,
            scaling_factor: 0.18215,
            sample_size: side,
            mid_block_add_attention: true,
            patch_size: 1,
            residual_resampling: false,
            use_quant_conv: true,
            use_post_quant_conv: true,
            latents_mean: None,
            latents_std: None,
            rest: Rest::default(),
        };
        match self {
            Self::Tiny => {
                VaeConfig { scaling_factor: 1.0, patch_size: 2, ..of(1, &[8, 16], 1, 4, 32) }
            }
            Self::Small => of(1, &[32, 64, 128, 128], 1, 32, 256),
            Self::StableDiffusion15 => of(3, &[128, 256, 512, 512], 2, 32, 512),
        }
    }

    pub(super) fn unet(self) -> UnetConfig {
        let of = |levels: &[usize], attending: usize, layers, width, heads, groups, side| {
            // The first levels attend to the text, on both ways.
            let names = |way: &str| {
                let attends = |level| if level < attending { "CrossAttn" } else { "" };
                let name = |level| format!("{}{way}Block2D", attends(level));
                (0..levels.len()).map(name).collect::<Vec<_>>()
            };
            UnetConfig {
                class_name: "UNet2DConditionModel".into(),
                sample_size: Some(Sides::Square(side)),
                in_channels: 4,
                out_channels: 4,
                block_out_channels: levels.to_vec(),
                down_block_types: names("Down"),
                up_block_types: names("Up").into_iter().rev().collect(),
                layers_per_block: PerLevel::One(layers),
                cross_attention_dim: PerLevel::One(width),
                attention_head_dim: PerLevel::One(heads),
                norm_num_groups: groups,
                norm_eps: 1e-5,
                transformer_layers_per_block: PerLevel::One(PerLevel::One(1)),
                use_linear_projection: false,
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
            }
        };
        match self {
            Self::Tiny => {
                UnetConfig { use_linear_projection: true, ..of(&[16, 32], 1, 1, 16, 2, 8, 8) }
            }
            Self::Small => of(&[64, 128, 256], 2, 2, 256, 4, 32, 32),
            Self::StableDiffusion15 => of(&[320, 640, 1280, 1280], 3, 2, 768, 8, 32, 64),
        }
    }

    fn text(self, tokenizer: &Tokenizer) -> TextConfig {
        let (width, layers, heads, length) = match self {
            Self::Tiny => (16, 1, 2, 32),
            Self::Small => (256, 4, 4, 77),
            Self::StableDiffusion15 => (768, 12, 12, 77),
        };
        let vocabulary = match self {
            // CLIP's, of which a tokenizer of our own fills the beginning.
            Self::StableDiffusion15 => 49_408,
            Self::Tiny | Self::Small => tokenizer.vocabulary_size(),
        };
        TextConfig {
            architectures: vec!["CLIPTextModel".into()],
            vocab_size: vocabulary,
            hidden_size: width,
            intermediate_size: if self == Self::Tiny { 32 } else { 4 * width },
            num_hidden_layers: layers,
            num_attention_heads: heads,
            max_position_embeddings: length,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            eos_token_id: Some(tokenizer.end_token()),
            projection_dim: None,
        }
    }

    fn card(self) -> ModelCard {
        let (name, description, steps, scale) = match self {
            Self::Tiny => {
                let words = "Random weights of the smallest size: it makes noise, for tests.";
                ("tiny", words, 4, 2.0)
            }
            Self::Small => ("small", "Random weights of a small model: it makes noise.", 20, 4.0),
            Self::StableDiffusion15 => {
                let words = "Random weights in the shape of Stable Diffusion 1.5: it makes noise.";
                ("sd15", words, 20, 7.5)
            }
        };
        ModelCard {
            name: name.into(),
            version: "0".into(),
            description: description.into(),
            image_size: self.vae().sample_size,
            default_steps: steps,
            default_guidance_scale: scale,
            licence: "Apache-2.0".into(),
            training: "none".into(),
            limits: "Shows nothing.".into(),
            ..ModelCard::default()
        }
    }
}
