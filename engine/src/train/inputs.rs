//! What a run reads beside its configuration: one that goes on must find it as it was.

use serde::{Deserialize, Serialize};

use super::config::{Task, TrainConfig};
use super::error::TrainError;
use crate::data::Dataset;
use crate::model::Bundle;

/// Data sets and model of a run by their hashes, `inputs.json` in its folder. A path may come to hold something else;
/// half a run on one data set and half on another would be a run on neither. All are SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// Of the data set's manifest, which tells every picture's own.
    dataset: String,
    /// The same of the data set that a concept replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
    /// Of the weights of the model that the run starts from, or trains beside or inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl Inputs {
    /// # Errors
    /// Where a data set or the model does not open.
    pub(super) fn of(config: &TrainConfig) -> Result<Self, TrainError> {
        let (model, replay) = match config.task {
            Task::Vae | Task::Judge | Task::Clip => (None, None),
            Task::Concept => {
                let own = config.concept.as_ref();
                (Some(config.model.as_path()), own.and_then(|own| own.replay.as_ref()))
            }
            Task::Base | Task::Lora | Task::Controlnet | Task::Prefix | Task::TextualInversion => {
                (Some(config.model.as_path()), None)
            }
        };
        let replay = replay.map(Dataset::open).transpose()?;
        let model = model.map(Bundle::open).transpose()?;
        Ok(Self {
            dataset: Dataset::open(&config.dataset)?.sha256().to_owned(),
            replay: replay.map(|replay| replay.sha256().to_owned()),
            model: model.map(|model| model.card().weights_sha256.clone()),
        })
    }

    /// # Errors
    /// Names the first of these that is another than in `before`.
    pub(super) fn check_same(&self, before: &Self) -> Result<(), TrainError> {
        let same = [
            ("dataset", self.dataset == before.dataset),
            ("concept.replay", self.replay == before.replay),
            ("model", self.model == before.model),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((field, _)) => Err(TrainError::Config {
                field,
                cause: "holds another one than when the run in this folder began; train into another folder"
                    .into(),
            }),
        }
    }
}
