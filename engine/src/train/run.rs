//! THE training loop.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};

use super::checkpoint::{self, State};
use super::config::{Task, TrainConfig};
use super::error::TrainError;
use super::event::{TrainEvent, TrainSummary};
use super::optimiser::Learner;
use super::trainee::Trainee;
use super::{base, lora, vae};
use crate::data::DataError;
use crate::device::CancelToken;
use crate::files::{self, PendingFolder};
use crate::kernel::AdamWStep;
use crate::model::{read_json, write_json};

/// Whether the run in `out` has a checkpoint to go on from.
pub fn has_checkpoint(out: &Path) -> bool {
    checkpoint::newest(out).is_some()
}

/// Trains on `device` as `config` says, or goes on from the run's last checkpoint where `resume` says so.
///
/// # Errors
/// Bad values are found before anything is written. A run that was cancelled or failed leaves its
/// checkpoints.
pub fn run(
    config: &TrainConfig,
    resume: bool,
    device: &Device,
    on_event: &mut dyn FnMut(TrainEvent),
    cancel: &CancelToken,
) -> Result<TrainSummary, TrainError> {
    config.validate()?;
    let folder = RunFolder::new(&config.out);
    let last = if resume { checkpoint::newest(&config.out) } else { None };
    if last.is_some() {
        folder.check_same(config)?;
    } else {
        folder.check_empty(resume)?;
    }
    let trainee = prepare(config, device, cancel).map_err(|error| match error {
        // Nothing was done yet, and nothing is lost.
        TrainError::Data(DataError::Cancelled) => TrainError::Cancelled { step: 0 },
        other => other,
    })?;
    train(config, trainee.as_ref(), last.as_deref(), on_event, cancel)
}

/// Loads and encodes what the task needs; this may take minutes.
fn prepare(
    config: &TrainConfig,
    device: &Device,
    cancel: &CancelToken,
) -> Result<Box<dyn Trainee>, TrainError> {
    Ok(match config.task {
        Task::Vae => Box::new(vae::VaeTask::new(config, device)?),
        Task::Base => Box::new(base::BaseTask::new(config, device, cancel)?),
        Task::Lora => Box::new(lora::LoraTask::new(config, device, cancel)?),
    })
}

/// Trains `trainee`, from the checkpoint in `last` where there is one.
pub(super) fn train(
    config: &TrainConfig,
    trainee: &dyn Trainee,
    last: Option<&Path>,
    on_event: &mut dyn FnMut(TrainEvent),
    cancel: &CancelToken,
) -> Result<TrainSummary, TrainError> {
    let folder = RunFolder::new(&config.out);
    let averages = config.average_decay > 0.0;
    let learners = trainee
        .variables()
        .iter()
        .map(|(name, variable)| {
            Ok((name.clone(), Learner::new(config.optimiser, variable, averages)?))
        })
        .collect::<Result<BTreeMap<_, _>, TrainError>>()?;
    let state = match last {
        Some(path) => checkpoint::load(path, trainee.variables(), &learners)?,
        None => State { step: 0, loss: f32::NAN, validation_loss_before: f32::NAN },
    };
    if state.step > config.steps {
        return Err(TrainError::Config {
            field: "steps",
            cause: format!("the run in this folder has done {} already", state.step),
        });
    }
    folder.prepare(config)?;
    if last.is_some() {
        folder.forget_after(state.step)?;
    }
    let checkpointed = last.map(|_| state.step);
    let mut trainer = Trainer { config, trainee, learners, folder, on_event, checkpointed };
    trainer.train(state, cancel)
}

struct Trainer<'a> {
    config: &'a TrainConfig,
    trainee: &'a dyn Trainee,
    learners: BTreeMap<String, Learner>,
    folder: RunFolder,
    on_event: &'a mut dyn FnMut(TrainEvent),
    /// The step of the newest checkpoint.
    checkpointed: Option<u64>,
}

