//! Generations on the wire: what is asked for, and where it stands.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use skiagraph_engine::dicom::{AgeGroup, Sex};
use skiagraph_engine::prompt::{StructuredPrompt, weights};
use utoipa::ToSchema;

use super::checks::Checks;
use super::limits;
use crate::error::FieldError;
use crate::models::generations::{GenerationRequest, Prompt};
use crate::models::state::{Progress, State};

/// A generation to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGeneration {
    /// What the images are to show.
    pub prompt: Prompt,
    /// What to lead away from, at most 2,000 characters.
    pub negative: Option<String>,
    /// Seed of the first image; the next images have the next seeds. Drawn where it is absent.
    pub seed: Option<i64>,
    /// Denoising steps, 1 to 1,000; the model's own where it is absent.
    pub steps: Option<i64>,
    /// Strength of guidance, 0 to 30; the model's own where it is absent.
    pub guidance_scale: Option<f32>,
    /// How many images, 1 to 16.
    #[serde(default = "one")]
    #[schema(default = 1)]
    pub count: i64,
    /// A promoted adapter; the model alone where it is absent.
    pub adapter_id: Option<String>,
    /// How strongly the adapter acts, 0 to 2.
    pub adapter_scale: Option<f32>,
}

const fn one() -> i64 {
    1
}

/// A word of the wire, and none of the others that the engine reads in tables and DICOM: what is
/// stored is what will be answered.
fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<serde::de::value::Error>::new(word)).ok()
}

/// The sentence of a prompt; faults name the fields under `prompt.`.
fn sentence(prompt: &Prompt, checks: &mut Checks) -> String {
    let age_group = prompt.age_group.as_deref().map(word::<AgeGroup>);
    checks.holds(age_group != Some(None), "prompt.age_group", "must be `child` or `adult`");
    let sex = prompt.sex.as_deref().map(word::<Sex>);
    checks.holds(sex != Some(None), "prompt.sex", "must be `female`, `male` or `other`");
    if prompt.findings.len() > limits::FINDINGS {
        checks.fault("prompt.findings", format!("names more than {}", limits::FINDINGS));
        return String::new();
    }
    let structured = StructuredPrompt {
        findings: prompt.findings.clone(),
        age_group: age_group.flatten(),
        sex: sex.flatten(),
        view_position: prompt.view_position.clone(),
        style: prompt.style.clone(),
        text: prompt.text.clone(),
    };
    structured.sentence().unwrap_or_else(|error| {
        checks.fault(format!("prompt.{}", error.field), error.cause);
        String::new()
    })
}

impl NewGeneration {
    /// Checks every field and fills in the model's defaults; `drawn` is the seed where none is
    /// given.
    pub fn checked(
        self,
        default_steps: u32,
        default_guidance_scale: f32,
        drawn: u64,
    ) -> Result<GenerationRequest, Vec<FieldError>> {
        let mut checks = Checks::new();
        let sentence = sentence(&self.prompt, &mut checks);
        if let Some(negative) = &self.negative {
            if negative.chars().nth(limits::TEXT).is_some() {
                checks.fault("negative", format!("longer than {} characters", limits::TEXT));
            } else if let Err(error) = weights::parse(negative, "negative") {
                checks.fault(error.field, error.cause);
            }
        }
        let steps = self.steps.unwrap_or_else(|| i64::from(default_steps));
        let guidance_scale = self.guidance_scale.unwrap_or(default_guidance_scale);
        checks.within("guidance_scale", guidance_scale, &limits::GUIDANCE_SCALE);
        if let Some(scale) = self.adapter_scale {
            checks.within("adapter_scale", scale, &limits::ADAPTER_SCALE);
            checks.holds(
                self.adapter_id.is_some(),
                "adapter_scale",
                "says how strongly an adapter acts, and there is no adapter_id",
            );
        }
        let count = checks.integer("count", self.count, &limits::COUNT);
        let request = GenerationRequest {
            prompt: self.prompt,
            sentence,
            negative: self.negative.filter(|text| !text.trim().is_empty()),
            seed: self.seed.map_or(drawn, |seed| checks.seed("seed", seed)),
            steps: checks.integer("steps", steps, &limits::STEPS),
            guidance_scale,
            count,
            adapter_scale: self.adapter_id.is_some().then(|| self.adapter_scale.unwrap_or(1.0)),
            adapter_id: self.adapter_id,
            notes: Vec::new(),
        };
        checks.finish(request)
    }
}

/// A generation.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationView {
    /// Identifier.
    pub id: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The user who asked for it.
    pub created_by: String,
    /// Where it stands.
    pub state: State,
    /// Denoising steps done, of all images together.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
    /// What was asked for.
    pub request: GenerationRequest,
    /// How many generations come before this one; absent unless it is queued.
    pub ahead: Option<u64>,
}
