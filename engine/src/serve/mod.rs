//! Typed requests and answers: what the platform and the command line ask the engine for.

mod device_thread;
mod error;
mod replay;
mod request;
mod service;

#[cfg(test)]
mod tests;

pub use crate::model::ModelCard;
pub use crate::sample::{Control, ImagePrompt, Start};
pub use error::ServeError;
pub use replay::{Given, replay};
pub use request::{
    AdapterRef, GenerateRequest, GeneratedImage, IpAdapterFiles, Progress, PromptNote,
};
pub use service::Service;
