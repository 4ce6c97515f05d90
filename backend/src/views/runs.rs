//! Runs on the wire: the training of an adapter.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checks::Checks;
use super::limits;
use crate::error::FieldError;
use crate::models::runs::RunConfig;
use crate::models::state::{Progress, State};

/// The one method that there is so far.
const LORA: &str = "lora";

/// A run to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// Its name, and the adapter's; 1 to 120 characters.
    pub name: String,
    /// The data set to learn from; it must have succeeded.
    pub dataset_id: String,
    /// `lora`.
    #[serde(default = "lora")]
    #[schema(default = "lora")]
    pub method: String,
    /// Rank of the adapter, 1 to 256.
    #[serde(default = "default_rank")]
    #[schema(default = 8)]
    pub rank: i64,
    /// The adapter's change is scaled by alpha / rank; the rank where it is absent.
    pub alpha: Option<f64>,
    /// Steps, 1 to 1,000,000.
    pub steps: i64,
    /// Images a step, 1 to 256.
    #[serde(default = "default_batch_size")]
    #[schema(default = 8)]
    pub batch_size: i64,
    /// Learning rate, above 0 and up to 1.
    #[serde(default = "default_learning_rate")]
    #[schema(default = 0.0001)]
    pub learning_rate: f64,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: i64,
}

fn lora() -> String {
    LORA.to_owned()
}

const fn default_rank() -> i64 {
    8
}

const fn default_batch_size() -> i64 {
    8
}

const fn default_learning_rate() -> f64 {
    1e-4
}

impl NewRun {
    /// Checks every field. Returns the name and the configuration.
    pub fn checked(&self) -> Result<(String, RunConfig), Vec<FieldError>> {
        let mut checks = Checks::new();
        let name = checks.text("name", &self.name, &limits::NAME);
        checks.holds(self.method == LORA, "method", "must be `lora`");
        let alpha = self.alpha.unwrap_or(self.rank as f64);
        checks.positive("alpha", alpha, limits::MOST_ALPHA);
        checks.positive("learning_rate", self.learning_rate, limits::MOST_LEARNING_RATE);
        let config = RunConfig {
            method: self.method.clone(),
            rank: checks.integer("rank", self.rank, &limits::RANK),
            alpha,
            steps: checks.integer("steps", self.steps, &limits::TRAINING_STEPS),
            batch_size: checks.integer("batch_size", self.batch_size, &limits::BATCH_SIZE),
            learning_rate: self.learning_rate,
            seed: checks.seed("seed", self.seed),
        };
        checks.finish((name, config))
    }
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Identifier; also the adapter's, once it is promoted.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The user who asked for it.
    pub created_by: String,
    /// Where it stands.
    pub state: State,
    /// Steps done, of all.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// The data set it learns from.
    pub dataset_id: String,
    /// How it is trained.
    pub config: RunConfig,
    /// Loss on held-out patients of the untouched model.
    pub validation_loss_before: Option<f32>,
    /// The same with the trained adapter.
    pub validation_loss_after: Option<f32>,
    /// When the adapter was promoted.
    pub promoted_at: Option<DateTime<Utc>>,
}
