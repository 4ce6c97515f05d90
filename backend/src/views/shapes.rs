//! Types of the rooms below as the API's description has them. Compliance and engine know no HTTP
//! and cannot describe themselves; a test holds each shape against what it stands for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user may be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for synthetic radiographs and judges them.
    Clinician,
    /// Brings radiographs in, builds data sets, trains adapters.
    MlEngineer,
    /// Reads and exports the audit log; changes nothing.
    Auditor,
    /// Manages users.
    Admin,
}

/// Sex, as DICOM knows it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// `F`
    Female,
    /// `M`
    Male,
    /// `O`
    Other,
}

/// The kinds of doubt about a radiograph that comes in, those first that make a picture useless.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    /// Not of the chest, or nothing like a frontal radiograph of one.
    BodyPart,
    /// Taken from the side.
    Lateral,
    /// Black and white are exchanged.
    Inverted,
    /// Turned by a quarter, a half or three quarters.
    Rotated,
    /// Too dark, too bright, or without contrast.
    Exposure,
    /// Letters may stand in the picture, and of a person.
    BurnedIn,
    /// Nearly the same picture as another.
    Duplicate,
}

/// One thing that speaks against a radiograph.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    /// What kind it is.
    pub kind: DoubtKind,
    /// The reason, in a sentence.
    pub cause: String,
}

/// The age groups that prompts and captions speak of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgeGroup {
    /// Under 18 years.
    Child,
    /// 18 years and over.
    Adult,
}

/// Which part of a data set a patient is in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen by training.
    Train,
    /// Kept back, to measure what training has learnt.
    Validation,
}

/// Samples or patients by split.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitCount {
    /// In training.
    pub train: u64,
    /// In validation.
    pub validation: u64,
}

/// What a data set says of itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetCard {
    /// Edition of the folder's layout.
    pub format: u32,
    /// The data set's name.
    pub name: String,
    /// Under which licence the sources may be used.
    pub licence: String,
    /// Whom to credit.
    pub attribution: String,
    /// When it was built.
    pub created: DateTime<Utc>,
    /// The engine that built it.
    pub engine_version: String,
    /// Some samples are synthetic.
    pub synthetic: bool,
    /// Share of patients that was to be kept for validation.
    pub validation_fraction: f32,
    /// The seed of the split.
    pub seed: u64,
    /// SHA-256 over the SHA-256 of every source, in their order.
    pub sources_sha256: String,
    /// Files taken as sources.
    pub sources: u64,
    /// Sources left out because another has exactly the same pixels.
    pub duplicates_dropped: u64,
    /// Files that are not DICOM.
    pub other_files_ignored: u64,
    /// Samples by split.
    pub samples: SplitCount,
    /// Patients by split.
    pub patients: SplitCount,
    /// Samples by finding and split; a sample with two findings counts in both.
    pub findings: BTreeMap<String, SplitCount>,
    /// Samples by age group and split; `unknown` where there is none.
    pub age_groups: BTreeMap<String, SplitCount>,
    /// Samples by sex and split.
    pub sexes: BTreeMap<String, SplitCount>,
    /// Samples by view position and split.
    pub view_positions: BTreeMap<String, SplitCount>,
}

/// Program, model, adapters and settings: enough to make an image again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program that made it.
    pub program: String,
    /// The program's version.
    pub version: String,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the model's weights, hexadecimal.
    pub model_sha256: String,
    /// Licences of the model, of the adapters and words that acted, and of what they learned from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Whom to credit for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribution: Vec<String>,
    /// The adapters that acted, in their order.
    pub adapters: Vec<AdapterUse>,
    /// The learned words that the prompts could use, in their order.
    #[serde(default)]
    pub embeddings: Vec<EmbeddingUse>,
    /// The seed of the noise.
    pub seed: u64,
    /// How the seed becomes noise.
    pub random_generator: String,
    /// Denoising steps.
    pub steps: u32,
    /// Strength of guidance.
    pub guidance_scale: f32,
    /// How far guidance was brought back to the spread of the unguided prediction, 0 to 1.
    pub guidance_rescale: f32,
    /// The scheduler's name.
    pub scheduler: String,
    /// The scheduler's whole configuration.
    #[schema(value_type = Object)]
    pub scheduler_config: serde_json::Value,
    /// What was led away from.
    pub negative_prompt: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The share of the steps that was taken from an initial image; absent, it began with noise.
    pub strength: Option<f64>,
    /// Parameters of the sampling that were not at their defaults, by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub options: serde_json::Value,
    /// The pictures that went in.
    pub inputs: Vec<InputUse>,
    /// The mark in the pixels; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<WatermarkUse>,
}

