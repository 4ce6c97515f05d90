//! Networks, and the bundle that holds them on disk.
//!
//! The path in the code is the path in the checkpoint, and every size comes from a `config.json` in
//! the form that diffusers and transformers write.

mod bundle;
mod card;
mod error;
mod preset;
mod text;
mod tokenizer;
mod transformer;
mod unet;
mod vae;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Part, read_json, save_weights, sha256_file, values, write_json};
pub use card::ModelCard;
pub use error::ModelError;
pub use preset::write_tiny;
pub use text::{TextConfig, TextEncoder};
pub use tokenizer::{Encoded, Tokenizer, Unit, Units};
pub use unet::{Unet, UnetConfig};
pub use vae::{Vae, VaeConfig};
