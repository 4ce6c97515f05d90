//! THE training loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};

use super::caution::cautions;
use super::checkpoint::{self, Best, State};
use super::config::{Task, TrainConfig};
use super::error::TrainError;
use super::estimate::{Clock, Estimate};
use super::event::{TrainEvent, TrainSummary};
use super::folder::{RunFolder, check_same};
use super::inputs::Inputs;
use super::optimiser::Learner;
use super::trainee::Trainee;
use super::{
    base, clip, concept, controlnet, fine_tune, judge, lora, prefix, textual_inversion, vae,
};
use crate::data::DataError;
use crate::device::CancelToken;
use crate::files::{self, PendingFolder};
use crate::kernel::AdamWStep;
use crate::sample::SampleError;

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
    if config.search.is_some() {
        let cause = "is of `search lora`, which writes the configuration of a run".to_owned();
        return Err(TrainError::Config { field: "search", cause });
    }
    begin(config, resume, || prepare(config, device, cancel), on_event, cancel)
}

/// Trains what `prepare` gives in the folder of `config`, or goes on there. A run of several stages has a folder
/// for each.
pub(super) fn begin(
    config: &TrainConfig,
    resume: bool,
    prepare: impl FnOnce() -> Result<Box<dyn Trainee>, TrainError>,
    on_event: &mut dyn FnMut(TrainEvent),
    cancel: &CancelToken,
) -> Result<TrainSummary, TrainError> {
    let folder = RunFolder::new(&config.out);
    let last = if resume { checkpoint::newest(&config.out) } else { None };
    if last.is_some() {
        check_same(&folder.config(), config)?;
    } else {
        folder.check_empty(resume)?;
    }
    let inputs = Inputs::of(config)?;
    // Runs of earlier versions did not note theirs.
    if last.is_some()
        && let Some(before) = folder.read_inputs()?
    {
        inputs.check_same(&before)?;
    }
    let trainee = prepare().map_err(|error| match error {
        // Nothing was done yet, and nothing is lost.
        TrainError::Data(DataError::Cancelled) => TrainError::Cancelled { step: 0 },
        other => other,
    })?;
    // What speaks against a data set was said when the run began.
    let warnings = if last.is_some() { Vec::new() } else { cautions(config)? };
    let start = Start { last: last.as_deref(), warnings, inputs: Some(inputs) };
    train(config, trainee.as_ref(), start, on_event, cancel)
}

/// Loads and encodes what the task needs; this may take minutes.
fn prepare(
    config: &TrainConfig,
    device: &Device,
    cancel: &CancelToken,
) -> Result<Box<dyn Trainee>, TrainError> {
    Ok(match config.task {
        Task::Vae => Box::new(vae::VaeTask::new(config, device)?),
        Task::Base if config.fine_tune.is_some() => {
            Box::new(fine_tune::FineTuneTask::new(config, device, cancel)?)
        }
        Task::Base => Box::new(base::BaseTask::new(config, device, cancel)?),
        Task::Lora => Box::new(lora::LoraTask::new(config, device, cancel)?),
        Task::Judge => judge::prepare(config, device)?,
        Task::Controlnet => Box::new(controlnet::ControlnetTask::new(config, device, cancel)?),
        Task::Concept => Box::new(concept::ConceptTask::new(config, device, cancel)?),
        Task::Clip => Box::new(clip::ClipTask::new(config, device)?),
        Task::Prefix => Box::new(prefix::PrefixTask::new(config, device, cancel)?),
        Task::TextualInversion => {
            Box::new(textual_inversion::TextualInversionTask::new(config, device, cancel)?)
        }
    })
}

/// Where a run begins.
#[derive(Default)]
pub(super) struct Start<'a> {
    /// The checkpoint to go on from, where there is one.
    pub(super) last: Option<&'a Path>,
    /// What speaks against the data set.
    pub(super) warnings: Vec<String>,
    /// What the run reads, to be found again when it goes on.
    pub(super) inputs: Option<Inputs>,
}

/// Trains `trainee` from `start` on.
pub(super) fn train(
    config: &TrainConfig,
    trainee: &dyn Trainee,
    start: Start,
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
    let state = match start.last {
        Some(path) => checkpoint::load(path, trainee.variables(), &learners)?,
        None => State::fresh(),
    };
    if state.step > config.steps {
        return Err(TrainError::Config {
            field: "steps",
            cause: format!("the run in this folder has done {} already", state.step),
        });
    }
    folder.prepare(config, start.inputs.as_ref())?;
    if start.last.is_some() {
        folder.forget_after(state.step)?;
    }
    let checkpointed = start.last.map(|_| state.step);
    let mut trainer = Trainer { config, trainee, learners, folder, on_event, cancel, checkpointed };
    trainer.train(state, start.warnings)
}

