//! From a spoken request to its words: Whisper (Radford et al., arXiv 2212.04356).
//!
//! A [`Clip`] is mono sound at 16 kHz, read from WAV, OGG or WebM within [`Limits`]. [`SpeechModel`] opens
//! a model folder in transformers' layout and writes down what a clip says. What the words ask for is
//! read from them by [`crate::prompt::spoken`].

mod audio;
mod config;
mod decode;
mod error;
mod mel;
mod network;
mod tokens;
mod whisper;

#[cfg(test)]
mod tests;

pub use audio::{Clip, Limits, SAMPLE_RATE};
pub use config::{GenerationConfig, WhisperConfig};
pub use error::SpeechError;
pub use mel::MelSpectrogram;
pub use network::{AudioEncoder, DecoderState, TextDecoder};
pub use whisper::{Options, Segment, SpeechModel, Transcript};
