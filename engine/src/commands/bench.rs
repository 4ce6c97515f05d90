//! `skiagraph-engine bench`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use serde_json::Value;
use skiagraph_engine::bench::{self, Case, Order, Outcome, Precision, Report};
use skiagraph_engine::model::Preset;

use super::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A case to time, more than once for several; all where none is named: unet-32, unet-64,
    /// vae-decode, small-forward, small-training, lora-training, text-to-image.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<Case>,
    /// A number type: f32, bf16, or int8, f32 with the denoising network's weights in eight bits; all where none is named.
    #[arg(long = "dtype", value_name = "TYPE")]
    dtypes: Vec<Precision>,
    /// The model's folder, in place of a fresh one with random weights in the case's shape.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Threads; RAYON_NUM_THREADS or every core where it is not given.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// How often each case is timed; 1 to 7 times, the longer the case the fewer, where it is not given.
    #[arg(long)]
    repeat: Option<NonZeroUsize>,
    /// How often each case is done before the clock starts; once, but for text-to-image, where it is
    /// not given.
    #[arg(long)]
    warm_up: Option<usize>,
    /// For cases that learn: compute the network's blocks once more on the way back, in place of keeping
    /// what they computed.
    #[arg(long)]
    gradient_checkpointing: bool,
    /// Do each case once more, and print where its time goes by operation.
    #[arg(long)]
    profile: bool,
    /// The case's inputs, as safetensors, in place of numbers from a seed.
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// Write the case's first answer as safetensors; for one case in one number type.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Do the one case in this process.
    #[arg(long, hide = true)]
    inside: bool,
}

