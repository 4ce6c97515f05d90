//! The denoise loop: THE way from a prompt to an image, for the API, the command line and validation.

mod generate;
mod pipeline;

#[cfg(test)]
mod tests;

pub use generate::{Request, SampleError, generate};
pub use pipeline::Pipeline;
