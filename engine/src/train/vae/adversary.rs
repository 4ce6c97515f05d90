//! The discriminator that the autoencoder is trained against (VQGAN; Esser et al., arXiv 2012.09841, section 3.1).
//!
//! Both networks are trained by one loss and one step, so that a checkpoint holds both with their moments, and a run
//! goes on exactly. The two sides of the game are kept apart by what each of them sees of the other: the
//! discriminator's part takes the decoded image detached, and the autoencoder's part asks a copy of the
//! discriminator in which no weight is a variable. So the gradient of the sum is for each network that of its own
//! part.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::data::Size;
use crate::model::{Discriminator, DiscriminatorConfig};
use crate::nn::Weights;
use crate::train::error::TrainError;

/// How the autoencoder is trained against a discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdversaryConfig {
    /// The discriminator's sizes.
    pub network: DiscriminatorConfig,
    /// What the discriminator's verdict counts for in the autoencoder's loss.
    pub weight: f64,
    /// The step at which both begin: before it the autoencoder makes nothing that is worth judging.
    pub start: u64,
    /// Steps from `start` over which the verdict's weight rises from zero, while the discriminator learns.
    #[serde(default)]
    pub ramp: u64,
}

impl AdversaryConfig {
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        if !(self.weight > 0.0 && self.weight <= 100.0) {
            return Err(TrainError::Config {
                field: "vae_loss.adversary.weight",
                cause: "must lie above 0 and at most at 100".into(),
            });
        }
        Ok(())
    }
}

/// Where the discriminator's weights stand among those that are trained.
pub(super) const PREFIX: &str = "discriminator";

pub(super) struct Adversary {
    config: AdversaryConfig,
    discriminator: Discriminator,
    variables: BTreeMap<String, Var>,
}

impl Adversary {
    pub(super) fn new(
        config: &AdversaryConfig,
        sizes: &[Size],
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        for side in sizes.iter().flat_map(|size| [size.width, size.height]) {
            config.network.validate(side)?;
        }
        let weights = Weights::from_seed(seed, DType::F32, device);
        let discriminator = Discriminator::new(&config.network, &weights.pp(PREFIX))?;
        Ok(Self { config: config.clone(), discriminator, variables: weights.variables() })
    }

    /// The discriminator's weights, under [`PREFIX`].
    pub(super) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// Whether the game is on at a step.
    pub(super) fn plays(&self, step: u64) -> bool {
        step >= self.config.start
    }

    /// The autoencoder's part: how real `decoded` looks to the discriminator as it is, weighed for the step.
    pub(super) fn of_decoded(&self, decoded: &Tensor, step: u64) -> candle_core::Result<Tensor> {
        let frozen = self
            .variables
            .iter()
            .map(|(name, variable)| (name.clone(), variable.as_detached_tensor()))
            .collect();
        let weights = Weights::from_tensors(frozen, DType::F32, decoded.device()).pp(PREFIX);
        let frozen = Discriminator::new(&self.config.network, &weights)?;
        let since = (step - self.config.start.min(step)) as f64;
        let risen = (since + 1.0) / (self.config.ramp as f64 + 1.0);
        frozen.forward(decoded)?.mean_all()? * -(self.config.weight * risen.min(1.0))
    }

    /// The discriminator's part: the hinge loss (Lim and Ye, arXiv 1705.02894) of an image and of what was made of
    /// it.
    pub(super) fn of_discriminator(
        &self,
        image: &Tensor,
        decoded: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let count = image.dim(0)?;
        let verdicts = self.discriminator.forward(&Tensor::cat(&[image, &decoded.detach()], 0)?)?;
        let real = verdicts.narrow(0, 0, count)?.affine(-1.0, 1.0)?.relu()?.mean_all()?;
        let made = (verdicts.narrow(0, count, count)? + 1.0)?.relu()?.mean_all()?;
        (real + made)? * 0.5
    }
}
