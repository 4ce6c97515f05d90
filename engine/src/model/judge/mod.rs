//! Judges: networks that look at radiographs and say what they see.
//!
//! A judge is a folder with `card.json`, `config.json` and `model.safetensors`. It is no part of a bundle: one
//! judge serves every model.

mod classifier;
mod discriminator;
mod disk;
mod encoder;
mod label;
mod segmenter;
mod sizes;

#[cfg(test)]
mod tests;

pub use classifier::{Classifier, ClassifierConfig};
pub use discriminator::{Discriminator, DiscriminatorConfig};
pub use disk::write_judge;
pub use label::Label;
pub use segmenter::{Segmenter, SegmenterConfig};
