//! Adapters: small weights that customise a frozen model, as files with configuration and card.

mod card;
mod error;
mod lora;

#[cfg(test)]
mod tests;

pub use card::AdapterCard;
pub use error::AdapterError;
pub use lora::{Lora, LoraConfig, attach};
