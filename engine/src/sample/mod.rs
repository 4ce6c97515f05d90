//! The denoise loop: THE way from a prompt to an image, for the API, the command line and validation.

mod concept;
mod conditioning;
mod control;
mod error;
mod generate;
mod guidance;
mod image_prompt;
mod options;
mod pipeline;
mod random;
mod request;
mod start;
mod text;
mod told;

#[cfg(test)]
mod tests;

pub use conditioning::{
    Chunk, Chunked, ConditionError, Conditioning, Emphasis, States, TextNotes, TextOptions, Tower,
    chunks, condition,
};
pub use control::ControlNetwork;
pub use error::SampleError;
pub use generate::{Step, generate, generate_together, render};
pub use image_prompt::ImagePrompt;
pub use options::{SamplingOptions, Sizes};
pub use pipeline::Pipeline;
pub use random::{RANDOM_GENERATOR, Seeded};
pub use request::{Control, MOST_STEPS, Request, Start};
pub use text::TextReader;
