//! `skiagraph-engine search`.

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use skiagraph_engine::device::{CancelToken, DeviceChoice};
use skiagraph_engine::train::{self, Task, TrainEvent};

use super::Output;
use super::train::{Source, bar};

/// What is searched for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sought {
    /// Which layers a LoRA changes, and at what ranks, for a budget.
    Lora,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is searched for.
    sought: Sought,
    #[command(flatten)]
    source: Source,
}

/// An event of one of a search's runs.
#[derive(Serialize)]
struct Heard<'a> {
    run: &'static str,
    #[serde(flatten)]
    event: &'a TrainEvent,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let Sought::Lora = arguments.sought;
    let config = arguments.source.read(Task::Lora)?;
    let device = device.open()?;
    let bar = bar(output, config.steps);
    let mut written = Ok(());
    let mut on_event = |run: &'static str, event: TrainEvent| {
        match &event {
            TrainEvent::Started { step, total_steps, .. } => {
                bar.set_length(*total_steps);
                bar.set_position(*step);
                bar.reset_eta();
            }
            TrainEvent::Step { step, loss, .. } => {
                bar.set_position(*step);
                bar.set_message(format!("{run}  loss {loss:.5}"));
            }
            TrainEvent::Warning { cause, .. } => bar.println(format!("warning: {cause}")),
            TrainEvent::Validation { .. }
            | TrainEvent::Estimate { .. }
            | TrainEvent::Figures { .. }
            | TrainEvent::Checkpoint { .. }
            | TrainEvent::Finished { .. } => {}
        }
        if written.is_ok() {
            written = output.event(&Heard { run, event: &event });
        }
    };
    let resume = arguments.source.resume;
    let report = train::search(&config, resume, &device, &mut on_event, &CancelToken::new())
        .context("search lora")?;
    written?;
    bar.finish_and_clear();
    let adapted = report.layers.iter().filter(|layer| layer.rank > 0).count();
    let mut words = format!(
        "{adapted} of {} layers keep a change: {} multiply-adds in place of {} ({:.1} % saved), \
         {} weights in place of {}\nloss on held-out patients: {:.5} base, {:.5} widest, {:.5} kept",
        report.layers.len(),
        report.kept.multiply_adds,
        report.uniform.multiply_adds,
        100.0 * report.saved,
        report.kept.parameters,
        report.uniform.parameters,
        report.held_out.base,
        report.held_out.supernet,
        report.held_out.kept,
    );
    let more = [(report.held_out.trained, "trained on"), (report.held_out.uniform, "one rank")];
    let more = more.into_iter().filter_map(|(loss, what)| Some(format!(", {:.5} {what}", loss?)));
    words.extend(more);
    words.extend(["\n".to_owned(), report.config.display().to_string()]);
    output.result("report", &report, &words)
}
