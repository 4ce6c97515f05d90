//! What moves a weight: AdamW or Adafactor, with the weight's moving average, and a master in single precision
//! where the network computes in less.

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::kernel::{Adafactor, AdafactorStep, AdamW, AdamWStep};

/// How weights are moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    /// Two moments of each weight (Loshchilov and Hutter, arXiv 1711.05101).
    #[default]
    AdamW,
    /// A row and a column of each matrix (Shazeer and Stern, arXiv 1804.04235): hardly any memory. The learning
    /// rate is relative to the weights then; 0.01 is usual.
    Adafactor,
}

/// The number type in which a network that is trained computes. Its weights' masters, the optimiser and the
/// average stay in single precision (Micikevicius et al., arXiv 1710.03740).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16: half the memory of weights and activations.
    Bf16,
}

impl Precision {
    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }
}

enum Rule {
    AdamW(AdamW),
    /// With the moving average of the weight, where one is kept.
    Adafactor(Adafactor, Option<Var>),
}

/// What one weight learns with.
pub(super) struct Learner {
    /// The weight in single precision, where the network's own is in less.
    master: Option<Var>,
    rule: Rule,
}

impl Learner {
    /// For the fresh weight `variable`; `averages` says whether a moving average is wanted.
    pub(super) fn new(
        kind: OptimiserKind,
        variable: &Var,
        averages: bool,
    ) -> candle_core::Result<Self> {
        let single = variable.as_detached_tensor().to_dtype(DType::F32)?;
        let rule = match kind {
            OptimiserKind::AdamW => Rule::AdamW(AdamW::new(&single)?),
            OptimiserKind::Adafactor => Rule::Adafactor(
                Adafactor::new(&single)?,
                averages.then(|| Var::from_tensor(&single.copy()?)).transpose()?,
            ),
        };
        let less = variable.dtype() != DType::F32;
        Ok(Self { master: less.then(|| Var::from_tensor(&single)).transpose()?, rule })
    }

    /// Moves `variable` along `gradient`, and the average after it.
    pub(super) fn apply(
        &self,
        variable: &Var,
        gradient: &Tensor,
        step: AdamWStep,
    ) -> candle_core::Result<()> {
        let weight = self.master.as_ref().unwrap_or(variable);
        let gradient = gradient.to_dtype(DType::F32)?;
        match &self.rule {
            Rule::AdamW(rule) => rule.apply(weight, &gradient, step)?,
            Rule::Adafactor(rule, average) => {
                let numbers = AdafactorStep {
                    step: step.step,
                    learning_rate: step.learning_rate,
                    weight_decay: step.weight_decay,
                    gradient_scale: step.gradient_scale,
                };
                rule.apply(weight, &gradient, numbers)?;
                if let Some(average) = average {
                    let (stay, moved) = (step.average_decay, weight.as_detached_tensor());
                    average.set(
                        &((average.as_detached_tensor() * stay)? + (moved * (1.0 - stay))?)?,
                    )?;
                }
            }
        }
        self.hand_on(variable)
    }

    /// Gives the network its master's values.
    fn hand_on(&self, variable: &Var) -> candle_core::Result<()> {
        match &self.master {
            Some(master) => variable.set(&master.as_detached_tensor().to_dtype(variable.dtype())?),
            None => Ok(()),
        }
    }

    /// The weight in single precision.
    pub(super) fn weight(&self, variable: &Var) -> Tensor {
        self.master.as_ref().unwrap_or(variable).as_detached_tensor()
    }

    /// The moving average of the weight in single precision; the weight itself where none is kept.
    pub(super) fn average(&self, variable: &Var) -> candle_core::Result<Tensor> {
        match &self.rule {
            Rule::AdamW(rule) => rule.average(),
            Rule::Adafactor(_, Some(average)) => Ok(average.as_detached_tensor()),
            Rule::Adafactor(_, None) => Ok(self.weight(variable)),
        }
    }

    /// What a checkpoint keeps beside the weight, each with the end of its name.
    pub(super) fn states(&self) -> Vec<(&'static str, &Var)> {
        match &self.rule {
            Rule::AdamW(rule) => vec![("", &rule.state)],
            Rule::Adafactor(rule, average) => {
                let average = average.as_ref().map(|average| ("#average", average));
                std::iter::once(("", &rule.state)).chain(average).collect()
            }
        }
    }

    /// Puts a checkpoint's weight in place.
    pub(super) fn restore(&self, variable: &Var, weight: &Tensor) -> candle_core::Result<()> {
        match &self.master {
            Some(master) => master.set(weight)?,
            None => variable.set(weight)?,
        }
        self.hand_on(variable)
    }

    /// Bytes beside the network's own weight and its gradient.
    pub(super) fn bytes(&self) -> u64 {
        let of = |variable: &Var| (variable.elem_count() * variable.dtype().size_in_bytes()) as u64;
        let states: u64 = self.states().into_iter().map(|(_, state)| of(state)).sum();
        states + self.master.as_ref().map_or(0, of)
    }
}