/// The mark that an image's pixels bear.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatermarkUse {
    /// Name and version of the way of marking.
    pub scheme: String,
    /// Fingerprint of its key, hexadecimal.
    pub key: String,
}

/// A word that was learned beside the model's vocabulary.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingUse {
    /// The word.
    pub token: String,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
}

/// An adapter that acted on an image.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdapterUse {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights, hexadecimal.
    pub sha256: String,
    /// 0 is nothing, 1 as trained.
    pub scale: f32,
}

/// A picture that went into an image.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InputUse {
    /// `init`, `mask` or `control`.
    pub role: String,
    /// SHA-256 of its pixels, hexadecimal.
    pub sha256: String,
    /// For a control, which network read it, and how.
    pub control: Option<ControlUse>,
}

/// How a condition image acted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlUse {
    /// SHA-256 of the network's weights, hexadecimal.
    pub network_sha256: String,
    /// Its strength.
    pub weight: f64,
    /// The share of the steps before which it did not act.
    pub start: f64,
    /// The share of the steps after which it acted no more.
    pub end: f64,
}

/// What a run says while it works.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrainEvent {
    /// The run starts, or goes on from a checkpoint.
    Started {
        /// The step before the first one that follows.
        step: u64,
        /// Steps in all.
        total_steps: u64,
        /// Weights that are trained.
        trainable_weights: u64,
        /// Images to train on.
        training_samples: u64,
        /// Images of held-out patients.
        validation_samples: u64,
    },
    /// Something speaks against the data set; the run goes on.
    Warning {
        /// Before which step was it seen; 0 is before the first.
        step: u64,
        /// What, in a sentence.
        cause: String,
    },
    /// What the run will take, by what its next step would.
    Estimate {
        /// After which step; 0 is before the first.
        step: u64,
        /// Seconds that the steps left take, with their looks at held-out patients.
        seconds: f64,
        /// Bytes of the weights that are trained.
        weight_bytes: u64,
        /// Bytes of their gradients.
        gradient_bytes: u64,
        /// Bytes of the optimiser's moments, averages and masters.
        optimiser_bytes: u64,
        /// Bytes that a step takes besides: its activations. Absent where the system does not tell.
        activation_bytes: Option<u64>,
        /// Bytes of the process's memory at its peak, all together. Absent where the system does not tell.
        peak_bytes: Option<u64>,
    },
    /// A step is done.
    Step {
        /// Which, counted from 1.
        step: u64,
        /// Steps in all.
        total_steps: u64,
        /// Loss of the step's batch.
        loss: f32,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Norm of the gradient before clipping.
        gradient_norm: f32,
        /// Estimate of the time left.
        seconds_left: f64,
    },
    /// Held-out patients were looked at.
    Validation {
        /// After which step; 0 is before the first.
        step: u64,
        /// Loss on held-out patients.
        loss: f32,
    },
    /// A checkpoint is whole on the disk.
    Checkpoint {
        /// After which step.
        step: u64,
    },
    /// The run is done.
    Finished {
        /// Steps that were done.
        step: u64,
        /// Loss on held-out patients before the first step.
        validation_loss_before: f32,
        /// The same after the last.
        validation_loss_after: f32,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::de::DeserializeOwned;
    use skiagraph_compliance::role;
    use skiagraph_engine::{data, dicom, train};

    use super::*;

    /// What the room below writes, the shape reads and writes again without a difference.
    fn check<Shape: Serialize + DeserializeOwned>(real: &impl Serialize) {
        let written = serde_json::to_value(real).unwrap();
        let read: Shape = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }

    /// And has no word more.
    fn check_words<Shape: Serialize + DeserializeOwned>(real: &[impl Serialize], shapes: usize) {
        real.iter().for_each(check::<Shape>);
        assert_eq!(real.len(), shapes);
    }

    #[test]
    fn words() {
        check_words::<Role>(&role::Role::ALL, 4);
        check_words::<Sex>(&[dicom::Sex::Female, dicom::Sex::Male, dicom::Sex::Other], 3);
        check_words::<AgeGroup>(&[dicom::AgeGroup::Child, dicom::AgeGroup::Adult], 2);
        check_words::<Split>(&[data::Split::Train, data::Split::Validation], 2);
    }

    #[test]
    fn card_and_provenance() {
        let count = || data::Counts { train: 3, validation: 1 };
        let counts = || BTreeMap::from([("unknown".to_owned(), count())]);
        check::<DatasetCard>(&data::Card {
            format: 1,
            name: "a".to_owned(),
            licence: "b".to_owned(),
            attribution: "c".to_owned(),
            created: Utc::now(),
            engine_version: "0".to_owned(),
            synthetic: false,
            validation_fraction: 0.25,
            seed: 7,
            sources_sha256: "0".to_owned(),
            sources: 4,
            duplicates_dropped: 0,
            other_files_ignored: 0,
            samples: count(),
            patients: count(),
            findings: counts(),
            age_groups: counts(),
            sexes: counts(),
            view_positions: counts(),
            masks: data::Counts::default(),
        });
        check::<Provenance>(&dicom::Provenance {
            licence: "CC BY 4.0".to_owned(),
            attribution: vec!["somebody".to_owned()],
            adapters: vec![dicom::AdapterUse { scale: 0.5, ..dicom::AdapterUse::default() }],
            embeddings: vec![dicom::EmbeddingUse::default()],
            options: serde_json::json!({ "eta": 0.5 }),
            scheduler_config: serde_json::json!({ "beta_end": 0.5 }),
            strength: Some(0.5),
            inputs: vec![dicom::InputUse {
                control: Some(dicom::ControlUse { weight: 0.5, ..dicom::ControlUse::default() }),
                ..dicom::InputUse::default()
            }],
            watermark: Some(dicom::WatermarkUse::default()),
            ..dicom::Provenance::default()
        });
    }

    #[test]
    fn events_of_a_training() {
        let step = train::TrainEvent::Step {
            step: 1,
            total_steps: 2,
            loss: 0.5,
            learning_rate: 0.25,
            gradient_norm: 1.0,
            seconds_left: 1.5,
        };
        let started = train::TrainEvent::Started {
            step: 0,
            total_steps: 2,
            trainable_weights: 9,
            training_samples: 3,
            validation_samples: 1,
        };
        let finished = train::TrainEvent::Finished {
            step: 2,
            validation_loss_before: 1.0,
            validation_loss_after: 0.5,
        };
        let validation = train::TrainEvent::Validation { step: 2, loss: 0.5 };
        let warning = train::TrainEvent::Warning { step: 0, cause: "few images".into() };
        let estimate = train::TrainEvent::Estimate {
            step: 2,
            seconds: 1.5,
            weight_bytes: 4,
            gradient_bytes: 4,
            optimiser_bytes: 12,
            activation_bytes: Some(8),
            peak_bytes: Some(28),
        };
        let checkpoint = train::TrainEvent::Checkpoint { step: 2 };
        check_words::<TrainEvent>(
            &[started, warning, estimate, step, validation, checkpoint, finished],
            7,
        );
    }
}
