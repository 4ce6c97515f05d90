//! What several rooms of tests share: a trainee without a network, for what the loop itself does, and
//! another manifest.

use std::cell::Cell;

use serde_json::Value;

use super::*;
use crate::train::run;

type Variables = BTreeMap<String, Var>;
/// The loss of a step by the weights.
type Loss = fn(&Variables, u64) -> candle_core::Result<Tensor>;

/// Weights with a loss, and nothing between them.
pub(super) struct Bare {
    pub(super) variables: Variables,
    loss: Loss,
    held_out: Vec<f32>,
    looks: Cell<usize>,
}

impl Bare {
    /// Weights by name with the values that they start from.
    pub(super) fn new(weights: &[(&str, &[f32])], loss: Loss) -> Self {
        let variable = |(name, start): &(&str, &[f32])| {
            let start = Tensor::new(*start, &Device::Cpu).unwrap();
            ((*name).to_owned(), Var::from_tensor(&start).unwrap())
        };
        let variables = weights.iter().map(variable).collect();
        Self { variables, loss, held_out: Vec::new(), looks: Cell::new(0) }
    }

    /// Its loss on held-out patients, look by look; zero beyond the last.
    pub(super) fn held_out(self, losses: &[f32]) -> Self {
        Self { held_out: losses.to_vec(), ..self }
    }

    /// The run of `config`, from its checkpoint `last` on where there is one.
    pub(super) fn train(
        &self,
        config: &TrainConfig,
        last: Option<&Path>,
        on_event: &mut dyn FnMut(TrainEvent),
    ) -> Result<TrainSummary, TrainError> {
        let start = run::Start { last, ..run::Start::default() };
        run::train(config, self, start, on_event, &CancelToken::new())
    }

    /// Why the run of `config` fails, which leaves no result.
    pub(super) fn fails(&self, config: &TrainConfig) -> TrainError {
        let error = self.train(config, None, &mut |_| ()).unwrap_err();
        assert!(!config.out.join("result").exists());
        error
    }
}

impl Trainee for Bare {
    fn variables(&self) -> &Variables {
        &self.variables
    }

    fn samples(&self) -> (usize, usize) {
        (1, 1)
    }

    fn loss(&self, step: u64) -> Result<Tensor, TrainError> {
        Ok((self.loss)(&self.variables, step)?)
    }

    fn validation_loss(&self) -> Result<f32, TrainError> {
        let look = self.looks.replace(self.looks.get() + 1);
        Ok(self.held_out.get(look).copied().unwrap_or(0.0))
    }

    fn save(
        &self,
        weights: &BTreeMap<String, Tensor>,
        _summary: &TrainSummary,
        out: &Path,
    ) -> Result<(), TrainError> {
        crate::model::save_weights(&out.join("x.safetensors"), weights, candle_core::DType::F32)?;
        Ok(())
    }
}

/// Makes every sample of a manifest anew; those of which `change` makes none are taken out.
pub(super) fn remake(dataset: &Path, change: impl FnMut(Value) -> Option<Value>) {
    let manifest = dataset.join("manifest.jsonl");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let samples = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<String> =
        samples.filter_map(change).map(|sample: Value| sample.to_string()).collect();
    let end = if lines.is_empty() { "" } else { "\n" };
    std::fs::write(&manifest, lines.join("\n") + end).unwrap();
}

/// Changes every sample of a manifest.
pub(super) fn rewrite(dataset: &Path, change: impl Fn(&mut Value)) {
    remake(dataset, |mut sample| {
        change(&mut sample);
        Some(sample)
    });
}
