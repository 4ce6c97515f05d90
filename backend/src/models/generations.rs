//! Generations: requests for images, and where they stand.

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde::{Deserialize, Serialize};
use skiagraph_engine::prompt::DescribedFinding;
use utoipa::ToSchema;

use super::state::State;
use super::work::signed;
use crate::entities::generations::{ActiveModel, Column, Entity, Model};

/// A finding: its word alone, or with more about it. The engine's type as the API's description has
/// it; a test holds them against each other.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PromptFinding {
    /// Its slug, name or synonym.
    Word(String),
    /// With place, severity and weight.
    Described(PromptFindingParts),
}

/// A finding with place, severity and weight.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptFindingParts {
    /// Its slug, name or synonym.
    pub finding: String,
    /// Where it lies: `left`, `right_lower_lobe` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// `mild`, `moderate` or `severe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// How much it counts in the prompt, above 0 and up to 2; 1 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f32>,
}

/// What of a text the model will not see, or not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptNote {
    /// `prompt` or `negative`.
    pub field: String,
    /// Words that are not in the model's vocabulary, as written.
    pub unknown: Vec<String>,
    /// Text that the model has no room for; empty where it sees all.
    pub beyond: String,
}

/// What an image is to show, in parts. Parts that are absent are left to the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prompt {
    /// Findings by slug or name, alone or with place, severity and weight; `/findings` lists them.
    #[schema(value_type = Vec<PromptFinding>)]
    pub findings: Vec<DescribedFinding>,
    /// `child` or `adult`.
    pub age_group: Option<String>,
    /// `female`, `male` or `other`.
    pub sex: Option<String>,
    /// `AP`, `PA`, `LL` or `RL`.
    pub view_position: Option<String>,
    /// How it was taken or recorded: `portable`, `digital`, `computed`, `film`, `low_contrast` or
    /// `high_contrast`.
    pub style: Option<String>,
    /// Anything more in free words, at most 2,000 characters; `(word:1.3)` gives a word weight.
    pub text: Option<String>,
}

/// A request with everything that decides the images filled in; as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GenerationRequest {
    /// What the images are to show.
    pub prompt: Prompt,
    /// The sentence that the model is given.
    pub sentence: String,
    /// What to lead away from.
    pub negative: Option<String>,
    /// Seed of the first image; the next images have the next seeds.
    pub seed: u64,
    /// Denoising steps.
    pub steps: u32,
    /// Strength of guidance.
    pub guidance_scale: f32,
    /// How many images.
    pub count: u32,
    /// The adapter, if any.
    pub adapter_id: Option<String>,
    /// How strongly the adapter acts.
    pub adapter_scale: Option<f32>,
    /// What of the sentence and of the negative prompt the model will not see, or not know; nothing
    /// where both are all clear to it.
    #[serde(default)]
    pub notes: Vec<PromptNote>,
}

/// Makes a queued record.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: &str,
    request: &GenerationRequest,
    created_by: &str,
) -> Result<Model, DbErr> {
    let json = serde_json::to_value(request).map_err(|error| DbErr::Json(error.to_string()))?;
    ActiveModel {
        id: Set(id.to_owned()),
        request: Set(json),
        state: Set(State::Queued.word().to_owned()),
        progress_step: Set(0),
        progress_total: Set(signed(u64::from(request.count) * u64::from(request.steps))),
        error: Set(None),
        created_by: Set(created_by.to_owned()),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await
}

/// The generation with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The request of a record.
pub fn request(model: &Model) -> Result<GenerationRequest, DbErr> {
    serde_json::from_value(model.request.clone()).map_err(|error| DbErr::Json(error.to_string()))
}

/// A page of a user's generations, the newest first, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    created_by: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Model>, u64), DbErr> {
    let all = Entity::find().filter(Column::CreatedBy.eq(created_by));
    let total = all.clone().count(db).await?;
    let items = all.order_by_desc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((items, total))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn findings_are_read_as_they_are_described() {
        let described = DescribedFinding {
            finding: "mass".to_owned(),
            place: Some("left".to_owned()),
            severity: Some("mild".to_owned()),
            weight: Some(1.5),
        };
        for real in ["mass".into(), described] {
            let written = serde_json::to_value(&real).unwrap();
            let shape: PromptFinding = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(shape).unwrap(), written);
        }
    }

    #[test]
    fn requests_of_older_programs_are_read() {
        let stored = serde_json::json!({
            "prompt": {
                "findings": ["normal"], "age_group": "adult", "sex": null, "view_position": null,
                "text": null,
            },
            "sentence": "chest radiograph, adult, normal", "negative": null, "seed": 7, "steps": 2,
            "guidance_scale": 3.0, "count": 1, "adapter_id": null, "adapter_scale": null,
        });
        let request: GenerationRequest = serde_json::from_value(stored).unwrap();
        assert_eq!(request.prompt.findings, ["normal".into()]);
        assert!(request.notes.is_empty() && request.prompt.style.is_none());
    }
}
