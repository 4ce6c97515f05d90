//! What a search is asked for.

use serde::{Deserialize, Serialize};

use super::super::error::TrainError;

/// What the budget counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Multiplications and additions of one call of the networks.
    #[default]
    MultiplyAdds,
    /// Trained weights.
    Parameters,
}

/// How layers and ranks are searched for; `rank`, `alpha` and the targets say what the search is measured by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchConfig {
    /// Steps in which the widest adapter shows what is important.
    pub steps: u64,
    /// Rank of every layer of that adapter, where the layer is as large.
    pub most_rank: usize,
    /// What the budget counts.
    pub measure: Measure,
    /// The budget, as a share of what an adapter of rank `rank` on every target costs.
    pub share: f64,
    /// What stays of an importance's moving average at each step.
    pub smoothing: f64,
    /// Whether what was kept is trained on, for the run's `steps`.
    pub train: bool,
    /// Whether the adapter of rank `rank` is trained for as many steps in all, to compare with.
    pub compare: bool,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            steps: 200,
            most_rank: 16,
            measure: Measure::default(),
            share: 0.7,
            smoothing: 0.95,
            train: true,
            compare: false,
        }
    }
}

impl SearchConfig {
    /// # Errors
    /// Names the value and its limits.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(TrainError::Config { field, cause: cause.to_owned() }) }
        };
        check(
            (1..=1_000_000).contains(&self.steps),
            "search.steps",
            "must lie between 1 and 1,000,000",
        )?;
        check(
            (1..=256).contains(&self.most_rank),
            "search.most_rank",
            "must lie between 1 and 256",
        )?;
        check(
            self.share > 0.0 && self.share.is_finite(),
            "search.share",
            "must be a number above 0",
        )?;
        check(
            (0.0..1.0).contains(&self.smoothing),
            "search.smoothing",
            "must lie from 0 to below 1",
        )
    }
}
