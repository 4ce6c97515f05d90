//! Typed requests and answers: what the platform and the command line ask the engine for.

mod device_thread;
mod error;
mod notes;
mod replay;
mod request;
mod service;

#[cfg(test)]
mod tests;

pub use crate::model::ModelCard;
pub use crate::sample::{Control, ImagePrompt, SamplingOptions, Sizes, Start};
pub use error::ServeError;
pub use notes::RequestNote;
pub use replay::{Given, replay};
pub use request::{
    AdapterRef, EmbeddingRef, GenerateRequest, GeneratedImage, IpAdapterFiles, Progress, PromptNote,
};
pub use service::Service;
