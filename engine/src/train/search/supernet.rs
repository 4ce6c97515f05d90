//! The widest adapter, trained to see which of its components matter.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};

use super::super::error::TrainError;
use super::super::event::TrainSummary;
use super::super::lora::LoraTask;
use super::super::trainee::Trainee;
use super::super::whole::Whole;
use super::budget::Cost;
use crate::adapter::{AdaptedLayer, Component, attach};
use crate::model::write_json;
use crate::nn::{Delta, Tape};

/// What the supernet's result holds beside its adapter.
pub(super) const IMPORTANCE: &str = "importance.json";

/// An adapter in training whose components are watched.
pub(super) struct SuperNet {
    task: LoraTask,
    layers: Vec<AdaptedLayer>,
    smoothing: f64,
    /// Of every layer the importance of its components.
    importance: RefCell<Vec<Vec<f64>>>,
}

impl SuperNet {
    pub(super) fn new(task: LoraTask, layers: Vec<AdaptedLayer>, smoothing: f64) -> Self {
        let importance = layers.iter().map(|layer| vec![0.0; layer.rank]).collect();
        Self { task, layers, smoothing, importance: RefCell::new(importance) }
    }
}

/// How much each component of a layer matters to the loss: |weight × gradient|, summed over the component's
/// row of the factor down and column of the factor up. To the first order it is what the loss would change by
/// without them (Zhang et al., arXiv 2303.10512, section 3.2).
fn sensitivity(
    layer: &AdaptedLayer,
    variables: &BTreeMap<String, Var>,
    gradients: &GradStore,
) -> Result<Option<Vec<f64>>> {
    let (down, up) = layer.factor_names();
    let mut sums = vec![0.0; layer.rank];
    for (name, along) in [(down, 1), (up, 0)] {
        let Some(variable) = variables.get(&name) else { return Ok(None) };
        let Some(gradient) = gradients.get(variable) else { return Ok(None) };
        let product = (variable.as_detached_tensor() * gradient)?.abs()?;
        let rows = product.reshape((product.dim(0)?, ()))?;
        for (sum, value) in sums.iter_mut().zip(rows.sum(along)?.to_vec1::<f32>()?) {
            *sum += f64::from(value);
        }
    }
    Ok(Some(sums))
}

impl Trainee for SuperNet {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.task.variables()
    }

    fn samples(&self) -> (usize, usize) {
        self.task.samples()
    }

    fn loss(&self, step: u64) -> std::result::Result<Tensor, TrainError> {
        self.task.loss(step)
    }

    fn loss_on<'a>(
        &'a self,
        step: u64,
        tape: &Tape<'a>,
    ) -> std::result::Result<Tensor, TrainError> {
        self.task.loss_on(step, tape)
    }

    fn validation_loss(&self) -> std::result::Result<f32, TrainError> {
        self.task.validation_loss()
    }

    fn seen(&self, gradients: &GradStore) -> std::result::Result<(), TrainError> {
        let mut importance = self.importance.borrow_mut();
        for (layer, averages) in self.layers.iter().zip(importance.iter_mut()) {
            if let Some(now) = sensitivity(layer, self.variables(), gradients)? {
                for (average, now) in averages.iter_mut().zip(now) {
                    *average = self.smoothing * *average + (1.0 - self.smoothing) * now;
                }
            }
        }
        Ok(())
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        summary: &TrainSummary,
        out: &Path,
    ) -> std::result::Result<(), TrainError> {
        self.task.save(weights, summary, out)?;
        Ok(write_json(&out.join(IMPORTANCE), &*self.importance.borrow())?)
    }
}

/// Counts the rows of a layer's answers, and adds nothing.
struct Counter(AtomicU64);

impl Delta for Counter {
    fn forward(&self, _x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let rows = y.elem_count() / y.dims().last().copied().unwrap_or(1).max(1);
        self.0.fetch_add(rows as u64, Ordering::Relaxed);
        y.zeros_like()
    }
}

/// What a rank costs at each of `layers`, in one call of the networks for one image. Nothing may be on the
/// model, and nothing is afterwards.
pub(super) fn costs(
    whole: &Whole,
    layers: &[AdaptedLayer],
    device: &Device,
) -> std::result::Result<Vec<Cost>, TrainError> {
    let networks = whole.networks();
    attach(&networks, &[], false)?;
    let slots = BTreeMap::from([
        (Component::Unet, whole.unet_weights.slots()),
        (Component::TextEncoder, whole.text_weights.slots()),
    ]);
    let mut counters = Vec::new();
    for layer in layers {
        let counter = Arc::new(Counter(AtomicU64::new(0)));
        let slot = slots.get(&layer.component).and_then(|slots| slots.get(&layer.path));
        if let Some(slot) = slot {
            slot.fill(vec![counter.clone()]);
        }
        counters.push(counter);
    }
    let vae = whole.bundle.vae_config()?;
    let side = vae.sample_size / vae.compression();
    let length = whole.text.config().max_position_embeddings;
    let asked = whole.tokenizer.encode("", length)?.tokens;
    let context = whole.text.forward(&Tensor::from_vec(asked, (1, length), device)?)?;
    let sample = Tensor::zeros((1, vae.latent_channels, side, side), DType::F32, device)?;
    whole.unet.forward(&sample, &[0.0], &context)?;
    attach(&networks, &[], false)?;
    Ok(layers
        .iter()
        .zip(counters)
        .map(|(layer, counter)| Cost {
            rows: counter.0.load(Ordering::Relaxed),
            inputs: layer.inputs as u64,
            outputs: layer.outputs as u64,
        })
        .collect())
}
