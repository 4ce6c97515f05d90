//! A client of model hubs that speak Hugging Face's protocol: which files a repository has at a commit, and
//! the files, each held against the hash that the hub states.
//!
//! Nothing else in the engine speaks HTTP, and nothing speaks it unless somebody asks for a model by name.

mod client;
mod download;
mod error;

#[cfg(test)]
mod tests;

pub use client::{Client, Commit, RemoteFile};
pub use download::{Pulled, pull};
pub use error::HubError;