impl Trainer<'_> {
    fn say(&mut self, event: TrainEvent) -> Result<(), TrainError> {
        self.folder.append(&event)?;
        (self.on_event)(event);
        Ok(())
    }

    fn train(
        &mut self,
        mut state: State,
        cancel: &CancelToken,
    ) -> Result<TrainSummary, TrainError> {
        let total_steps = self.config.steps;
        let (training_samples, validation_samples) = self.trainee.samples();
        self.say(TrainEvent::Started {
            step: state.step,
            total_steps,
            trainable_weights: self.trainee.variables().values().map(|v| v.elem_count()).sum(),
            training_samples,
            validation_samples,
        })?;
        if state.step == 0 {
            state.validation_loss_before = self.validate(0)?;
        }
        let mut validated = None;
        let (first, started) = (state.step, Instant::now());
        for step in state.step + 1..=total_steps {
            if cancel.is_cancelled() {
                self.checkpoint(state)?;
                return Err(TrainError::Cancelled { step: state.step });
            }
            let (loss, gradient_norm, learning_rate) = self.step(step)?;
            state = State { step, loss, ..state };
            let each = started.elapsed().as_secs_f64() / (step - first) as f64;
            let seconds_left = each * (total_steps - step) as f64;
            self.say(TrainEvent::Step {
                step,
                total_steps,
                loss,
                learning_rate,
                gradient_norm,
                seconds_left,
            })?;
            if step % self.config.validate_every == 0 || step == total_steps {
                validated = Some(self.validate(step)?);
            }
            if step % self.config.checkpoint_every == 0 || step == total_steps {
                self.checkpoint(state)?;
            }
        }
        let validation_loss_after = match validated {
            Some(loss) => loss,
            None => self.validate(state.step)?,
        };
        let summary = TrainSummary {
            steps: state.step,
            final_loss: state.loss,
            validation_loss_before: state.validation_loss_before,
            validation_loss_after,
            output: self.folder.result(),
        };
        self.write_result(&summary)?;
        self.say(TrainEvent::Finished {
            step: state.step,
            validation_loss_before: summary.validation_loss_before,
            validation_loss_after,
        })?;
        Ok(summary)
    }

    /// Loss and gradients of a step, each the sum over its batches. Batches are numbered through: which images
    /// and what noise a batch has, its number says.
    fn gradients(&self, step: u64) -> Result<(f32, BTreeMap<&String, Tensor>), TrainError> {
        let parts = self.config.accumulate;
        let (mut total, mut sums) = (0f32, BTreeMap::<&String, Tensor>::new());
        for number in (step - 1) * parts + 1..=step * parts {
            let loss = self.trainee.loss(number)?;
            let mut gradients = loss.backward()?;
            total += loss.to_scalar::<f32>()?;
            for (name, variable) in self.trainee.variables() {
                let Some(gradient) = gradients.remove(variable) else { continue };
                let sum = match sums.remove(name) {
                    Some(sum) => (sum + gradient.to_dtype(DType::F32)?)?,
                    None if parts == 1 => gradient,
                    None => gradient.to_dtype(DType::F32)?,
                };
                sums.insert(name, sum.detach());
            }
        }
        Ok((total, sums))
    }

    /// One step: loss, gradient, clipping, optimiser. Answers loss, norm and rate.
    fn step(&mut self, step: u64) -> Result<(f32, f32, f64), TrainError> {
        let (loss, gradients) = self.gradients(step)?;
        let parts = self.config.accumulate as f64;
        let (loss, norm) = (loss / parts as f32, gradient_norm(gradients.values())? / parts);
        finite("the loss", step, loss)?;
        finite("the gradient's norm", step, norm as f32)?;
        let learning_rate = self.config.rate_at(step);
        let numbers = AdamWStep {
            step,
            learning_rate,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: self.config.weight_decay,
            gradient_scale: (self.config.clip_norm / norm.max(1e-12)).min(1.0) / parts,
            // A young average forgets faster, or it would stay near the start.
            average_decay: self
                .config
                .average_decay
                .min((1.0 + step as f64) / (10.0 + step as f64)),
        };
        for (name, gradient) in gradients {
            self.learners[name].apply(&self.trainee.variables()[name], &gradient, numbers)?;
        }
        Ok((loss, norm as f32, learning_rate))
    }

    /// The held-out loss under the averaged weights, which are put in place for its time.
    fn validate(&mut self, step: u64) -> Result<f32, TrainError> {
        let loss = self.averaged(|trainee| trainee.validation_loss())?;
        finite("the loss on held-out patients", step, loss)?;
        self.say(TrainEvent::Validation { step, loss })?;
        Ok(loss)
    }

    /// The averaged weights in single precision.
    fn averages(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let of = |(name, variable): (&String, &Var)| {
            Ok((name.clone(), self.learners[name].average(variable)?))
        };
        self.trainee.variables().iter().map(of).collect()
    }

    /// What `look` sees with the averaged weights in place.
    fn averaged<T>(
        &self,
        look: impl FnOnce(&dyn Trainee) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        let mut raw = Vec::new();
        for (name, variable) in self.trainee.variables() {
            raw.push((variable, variable.as_detached_tensor().copy()?));
            let average = self.learners[name].average(variable)?;
            variable.set(&average.to_dtype(variable.dtype())?)?;
        }
        let seen = look(self.trainee);
        for (variable, value) in raw {
            variable.set(&value)?;
        }
        seen
    }

    fn checkpoint(&mut self, state: State) -> Result<(), TrainError> {
        // A checkpoint that is there already is not taken away to be written again.
        if state.step == 0 || self.checkpointed == Some(state.step) {
            return Ok(());
        }
        checkpoint::save(
            &self.config.out,
            state,
            self.trainee.variables(),
            &self.learners,
            self.config.keep_checkpoints,
        )?;
        self.checkpointed = Some(state.step);
        self.say(TrainEvent::Checkpoint { step: state.step })
    }

    /// The result is written beside its place and moved there whole.
    fn write_result(&self, summary: &TrainSummary) -> Result<(), TrainError> {
        let result = self.folder.result();
        let fault = |cause| TrainError::file(&result, cause);
        if result.exists() {
            std::fs::remove_dir_all(&result).map_err(fault)?;
        }
        let pending = PendingFolder::beside(&result).map_err(fault)?;
        let weights = self.averages()?;
        self.averaged(|trainee| trainee.save(&weights, summary, pending.path()))?;
        pending.publish().map_err(fault)
    }
}

