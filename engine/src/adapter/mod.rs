//! Adapters: small weights that customise a frozen model.
//!
//! Read from and written to the forms of PEFT, diffusers and kohya's sd-scripts; LoRA, DoRA, LoHa and
//! LoKr, and words with embeddings of their own. What a file holds becomes a change a layer; fitting a model is a question of its own, so that
//! an adapter is read once and put on whatever model it fits.

mod attach;
mod card;
mod change;
mod concept;
mod config;
mod dora;
mod embedding;
mod error;
mod fit;
mod fresh;
mod header;
mod image_projection;
mod ip;
mod kohya;
mod names;
mod prefix;
mod read;
mod reader;
mod save;
mod summary;
mod tensors;
mod trained;

#[cfg(test)]
mod tests;

pub use attach::{Networks, attach};
pub use card::AdapterCard;
pub use concept::{CONCEPT, Concept, GatedReaders};
pub use config::Patterns;
pub use embedding::Embedding;
pub use error::AdapterError;
pub use fresh::{AdaptedLayer, AdapterConfig, Method};
pub use ip::{ImagePrompts, IpAdapter};
pub use names::{Component, Form};
pub use prefix::{Prefix, before_text};
pub use read::{Adapter, STRONGEST_SCALE, weights_sha256};
pub use summary::{Summary, summarise};
pub use trained::attach_trainable;