/// The models that were made for cases that none was given to; they go with this.
#[derive(Default)]
struct Fresh {
    made: Vec<(Preset, tempfile::TempDir)>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let cases = match &arguments.cases[..] {
        [] => Case::ALL.to_vec(),
        given => given.to_vec(),
    };
    let dtypes = match &arguments.dtypes[..] {
        [] => Precision::ALL.to_vec(),
        given => given.to_vec(),
    };
    if arguments.output.is_some() && (cases.len(), dtypes.len()) != (1, 1) {
        bail!("--output: takes one answer; name one --case and one --dtype");
    }
    if let Some(case) = cases.iter().find(|case| arguments.gradient_checkpointing && !case.learns())
    {
        bail!("--gradient-checkpointing: {case} does not learn; name cases that do");
    }
    if arguments.inside {
        let (Some(case), Some(dtype)) = (cases.first(), dtypes.first()) else {
            bail!("--case: is missing");
        };
        return inside(arguments, *case, *dtype, output);
    }
    let mut fresh = Fresh::default();
    let mut failed = false;
    for case in cases {
        let model = match &arguments.model {
            Some(model) => model.clone(),
            None => fresh.folder(case.preset(), output)?,
        };
        for dtype in &dtypes {
            let outcome = outside(arguments, case, *dtype, &model, output)?;
            failed |= matches!(outcome, Outcome::Failed { .. });
            let report = Report { case, dtype: *dtype, outcome };
            output.result("bench", &report, &report.words())?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Does a case in this process, and prints its report for the one that started it.
fn inside(
    arguments: &Arguments,
    case: Case,
    precision: Precision,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let order = Order {
        case,
        precision,
        model: arguments.model.clone().context("--model: is missing")?,
        inputs: arguments.inputs.clone(),
        output: arguments.output.clone(),
        warm_up: arguments.warm_up.unwrap_or(case.warm_up()),
        repeat: arguments.repeat.map_or(case.repeat(), NonZeroUsize::get),
        gradient_checkpointing: arguments.gradient_checkpointing,
        profile: arguments.profile,
    };
    let outcome = match bench::run(&order) {
        Ok(measurement) => Outcome::Measured(measurement),
        Err(error) => match error.unsupported() {
            Some(reason) => Outcome::Unsupported { reason },
            None => return Err(error.into()),
        },
    };
    let report = Report { case, dtype: precision, outcome };
    output.result("bench", &report, &report.words())?;
    Ok(ExitCode::SUCCESS)
}

/// Does a case in a process of its own.
fn outside(
    arguments: &Arguments,
    case: Case,
    dtype: Precision,
    model: &Path,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let mut command = this_program()?;
    command.args(["bench", "--inside", "--case", case.name(), "--dtype", dtype.name()]);
    command.arg("--model").arg(model);
    if let Some(repeat) = arguments.repeat {
        command.arg("--repeat").arg(repeat.to_string());
    }
    if let Some(warm_up) = arguments.warm_up {
        command.arg("--warm-up").arg(warm_up.to_string());
    }
    if arguments.profile {
        command.arg("--profile");
    }
    if arguments.gradient_checkpointing {
        command.arg("--gradient-checkpointing");
    }
    for (option, path) in [("--inputs", &arguments.inputs), ("--output", &arguments.output)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    if let Some(threads) = arguments.threads {
        // Rayon and candle both read it, and each once: so it stands before the process begins.
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let (status, text) = wait(command, &format!("{case} {dtype}"), output)?;
    Ok(outcome(status, &text))
}

/// This program, told to speak JSON.
fn this_program() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's own file")?);
    command.arg("--json").stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(command)
}

/// How a command ended and what it printed; a person sees that something is under way.
fn wait(mut command: Command, what: &str, output: &Output) -> anyhow::Result<(ExitStatus, String)> {
    let spinner = if output.is_json() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.set_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    let done = command.output().context("starting this program once more")?;
    spinner.finish_and_clear();
    // What a process says before it dies is its own to say.
    if !done.stderr.is_empty() {
        eprint!("{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok((done.status, String::from_utf8_lossy(&done.stdout).into_owned()))
}

/// What became of a case whose process printed `text`.
fn outcome(status: ExitStatus, text: &str) -> Outcome {
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut cause = None;
    for event in events {
        match event["event"].as_str() {
            Some("bench") => match serde_json::from_value::<Report>(event) {
                Ok(report) if status.success() => return report.outcome,
                Ok(_) => {}
                Err(error) => cause = Some(format!("its report cannot be read: {error}")),
            },
            Some("error") => cause = event["cause"].as_str().map(str::to_owned),
            _ => {}
        }
    }
    let cause = cause.unwrap_or_else(|| format!("its process ended without a report ({status})"));
    Outcome::Failed { cause }
}

impl Fresh {
    /// The folder of a fresh model, made when it is first asked for.
    fn folder(&mut self, preset: Preset, output: &Output) -> anyhow::Result<PathBuf> {
        let there = self.made.iter().find(|(made, _)| *made == preset);
        if let Some((_, desk)) = there {
            return Ok(desk.path().join("model"));
        }
        let name = match preset {
            Preset::Tiny => "tiny",
            Preset::Small => "small",
            Preset::StableDiffusion15 => "sd15",
        };
        let desk = tempfile::Builder::new().prefix("skiagraph-bench-").tempdir()?;
        let folder = desk.path().join("model");
        // In a process of its own: the memory that it takes to make is free again for the case.
        let mut command = this_program()?;
        command.args(["model", "init", "--preset", name, "--seed", "0", "--out"]).arg(&folder);
        let (status, text) = wait(command, &format!("making a model: {name}"), output)?;
        if !status.success() {
            bail!("making a model of the shape {name}: {}", text.trim());
        }
        self.made.push((preset, desk));
        Ok(folder)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_process_that_dies_is_a_case_that_failed() {
        let failed = |status, text| match outcome(ExitStatus::from_raw(status), text) {
            Outcome::Failed { cause } => cause,
            other => format!("{other:?}"),
        };
        assert!(failed(9, "").contains("signal: 9"));
        let said = "{\"event\":\"error\",\"cause\":\"inputs: sample: is missing\"}\n";
        assert_eq!(failed(256, said), "inputs: sample: is missing");
        let report = "{\"event\":\"bench\",\"case\":\"unet-32\",\"dtype\":\"bf16\",\
                      \"status\":\"unsupported\",\"reason\":\"no\"}\n";
        let reason = Outcome::Unsupported { reason: "no".into() };
        assert_eq!(outcome(ExitStatus::from_raw(0), report), reason);
        assert!(failed(11, report).contains("signal: 11"));
        assert!(failed(0, "{\"event\":\"bench\"}").contains("cannot be read"));
    }
}
