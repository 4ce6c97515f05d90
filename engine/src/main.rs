//! `skiagraph-engine`: the command line for those who make data sets and models.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::Output;
use skiagraph_engine::device::DeviceChoice;
use skiagraph_engine::kernel::prepare_process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Synthetic radiographs: data sets, models, training, generation.
#[derive(Parser)]
#[command(name = "skiagraph-engine", version)]
struct Arguments {
    /// Print one JSON event a line instead of a progress bar and words.
    #[arg(long, global = true)]
    json: bool,
    /// What computes: auto, cpu, cuda or cuda:N; `model` computes on the CPU whatever is said.
    #[arg(long, global = true, env = "SKIAGRAPH_DEVICE", default_value_t)]
    device: DeviceChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read, make and check DICOM objects.
    #[command(subcommand)]
    Dicom(commands::dicom::Command),
    /// Build and inspect data sets.
    #[command(subcommand)]
    Dataset(commands::dataset::Command),
    /// Read adapters, and write them in other forms.
    #[command(subcommand)]
    Adapter(commands::adapter::Command),
    /// Make, read and check models.
    #[command(subcommand)]
    Model(commands::model::Command),
    /// Make images.
    Generate(Box<commands::generate::Arguments>),
    /// Train a part of a model, or an adapter.
    Train(commands::train::Arguments),
    /// Measure a model on the held-out patients of a data set.
    Evaluate(commands::evaluate::Arguments),
    /// Compare finished runs: what each trained, what that costs, and what it gained.
    Compare(commands::compare::Arguments),
    /// Search for what to train, within a budget.
    Search(commands::search::Arguments),
    /// Write down a spoken request, and what it asks for.
    Transcribe(commands::transcribe::Arguments),
    /// Say whether an image is synthetic: by what its file says, by its credential, by the mark in its pixels.
    Verify(commands::verify::Arguments),
    /// Time the engine's work on this machine, and see where the time goes.
    ///
    /// Every case runs in a process of its own, so that its peak of memory is its own. What the engine
    /// cannot do in a number type is told as unsupported. Ends with 1 where a case fails.
    Bench(commands::bench::Arguments),
}

fn main() -> ExitCode {
    prepare_process();
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let done = |done: anyhow::Result<()>| done.map(|()| ExitCode::SUCCESS);
    let device = arguments.device;
    let code = match arguments.command {
        Command::Dicom(command) => done(commands::dicom::run(command, &output)),
        Command::Dataset(command) => done(commands::dataset::run(command, &output)),
        Command::Adapter(command) => done(commands::adapter::run(command, &output)),
        Command::Model(command) => commands::model::run(command, &output),
        Command::Generate(arguments) => done(commands::generate::run(&arguments, device, &output)),
        Command::Train(arguments) => done(commands::train::run(&arguments, device, &output)),
        Command::Evaluate(arguments) => done(commands::evaluate::run(&arguments, device, &output)),
        Command::Compare(arguments) => done(commands::compare::run(&arguments, device, &output)),
        Command::Search(arguments) => done(commands::search::run(&arguments, device, &output)),
        Command::Transcribe(arguments) => {
            done(commands::transcribe::run(&arguments, device, &output))
        }
        Command::Verify(arguments) => done(commands::verify::run(&arguments, &output)),
        Command::Bench(arguments) => commands::bench::run(&arguments, &output),
    };
    code.unwrap_or_else(|error| {
        output.error(&error);
        ExitCode::FAILURE
    })
}
