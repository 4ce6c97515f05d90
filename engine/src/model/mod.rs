//! Networks, and the bundle that holds them on disk.
//!
//! The path in the code is the path in the checkpoint, and every size comes from a `config.json` in
//! the form that diffusers and transformers write.

mod bundle;
mod card;
mod class_embedding;
mod clip;
mod clip_pair;
mod controlnet;
mod disk;
mod error;
mod features;
mod image_processor;
mod import;
mod judge;
mod owed;
mod part;
mod part_card;
mod per_level;
mod preset;
mod single;
mod supported;
mod t2i_adapter;
mod text;
mod tokenizer;
mod transformer;
mod unet;
mod unet_blocks;
mod unet_config;
mod unet_options;
mod vae;
mod vae_config;
mod vae_resample;
mod vae_tiles;
mod vision;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use card::ModelCard;
pub use clip_pair::{Clip, ClipPair, ClipPairConfig};
pub use controlnet::{ControlNet, ControlNetConfig};
pub use disk::{
    metadata_of, read_json, read_text, safetensors_metadata, save_weights, sha256_file, values,
    write_json,
};
pub use error::ModelError;
pub use features::{FeatureConfig, FeatureDecoder, FeatureEncoder};
pub use image_processor::ImageProcessor;
pub use import::{ImportOptions, Imported, adopt, choose, import};
pub use judge::{
    Classifier, ClassifierConfig, Discriminator, DiscriminatorConfig, Label, Segmenter,
    SegmenterConfig, write_judge,
};
pub use owed::{Owed, credits};
pub use part::Part;
pub use part_card::PartCard;
pub use per_level::PerLevel;
pub use preset::{Preset, write_preset, write_tiny};
pub use single::{SingleFile, Wishes};
pub use t2i_adapter::{T2iAdapter, T2iAdapterConfig};
pub use text::{TextConfig, TextEncoder, TextOutput};
pub use tokenizer::{Encoded, Tokenizer, Unit, Units};
pub use unet::{CrossAttention, Unet};
pub use unet_blocks::{Added, Residuals, UnetInput};
pub use unet_config::{Sides, UnetConfig};
pub use unet_options::UnetOptions;
pub use vae::Vae;
pub use vae_config::VaeConfig;
pub use vision::{VisionConfig, VisionEncoder, VisionOutput};
