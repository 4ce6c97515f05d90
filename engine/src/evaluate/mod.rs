//! How good a network is on held-out patients, in figures.
//!
//! Training asks for the same figures while it goes on, and they stand in the cards of what it makes.

mod autoencoder;
mod classifier;
mod error;
mod generation;
mod report;
mod segmenter;

#[cfg(test)]
mod tests;

pub use autoencoder::{autoencoder, reconstruction};
pub use classifier::{areas, classifier, truths};
pub use error::EvaluateError;
pub use generation::{Generation, OnProgress, evaluate_generation};
pub use report::{Report, evaluate};
pub use segmenter::{overlap, segmenter};

/// Figures by name.
pub type Figures = std::collections::BTreeMap<String, f64>;

/// Images that are looked at at once.
const BATCH: usize = 16;
