//! `skiagraph-engine`: the command line for those who make data sets and models.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Synthetic radiographs: data sets, models, training, generation.
#[derive(Parser)]
#[command(name = "skiagraph-engine", version)]
struct Arguments {
    /// Print one JSON event a line instead of a progress bar and words.
    #[arg(long, global = true)]
    json: bool,
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
    /// Make, read and check models.
    #[command(subcommand)]
    Model(commands::model::Command),
    /// Make images.
    Generate(commands::generate::Arguments),
    /// Train a part of a model, or an adapter.
    Train(commands::train::Arguments),
    /// Write down a spoken request, and what it asks for.
    Transcribe(commands::transcribe::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let done = match arguments.command {
        Command::Dicom(command) => commands::dicom::run(command, &output),
        Command::Dataset(command) => commands::dataset::run(command, &output),
        Command::Model(command) => commands::model::run(command, &output),
        Command::Generate(arguments) => commands::generate::run(&arguments, &output),
        Command::Train(arguments) => commands::train::run(&arguments, &output),
        Command::Transcribe(arguments) => commands::transcribe::run(&arguments, &output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}