struct Trainer<'a> {
    config: &'a TrainConfig,
    trainee: &'a dyn Trainee,
    learners: BTreeMap<String, Learner>,
    folder: RunFolder,
    on_event: &'a mut dyn FnMut(TrainEvent),
    cancel: &'a CancelToken,
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
        warnings: Vec<String>,
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
        for cause in warnings {
            self.say(TrainEvent::Warning { step: state.step, cause })?;
        }
        if state.step == 0 {
            let begun = Instant::now();
            state.validation_loss_before = self.validate(0)?;
            state.look_seconds = begun.elapsed().as_secs_f64();
        }
        self.estimate(state)?;
        let mut validated = None;
        let clock = Clock::start(state.step);
        for step in state.step + 1..=total_steps {
            if self.gives_up(state) {
                break;
            }
            if self.cancel.is_cancelled() {
                self.checkpoint(state)?;
                return Err(TrainError::Cancelled { step: state.step });
            }
            let (loss, gradient_norm, learning_rate) = self.step(step)?;
            state = State { step, loss, ..state };
            self.say(TrainEvent::Step {
                step,
                total_steps,
                loss,
                learning_rate,
                gradient_norm,
                seconds_left: clock.seconds_left(step, total_steps),
            })?;
            if step % self.config.validate_every == 0 || step == total_steps {
                let loss = self.validate(step)?;
                validated = Some(loss);
                state = self.compare(state, loss)?;
            }
            let last = step == total_steps || self.gives_up(state);
            if step % self.config.checkpoint_every == 0 || last {
                self.checkpoint(state)?;
                self.folder.draw()?;
            }
            let every = self.config.sample_every;
            if every > 0 && (step % every == 0 || last) {
                self.sample(state, validated)?;
            }
        }
        let validation_loss_after = match (self.kept(state), validated) {
            (Some(best), _) => best.loss,
            (None, Some(loss)) => loss,
            (None, None) => self.validate(state.step)?,
        };
        let summary = TrainSummary {
            steps: state.step,
            final_loss: state.loss,
            validation_loss_before: state.validation_loss_before,
            validation_loss_after,
            best_step: self.kept(state).map(|best| best.step),
            output: self.folder.result(),
        };
        self.write_result(state, &summary)?;
        self.say(TrainEvent::Finished {
            step: state.step,
            validation_loss_before: summary.validation_loss_before,
            validation_loss_after,
        })?;
        self.folder.draw()?;
        Ok(summary)
    }

    /// Says what the steps after this one will take, where there are some.
    fn estimate(&mut self, state: State) -> Result<(), TrainError> {
        let State { step, look_seconds, .. } = state;
        if step == self.config.steps || self.gives_up(state) || self.cancel.is_cancelled() {
            return Ok(());
        }
        let estimate = Estimate::before_step(self.config, self.trainee, step, look_seconds)?;
        self.say(estimate.event(step, self.trainee.variables(), &self.learners))
    }

    /// The best weights, where the run keeps them.
    fn kept(&self, state: State) -> Option<Best> {
        self.config.patience.and(state.best)
    }

    /// Whether the loss on held-out patients has not fallen for as many looks as the run has patience.
    fn gives_up(&self, state: State) -> bool {
        self.config.patience.is_some_and(|patience| state.looks_since_best >= patience)
    }

    /// Holds a look at held-out patients against the best before, and keeps the weights of a better one.
    fn compare(&self, state: State, loss: f32) -> Result<State, TrainError> {
        if self.config.patience.is_none() {
            return Ok(state);
        }
        if state.best.is_some_and(|best| best.loss <= loss) {
            return Ok(State { looks_since_best: state.looks_since_best + 1, ..state });
        }
        let best = Best { step: state.step, loss };
        checkpoint::save_best(&self.config.out, best, &self.averages()?)?;
        Ok(State { best: Some(best), looks_since_best: 0, ..state })
    }

    /// Loss and gradients of a step, each the sum over its batches. Batches are numbered through: which images
    /// and what noise a batch has, its number says.
    fn gradients(&self, step: u64) -> Result<(f32, BTreeMap<&String, Tensor>), TrainError> {
        let parts = self.config.accumulate;
        let (mut total, mut sums) = (0f32, BTreeMap::<&String, Tensor>::new());
        for number in (step - 1) * parts + 1..=step * parts {
            let checkpointing = self.config.gradient_checkpointing;
            let (loss, mut gradients) = self.trainee.gradients(number, checkpointing)?;
            self.trainee.seen(&gradients)?;
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
        let loss = loss / parts as f32;
        finite("the loss", step, loss)?;
        let norm = gradient_norm(&gradients, step)? / parts;
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
        let loss = self.under(&self.averages()?, |trainee| trainee.validation_loss())?;
        finite("the loss on held-out patients", step, loss)?;
        self.say(TrainEvent::Validation { step, loss })?;
        let figures = self.trainee.figures();
        if !figures.is_empty() {
            self.say(TrainEvent::Figures { step, figures })?;
        }
        Ok(loss)
    }

    /// The averaged weights in single precision.
    fn averages(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let of = |(name, variable): (&String, &Var)| {
            Ok((name.clone(), self.learners[name].average(variable)?.copy()?))
        };
        self.trainee.variables().iter().map(of).collect()
    }

    /// What `look` sees with `weights` in place.
    fn under<T>(
        &self,
        weights: &BTreeMap<String, Tensor>,
        look: impl FnOnce(&dyn Trainee) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        let mut raw = Vec::new();
        for (name, variable) in self.trainee.variables() {
            raw.push((variable, variable.as_detached_tensor().copy()?));
            variable.set(&weights[name].to_dtype(variable.dtype())?)?;
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

    /// Sample pictures of what the result would be now; `validated` is the last look at held-out patients.
    fn sample(&self, state: State, validated: Option<f32>) -> Result<(), TrainError> {
        let target = self.folder.samples(state.step);
        let fault = |cause| TrainError::file(&target, cause);
        let scratch = PendingFolder::beside(&target.with_extension("model")).map_err(fault)?;
        let summary = TrainSummary {
            steps: state.step,
            final_loss: state.loss,
            validation_loss_before: state.validation_loss_before,
            validation_loss_after: validated.unwrap_or(state.validation_loss_before),
            best_step: None,
            output: scratch.path().to_owned(),
        };
        let weights = self.averages()?;
        self.under(&weights, |trainee| trainee.save(&weights, &summary, scratch.path()))?;
        let Some(ready) = self.trainee.ready(scratch.path())? else { return Ok(()) };
        match ready.grid(self.config, state.step, self.cancel) {
            Ok(png) => self.folder.write(&target, &png),
            // The loop hears of it as well, and keeps its last step.
            Err(TrainError::Sample(SampleError::Cancelled)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The result is written beside its place and moved there whole. One of fewer steps stays until then.
    fn write_result(&self, state: State, summary: &TrainSummary) -> Result<(), TrainError> {
        let result = self.folder.result();
        let fault = |cause| TrainError::file(&result, cause);
        let next = result.with_extension("next");
        if next.exists() {
            std::fs::remove_dir_all(&next).map_err(fault)?;
        }
        let pending = PendingFolder::beside(&next).map_err(fault)?;
        let weights = match self.kept(state) {
            Some(best) => checkpoint::load_best(&self.config.out, best, self.trainee.variables())?,
            None => self.averages()?,
        };
        self.under(&weights, |trainee| trainee.save(&weights, summary, pending.path()))?;
        pending.publish().map_err(fault)?;
        if result.exists() {
            std::fs::remove_dir_all(&result).map_err(fault)?;
        }
        files::publish_folder(&next, &result).map_err(fault)
    }
}

fn finite(what: &str, step: u64, value: f32) -> Result<(), TrainError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(TrainError::NotFinite { step, what: what.to_owned(), value })
    }
}

/// The norm of all gradients together.
///
/// # Errors
/// Names the first weight whose gradient is no number.
fn gradient_norm(gradients: &BTreeMap<&String, Tensor>, step: u64) -> Result<f64, TrainError> {
    let mut total = 0f64;
    for (name, gradient) in gradients {
        let squares = gradient.to_dtype(DType::F32)?.sqr()?.sum_all()?.to_scalar::<f32>()?;
        finite(&format!("the gradient of {name}"), step, squares)?;
        total += f64::from(squares);
    }
    Ok(total.sqrt())
}
