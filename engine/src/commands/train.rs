//! `skiagraph-engine train`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use skiagraph_engine::device::{CancelToken, DeviceChoice};
use skiagraph_engine::train::{self, Task, TrainConfig, TrainEvent};

use super::Output;

const GIBIBYTE: f64 = (1u64 << 30) as f64;

/// What is trained.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskName {
    /// The autoencoder between image and latent.
    Vae,
    /// UNet and text encoder, on a trained autoencoder, or on from a whole model.
    Base,
    /// An adapter of a whole model: LoRA, DoRA, LoHa or LoKr.
    Lora,
    /// A classifier of findings, or a segmenter of lungs.
    Judge,
    /// A network that leads a whole model by a condition image.
    Controlnet,
    /// An image and a text encoder that say how well the two agree.
    Clip,
    /// A new concept, seen by a whole model beside the text.
    Concept,
    /// Vectors before the text that a whole model is told.
    Prefix,
    /// A word that a whole model lacks.
    TextualInversion,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::Vae => Self::Vae,
            TaskName::Base => Self::Base,
            TaskName::Lora => Self::Lora,
            TaskName::Judge => Self::Judge,
            TaskName::Controlnet => Self::Controlnet,
            TaskName::Clip => Self::Clip,
            TaskName::Concept => Self::Concept,
            TaskName::Prefix => Self::Prefix,
            TaskName::TextualInversion => Self::TextualInversion,
        }
    }
}

/// Where a configuration comes from, and what stands in for its values.
#[derive(clap::Args)]
pub(super) struct Source {
    /// The run's configuration, in TOML.
    #[arg(long)]
    config: PathBuf,
    /// The data set's folder, in place of the configuration's.
    #[arg(long)]
    dataset: Option<PathBuf>,
    /// The model to start from, in place of the configuration's.
    #[arg(long)]
    model: Option<PathBuf>,
    /// The run's folder, in place of the configuration's.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Steps in all, in place of the configuration's.
    #[arg(long)]
    steps: Option<u64>,
    /// Go on from the last checkpoint.
    #[arg(long)]
    pub(super) resume: bool,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is trained.
    task: TaskName,
    #[command(flatten)]
    source: Source,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let config = arguments.source.read(arguments.task.into())?;
    let device = device.open()?;
    let bar = bar(output, config.steps);
    let mut written = Ok(());
    let mut held_out = None;
    let mut on_event = |event: TrainEvent| {
        match &event {
            TrainEvent::Step { step, loss, learning_rate, .. } => {
                bar.set_position(*step);
                let held_out =
                    held_out.map(|loss: f32| format!("  held out {loss:.5}")).unwrap_or_default();
                bar.set_message(format!("loss {loss:.5}  rate {learning_rate:.1e}{held_out}"));
            }
            TrainEvent::Validation { loss, .. } => held_out = Some(*loss),
            TrainEvent::Started { step, .. } => {
                bar.set_position(*step);
                bar.reset_eta();
            }
            TrainEvent::Warning { cause, .. } => bar.println(format!("warning: {cause}")),
            TrainEvent::Estimate { seconds, peak_bytes, .. } => {
                let memory = peak_bytes
                    .map(|bytes| format!(" and {:.1} GiB of memory", bytes as f64 / GIBIBYTE))
                    .unwrap_or_default();
                let time = HumanDuration(Duration::from_secs_f64(seconds.max(0.0)));
                bar.println(format!("this will take about {time}{memory}"));
            }
            TrainEvent::Figures { .. }
            | TrainEvent::Checkpoint { .. }
            | TrainEvent::Finished { .. } => {}
        }
        if written.is_ok() {
            written = output.event(&event);
        }
    };
    let summary =
        train::run(&config, arguments.source.resume, &device, &mut on_event, &CancelToken::new())?;
    written?;
    bar.finish_and_clear();
    let words = format!(
        "trained {} steps; loss on held-out patients {:.5} before, {:.5} after\n{}",
        summary.steps,
        summary.validation_loss_before,
        summary.validation_loss_after,
        summary.output.display()
    );
    output.result("summary", &summary, &words)
}

impl Source {
    /// # Errors
    /// Where it cannot be read, or is for another task than `task`.
    pub(super) fn read(&self, task: Task) -> anyhow::Result<TrainConfig> {
        let path = &self.config;
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut table: toml::Table =
            toml::from_str(&text).with_context(|| path.display().to_string())?;
        // What the command line says stands in for what the file may leave out.
        for (key, value) in [("dataset", &self.dataset), ("model", &self.model), ("out", &self.out)]
        {
            if let Some(value) = value {
                table.insert(key.to_owned(), value.display().to_string().into());
            }
        }
        if let Some(steps) = self.steps {
            let steps = i64::try_from(steps).context("--steps: is too large")?;
            table.insert("steps".to_owned(), steps.into());
        }
        let config: TrainConfig = table.try_into().with_context(|| path.display().to_string())?;
        if config.task != task {
            bail!("{}: task: is another one than the command names", path.display());
        }
        Ok(config)
    }
}

pub(super) fn bar(output: &Output, steps: u64) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{bar:32} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}",
    );
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
