//! Synthetic images and their reviews on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::checks::Checks;
use super::{limits, shapes};
use crate::error::FieldError;

/// Where an image stands on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// Nobody has judged it.
    Pending,
    /// It may leave.
    Released,
    /// It must not be used.
    Rejected,
}

impl ReviewState {
    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Released => "released",
            Self::Rejected => "rejected",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Released, Self::Rejected]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// A reader's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The image may leave.
    Release,
    /// The image must not be used.
    Reject,
}

impl Verdict {
    /// The word in the database and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Reject => "reject",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Release, Self::Reject].into_iter().find(|verdict| verdict.word() == word)
    }

    /// What it makes of the image.
    pub const fn review_state(self) -> ReviewState {
        match self {
            Self::Release => ReviewState::Released,
            Self::Reject => ReviewState::Rejected,
        }
    }
}

/// Which images to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImageFilter {
    /// Only those of this generation.
    pub generation_id: Option<String>,
    /// Only those that stand so: `pending`, `released` or `rejected`.
    pub review_state: Option<String>,
}

/// A synthetic image.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageView {
    /// Identifier.
    pub id: String,
    /// The generation that it belongs to.
    pub generation_id: String,
    /// Its place among that generation's images, from 0.
    pub index: u32,
    /// The seed of its noise.
    pub seed: u64,
    /// SHA-256 of the DICOM file, hexadecimal.
    pub sha256: String,
    /// Program, model, adapters and settings: enough to make it again.
    #[schema(value_type = shapes::Provenance)]
    pub provenance: serde_json::Value,
    /// Where it stands on its way out.
    pub review_state: ReviewState,
    /// When it was finished.
    pub created_at: DateTime<Utc>,
}

/// A review to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// `release` or `reject`.
    #[schema(value_type = Verdict)]
    pub verdict: String,
    /// Why; a rejection needs a reason.
    pub reason: Option<String>,
    /// How real it looks, from 1 to 5.
    pub realism: Option<i64>,
}

/// A review whose fields are in order.
#[derive(Debug, Clone)]
pub struct CheckedReview {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// How real it looks.
    pub realism: Option<u8>,
}

impl NewReview {
    /// Checks every field.
    pub fn checked(&self) -> Result<CheckedReview, Vec<FieldError>> {
        let mut checks = Checks::new();
        let verdict = Verdict::parse(&self.verdict);
        checks.holds(verdict.is_some(), "verdict", "must be `release` or `reject`");
        let reason = match self.reason.as_deref().map(str::trim) {
            Some(reason) if !reason.is_empty() => {
                Some(checks.text("reason", reason, &limits::REASON))
            }
            _ => None,
        };
        checks.holds(
            reason.is_some() || verdict != Some(Verdict::Reject),
            "reason",
            "a rejection needs a reason",
        );
        let realism =
            self.realism.map(|realism| checks.integer("realism", realism, &limits::REALISM));
        // Where there is no verdict there is a fault, and the stand-in is never seen.
        let verdict = verdict.unwrap_or(Verdict::Reject);
        checks.finish(CheckedReview { verdict, reason, realism })
    }
}

/// What a report on a review says of who gave it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Whether the reviewer's name stands in it; a pseudonym without it, the same in every report of
    /// theirs.
    #[serde(default)]
    #[param(default = false)]
    pub named: bool,
}

/// A review.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewView {
    /// Identifier.
    pub id: String,
    /// The image.
    pub image_id: String,
    /// The user who gave it.
    pub reviewer: String,
    /// That user's name to show.
    pub reviewer_name: String,
    /// The verdict; the newest one counts.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// How real it looks, from 1 to 5.
    pub realism: Option<u8>,
    /// When it was given.
    pub created_at: DateTime<Utc>,
}
