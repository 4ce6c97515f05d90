//! The folder of a run: configuration, metrics, and what is drawn from them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::checkpoint;
use super::config::TrainConfig;
use super::error::TrainError;
use super::event::TrainEvent;
use super::inputs::Inputs;
use super::plot;
use crate::files;
use crate::model::{read_json, write_json};

/// The folder of a run.
pub(super) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("config.json")
    }

    fn inputs(&self) -> PathBuf {
        self.path.join("inputs.json")
    }

    /// What the run read when it began, where it noted it.
    pub(super) fn read_inputs(&self) -> Result<Option<Inputs>, TrainError> {
        let path = self.inputs();
        Ok(if path.is_file() { Some(read_json(&path)?) } else { None })
    }

    fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Where what was trained comes to lie.
    pub(super) fn result(&self) -> PathBuf {
        self.path.join("result")
    }

    /// Where the sample pictures after `step` come to lie.
    pub(super) fn samples(&self, step: u64) -> PathBuf {
        self.path.join("samples").join(format!("step-{step:08}.png"))
    }

    /// A new run does not overwrite an old one; one that never reached a checkpoint starts again.
    pub(super) fn check_empty(&self, resume: bool) -> Result<(), TrainError> {
        if !resume && self.config().exists() {
            return Err(TrainError::Config {
                field: "out",
                cause: format!(
                    "{} holds a run already: resume it, or choose another folder",
                    self.path.display()
                ),
            });
        }
        if !self.config().exists() && self.result().exists() {
            return Err(TrainError::Config {
                field: "out",
                cause: format!(
                    "{} is no run's, and holds a `result`, which would be overwritten",
                    self.path.display()
                ),
            });
        }
        Ok(())
    }

    pub(super) fn prepare(
        &self,
        config: &TrainConfig,
        inputs: Option<&Inputs>,
    ) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.path).map_err(|cause| TrainError::file(&self.path, cause))?;
        write_json(&self.config(), config)?;
        if let Some(inputs) = inputs {
            write_json(&self.inputs(), inputs)?;
        }
        if checkpoint::newest(&self.path).is_none() && self.metrics().exists() {
            std::fs::remove_file(self.metrics())
                .map_err(|cause| TrainError::file(self.metrics(), cause))?;
        }
        Ok(())
    }

    pub(super) fn append(&self, event: &TrainEvent) -> Result<(), TrainError> {
        let path = self.metrics();
        let line = serde_json::to_string(event).map_err(|cause| TrainError::file(&path, cause))?;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|cause| TrainError::file(path, cause))
    }

    fn read_metrics(&self) -> Result<String, TrainError> {
        let path = self.metrics();
        std::fs::read_to_string(&path).map_err(|cause| TrainError::file(path, cause))
    }

    /// Drops the lines of steps that will be done again.
    pub(super) fn forget_after(&self, step: u64) -> Result<(), TrainError> {
        let text = self.read_metrics()?;
        let mut kept: Vec<&str> = text
            .lines()
            .filter(|line| {
                // A line cut short by a crash is no event, and goes too.
                serde_json::from_str::<Value>(line)
                    .is_ok_and(|event| event["step"].as_u64().is_some_and(|at| at <= step))
            })
            .collect();
        kept.push("");
        self.write(&self.metrics(), kept.join("\n").as_bytes())
    }

    /// Draws the losses so far, `loss.svg`.
    pub(super) fn draw(&self) -> Result<(), TrainError> {
        let path = self.path.join("loss.svg");
        let (mut steps, mut held_out) = (Vec::new(), Vec::new());
        for line in self.read_metrics()?.lines() {
            match serde_json::from_str(line) {
                Ok(TrainEvent::Step { step, loss, .. }) => steps.push((step as f64, loss)),
                Ok(TrainEvent::Validation { step, loss }) => held_out.push((step as f64, loss)),
                Ok(
                    TrainEvent::Started { .. }
                    | TrainEvent::Warning { .. }
                    | TrainEvent::Estimate { .. }
                    | TrainEvent::Figures { .. }
                    | TrainEvent::Checkpoint { .. }
                    | TrainEvent::Finished { .. },
                )
                | Err(_) => {}
            }
        }
        let svg =
            plot::losses(&steps, &held_out).map_err(|cause| TrainError::file(&path, cause))?;
        self.write(&path, svg.as_bytes())
    }

    /// Writes a file of the run whole.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        let folder = path.parent().unwrap_or(&self.path);
        std::fs::create_dir_all(folder)
            .and_then(|()| files::replace(path, bytes))
            .map_err(|cause| TrainError::file(path, cause))
    }
}

/// A run that goes on must be the run that was stopped: only its length may change.
pub(super) fn check_same(path: &Path, config: &TrainConfig) -> Result<(), TrainError> {
    let before: TrainConfig = read_json(path)?;
    let same = TrainConfig { steps: config.steps, ..before };
    // Both through JSON's text, which may not give every number back to its last bit.
    let fault = |cause| TrainError::file(path, cause);
    let text = serde_json::to_vec(config)
        .and_then(|text| serde_json::from_slice::<TrainConfig>(&text))
        .map_err(fault)?;
    if same == text {
        return Ok(());
    }
    let value = |config: &TrainConfig| serde_json::to_value(config).map_err(fault);
    let mut names = Vec::new();
    differences("", &value(&same)?, &value(&text)?, &mut names);
    Err(TrainError::Config {
        field: "config",
        cause: format!(
            "differs in {} from the one that the run in this folder began with; train into \
             another folder",
            names.join(", ")
        ),
    })
}

/// The names of the values in which two configurations differ, as a TOML file has them.
fn differences(name: &str, before: &Value, now: &Value, names: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let mut keys: Vec<&String> = before.keys().chain(now.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let full = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let of = |values: &serde_json::Map<String, Value>| {
                    values.get(key).cloned().unwrap_or(Value::Null)
                };
                differences(&full, &of(before), &of(now), names);
            }
        }
        _ if before != now => names.push(name.to_owned()),
        _ => {}
    }
}
