//! What the engine's work takes: the cases that `skiagraph-engine bench` times, each in a process of
//! its own, on the networks of a model and on inputs that others can be given as well.
//!
//! A file of inputs, as safetensors, holds the tensors that a case names (`b` the batch, `s` the
//! latent's side, `n` = 77 tokens): `sample` and `target` `[b, c, s, s]`, `context` `[b, n, width]`,
//! `latent` `[1, c, s, s]`, and an adapter's weights under PEFT's names. The timestep is 500 in all.
//! What the case answers goes into a file of the same kind: `sample` or `image`; of a training step
//! `loss`, and `gradient/<weight>` for every trained weight.

mod case;
mod error;
mod inputs;
mod measure;
mod networks;
mod report;
mod training;

pub use case::{Case, Precision};
pub use error::BenchError;
pub use measure::{Order, run};
pub use report::{Digest, Measurement, Outcome, Report, Share, Spread};

use std::collections::BTreeMap;

use candle_core::Tensor;

/// What a case computes, by name.
type Answer = BTreeMap<String, Tensor>;

/// A case that is loaded and can be done again and again; the gradients are among its answer where
/// they are asked for.
type Work = Box<dyn FnMut(bool) -> Result<Answer, BenchError>>;

/// The diffusion time of every question to a network.
const TIMESTEP: f64 = 500.0;

/// Tokens of a text: CLIP's window.
const TOKENS: usize = 77;

fn answer(name: &str, tensor: Tensor) -> Answer {
    Answer::from([(name.to_owned(), tensor)])
}
