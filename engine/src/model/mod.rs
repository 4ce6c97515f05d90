//! Networks, and the bundle that holds them on disk.
//!
//! The path in the code is the path in the checkpoint, and every size comes from a `config.json` in
//! the form that diffusers and transformers write.

mod bundle;
mod card;
mod disk;
mod error;
mod import;
mod part;
mod preset;
mod single;
mod text;
mod tokenizer;
mod transformer;
mod unet;
mod vae;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use card::ModelCard;
pub use disk::{
    metadata_of, read_json, read_text, safetensors_metadata, save_weights, sha256_file, values,
    write_json,
};
pub use error::ModelError;
pub use import::{ImportOptions, Imported, adopt, choose, import};
pub use part::Part;
pub use preset::write_tiny;
pub use single::{SingleFile, Wishes};
pub use text::{TextConfig, TextEncoder};
pub use tokenizer::{Encoded, Tokenizer};
pub use unet::{Unet, UnetConfig};
pub use vae::{Vae, VaeConfig};
