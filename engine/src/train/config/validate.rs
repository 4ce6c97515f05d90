//! Which values of a configuration can be.

use super::{Task, TrainConfig};
use crate::train::error::TrainError;
use crate::train::lora::LoraConfig;
use crate::train::optimiser::Precision;
use crate::train::prefix::PrefixConfig;
use crate::train::textual_inversion::TextualInversionConfig;

impl TrainConfig {
    /// Checks every value that can be checked without the data set or the model.
    ///
    /// # Errors
    /// Names the value and its limits.
    pub fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        check((1..=1_000_000).contains(&self.steps), "steps", "must lie between 1 and 1,000,000")?;
        check((1..=256).contains(&self.batch_size), "batch_size", "must lie between 1 and 256")?;
        check(
            self.learning_rate > 0.0 && self.learning_rate <= 1.0,
            "learning_rate",
            "must lie above 0 and at most at 1",
        )?;
        check(
            (0.0..1.0).contains(&self.average_decay),
            "average_decay",
            "must lie from 0 to below 1",
        )?;
        check(
            self.clip_norm > 0.0 && self.clip_norm.is_finite(),
            "clip_norm",
            "must be a number above 0",
        )?;
        check(
            (0.0..=1.0).contains(&self.weight_decay),
            "weight_decay",
            "must lie between 0 and 1",
        )?;
        check(
            (0.0..1.0).contains(&self.caption_dropout),
            "caption_dropout",
            "must lie from 0 to below 1",
        )?;
        check(
            self.min_snr_gamma >= 0.0 && self.min_snr_gamma.is_finite(),
            "min_snr_gamma",
            "must be a number from 0, which weighs every timestep the same",
        )?;
        check((0.0..=1.0).contains(&self.balance), "balance", "must lie between 0 and 1")?;
        check(self.validate_every > 0, "validate_every", "must lie above 0")?;
        check(self.validation_samples > 0, "validation_samples", "must lie above 0")?;
        check(self.checkpoint_every > 0, "checkpoint_every", "must lie above 0")?;
        check(self.keep_checkpoints > 0, "keep_checkpoints", "must lie above 0")?;
        if let Some(prior) = &self.prior {
            let whole = match self.task {
                // What is trained beside a frozen model leaves it what it makes; a concept has its replay.
                Task::Vae | Task::Judge | Task::Clip | Task::Controlnet | Task::Concept => false,
                Task::Base => self.fine_tune.is_some(),
                Task::Lora | Task::Prefix | Task::TextualInversion => true,
            };
            check(whole, "prior", "needs a whole model that is changed, whose images it keeps")?;
            prior.validate()?;
        }
        check(
            !self.gradient_checkpointing || self.task.checkpoints(),
            "gradient_checkpointing",
            "must be false: this task's network keeps all that it computes",
        )?;
        check((1..=1024).contains(&self.accumulate), "accumulate", "must lie between 1 and 1024")?;
        check(
            self.precision == Precision::F32 || self.task == Task::Base,
            "precision",
            "must be f32: the UNet of base alone is trained in less",
        )?;
        check(self.patience != Some(0), "patience", "must lie above 0")?;
        self.validate_samples()?;
        self.objective.validate()?;
        check(
            self.objective.alignment.is_none() || matches!(self.task, Task::Base | Task::Lora),
            "objective.alignment",
            "is of base and lora alone",
        )?;
        if let Some(buckets) = &self.aspect_buckets {
            let any_size = match self.task {
                Task::Judge | Task::Clip => false,
                Task::Vae
                | Task::Base
                | Task::Lora
                | Task::Controlnet
                | Task::Concept
                | Task::Prefix
                | Task::TextualInversion => true,
            };
            check(any_size, "aspect_buckets", "must be absent: this task's network sees squares")?;
            check(
                self.objective.alignment.is_none(),
                "aspect_buckets",
                "must be absent beside objective.alignment, whose judge sees squares",
            )?;
            buckets.validate()?;
        }
        match self.task {
            Task::Vae => {
                check(self.vae.is_some(), "vae", "the sizes of the autoencoder are missing")?;
                check(
                    (16..=2048).contains(&self.image_size),
                    "image_size",
                    "must lie between 16 and 2048",
                )?;
                if let Some(losses) = &self.vae_loss {
                    losses.validate()?;
                }
            }
            Task::Judge => match &self.judge {
                Some(judge) => judge.validate()?,
                None => check(false, "judge", "what the judge is is missing")?,
            },
            Task::Base if self.fine_tune.is_some() => {}
            Task::Base => {
                check(self.unet.is_some(), "unet", "the sizes of the UNet are missing")?;
                check(self.text.is_some(), "text", "the sizes of the text encoder are missing")?;
                check(self.card.is_some(), "card", "the model's card is missing")?;
                self.schedule
                    .validate()
                    .map_err(|cause| TrainError::Config { field: "schedule", cause })?;
            }
            Task::Lora => {
                check((1..=256).contains(&self.rank), "rank", "must lie between 1 and 256")?;
                check(
                    self.alpha > 0.0 && self.alpha <= 1024.0,
                    "alpha",
                    "must lie above 0 and at most at 1024",
                )?;
                check(!self.targets.is_empty(), "targets", "no layer is named")?;
                self.lora.as_ref().map_or(Ok(()), LoraConfig::validate)?;
            }
            Task::Prefix => self.prefix.as_ref().map_or(Ok(()), PrefixConfig::validate)?,
            Task::TextualInversion => {
                let own = self.textual_inversion.as_ref();
                check(own.is_some(), "textual_inversion", "the word to learn is missing")?;
                own.map_or(Ok(()), TextualInversionConfig::validate)?;
            }
            Task::Controlnet => {
                check(
                    self.controlnet.is_some(),
                    "controlnet",
                    "what the network is to follow (controlnet.kind) is missing",
                )?;
            }
            Task::Clip => {
                check(self.text.is_some(), "text", "the sizes of the text encoder are missing")?;
            }
            Task::Concept => {}
        }
        if let Some(concept) = &self.concept {
            concept.validate()?;
        }
        if let Some(clip) = &self.clip {
            clip.validate()?;
        }
        if let Some(controlnet) = &self.controlnet {
            controlnet.validate()?;
        }
        Ok(())
    }

    fn validate_samples(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        if self.sample_every == 0 {
            return check(
                self.sample_prompts.is_empty(),
                "sample_every",
                "must lie above 0 where there are sample_prompts",
            );
        }
        check(
            self.task.samples(),
            "sample_every",
            "must be 0: this task makes no pictures of prompts",
        )?;
        check(
            (1..=64).contains(&self.sample_prompts.len()),
            "sample_prompts",
            "must be 1 to 64 prompts where there is a sample_every",
        )?;
        check(
            (1..=1000).contains(&self.sample_steps),
            "sample_steps",
            "must lie between 1 and 1,000",
        )?;
        check(
            (0.0..=100.0).contains(&self.sample_guidance_scale),
            "sample_guidance_scale",
            "must lie between 0 and 100",
        )
    }
}
