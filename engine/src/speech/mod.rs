//! From a spoken request to its words: Whisper (Radford et al., arXiv 2212.04356).
//!
//! A [`Clip`] is mono sound at 16 kHz, read from WAV, OGG or WebM within [`Limits`]. [`SpeechModel`] opens
//! a model folder in transformers' layout and writes down what a clip says. What the words ask for is
//! read from them by [`crate::prompt::spoken`].
//!
//! A request is short, so the published rules of decoding stand here without those for long recordings:
//! no times are asked for, a window ends where it is quiet, and no window is told the words of the last.
//!
//! Why not candle-transformers' Whisper: it has the approximate GELU in place of the exact one that the
//! weights were trained with (on the base model it moves the encoder's output by 1.2 % of its maximum, where we
//! hold 0.01 %), its decoder reads all tokens again for each new one, weights that are left
//! over go unnamed, and the rules of decoding are an example and not in the library.

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
