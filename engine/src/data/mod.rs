//! Data sets: built from DICOM objects, split by patient, with card and captions.
//!
//! A data set is a folder:
//!
//! ```text
//! card.json         what it is, licence, attribution, counts by finding and split
//! manifest.jsonl    one Sample a line
//! frames/<id>.png   16-bit greyscale, calibrated, square pixels
//! masks/<id>.png    black and white in the frame's size, white where the lungs are; not of every sample
//! ```

mod build;
mod card;
mod dataset;
mod error;
mod framing;
mod images;
mod latent_cache;
mod latents;
mod masks;
mod planes;
mod sample;
mod select;
mod source;
mod split;
mod square;

#[cfg(test)]
pub(crate) mod tests;

pub use build::{BuildOptions, build};
pub use card::{Card, Counts, FORMAT};
pub use dataset::Dataset;
pub use error::DataError;
pub use framing::{Framing, Size};
pub use images::Images;
pub use latents::{Encoding, latents_of};
pub use masks::{MaskOptions, Masks};
pub use planes::Planes;
pub use sample::{Sample, Split};
pub use select::{select, some_patients};
