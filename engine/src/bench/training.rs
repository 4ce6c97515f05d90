//! The cases that learn: forward, squared error, backward, AdamW.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use super::case::Precision;
use super::error::BenchError;
use super::inputs::Inputs;
use super::networks::{Latents, Question, TRAINED, load_unet, not_in_int8};
use super::report::GRADIENT;
use super::{Answer, Work, answer};
use crate::adapter::{AdapterConfig, Networks, attach};
use crate::kernel::{AdamW, AdamWStep};
use crate::model::{Bundle, Unet};
use crate::nn::Tape;

/// The projections of every attention, to itself and to the text.
const TARGETS: [&str; 4] = ["to_q", "to_k", "to_v", "to_out.0"];
/// Rank and α of the adapter.
const RANK: usize = 8;

/// A training step of all weights of the denoising network.
pub(super) fn whole(
    bundle: &Bundle,
    latents: Latents,
    precision: Precision,
    checkpointing: bool,
    inputs: &Inputs,
) -> Result<Work, BenchError> {
    if precision == Precision::Int8 {
        return Err(not_in_int8(TRAINED));
    }
    // The weights that are moved stay in single precision, whatever the network computes in.
    let (network, weights) = load_unet(bundle, true, Precision::F32)?;
    let question = Question::new(network.config(), latents, precision, inputs)?;
    learn(network, weights.variables(), question, checkpointing, inputs)
}

/// A training step of an adapter of the frozen network.
pub(super) fn lora(
    bundle: &Bundle,
    latents: Latents,
    precision: Precision,
    checkpointing: bool,
    inputs: &Inputs,
) -> Result<Work, BenchError> {
    if precision == Precision::Int8 {
        return Err(not_in_int8(TRAINED));
    }
    let (network, weights) = load_unet(bundle, false, precision)?;
    let config = AdapterConfig::lora(RANK, RANK as f64, &TARGETS);
    let networks = Networks::unet(&weights);
    let (adapter, variables) = config.fresh(&networks, 0, &Device::Cpu)?;
    for (name, variable) in &variables {
        if inputs.holds(name) {
            variable.set(&inputs.get(name, variable.shape())?)?;
        }
    }
    attach(&networks, &[(&adapter, 1.0)], false)?;
    let question = Question::new(network.config(), latents, precision, inputs)?;
    learn(network, variables, question, checkpointing, inputs)
}

struct Training {
    network: Unet,
    question: Question,
    target: Tensor,
    variables: BTreeMap<String, Var>,
    optimisers: BTreeMap<String, AdamW>,
    checkpointing: bool,
    steps: u64,
}

fn learn(
    network: Unet,
    variables: BTreeMap<String, Var>,
    question: Question,
    checkpointing: bool,
    inputs: &Inputs,
) -> Result<Work, BenchError> {
    let (batch, _, height, width) = question.sample.dims4()?;
    let target = inputs.get("target", (batch, network.config().out_channels, height, width))?;
    let optimisers = variables
        .iter()
        .map(|(name, variable)| Ok((name.clone(), AdamW::new(variable.as_tensor())?)))
        .collect::<Result<_, BenchError>>()?;
    let mut training =
        Training { network, question, target, variables, optimisers, checkpointing, steps: 0 };
    Ok(Box::new(move |keep| training.step(keep)))
}

impl Training {
    /// One step. Answers the loss before it, and the gradients where `keep` says so.
    fn step(&mut self, keep: bool) -> Result<Answer, BenchError> {
        self.steps += 1;
        let tape = self.checkpointing.then(Tape::new);
        let prediction = self.question.ask(&self.network, tape.as_ref())?.to_dtype(DType::F32)?;
        let loss = (prediction - &self.target)?.sqr()?.mean_all()?;
        let gradients = match tape {
            Some(tape) => tape.backward(&loss)?,
            None => loss.backward()?,
        };
        let mut kept = answer("loss", loss.detach());
        // PyTorch's defaults, at the rate of many a fine-tune.
        let numbers = AdamWStep {
            step: self.steps,
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            gradient_scale: 1.0,
            average_decay: 0.999,
        };
        for (name, variable) in &self.variables {
            let Some(gradient) = gradients.get(variable) else {
                return Err(BenchError::NoGradient(name.clone()));
            };
            if keep {
                kept.insert(format!("{GRADIENT}{name}"), gradient.clone());
            }
            self.optimisers[name].apply(variable, gradient, numbers)?;
        }
        Ok(kept)
    }
}