fn finite(what: &'static str, step: u64, value: f32) -> Result<(), TrainError> {
    if value.is_finite() { Ok(()) } else { Err(TrainError::NotFinite { step, what, value }) }
}

fn gradient_norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<f64, TrainError> {
    let mut total = 0f64;
    for gradient in gradients {
        let squares = gradient.to_dtype(DType::F32)?.sqr()?;
        total += f64::from(squares.sum_all()?.to_scalar::<f32>()?);
    }
    Ok(total.sqrt())
}

/// The folder of a run.
struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn config(&self) -> PathBuf {
        self.path.join("config.json")
    }

    fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    fn result(&self) -> PathBuf {
        self.path.join("result")
    }

    /// A run that goes on must be the run that was stopped: only its length may change.
    fn check_same(&self, config: &TrainConfig) -> Result<(), TrainError> {
        let before: TrainConfig = read_json(&self.config())?;
        let same = TrainConfig { steps: config.steps, ..before };
        // Both through JSON's text, which may not give every number back to its last bit.
        let text = serde_json::to_vec(config)
            .and_then(|text| serde_json::from_slice::<TrainConfig>(&text))
            .map_err(|cause| TrainError::file(self.config(), cause))?;
        if same != text {
            return Err(TrainError::Config {
                field: "config",
                cause: "differs from the one that the run in this folder began with; train into \
                        another folder"
                    .into(),
            });
        }
        Ok(())
    }

    /// A new run does not overwrite an old one; one that never reached a checkpoint starts again.
    fn check_empty(&self, resume: bool) -> Result<(), TrainError> {
        if !resume && self.config().exists() {
            return Err(TrainError::Config {
                field: "out",
                cause: format!(
                    "{} holds a run already: resume it, or choose another folder",
                    self.path.display()
                ),
            });
        }
        Ok(())
    }

    fn prepare(&self, config: &TrainConfig) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.path).map_err(|cause| TrainError::file(&self.path, cause))?;
        write_json(&self.config(), config)?;
        if !has_checkpoint(&self.path) && self.metrics().exists() {
            std::fs::remove_file(self.metrics())
                .map_err(|cause| TrainError::file(self.metrics(), cause))?;
        }
        Ok(())
    }

    fn append(&self, event: &TrainEvent) -> Result<(), TrainError> {
        let path = self.metrics();
        let line = serde_json::to_string(event).map_err(|cause| TrainError::file(&path, cause))?;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|cause| TrainError::file(path, cause))
    }

    /// Drops the lines of steps that will be done again.
    fn forget_after(&self, step: u64) -> Result<(), TrainError> {
        let path = self.metrics();
        let text =
            std::fs::read_to_string(&path).map_err(|cause| TrainError::file(&path, cause))?;
        let mut kept: Vec<&str> = text
            .lines()
            .filter(|line| {
                // A line cut short by a crash is no event, and goes too.
                serde_json::from_str::<serde_json::Value>(line)
                    .is_ok_and(|event| event["step"].as_u64().is_some_and(|at| at <= step))
            })
            .collect();
        kept.push("");
        let kept = kept.join("\n");
        files::replace(&path, kept.as_bytes()).map_err(|cause| TrainError::file(path, cause))
    }
}
