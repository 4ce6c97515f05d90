//! `skiagraph-engine model`.

use std::path::PathBuf;

use anyhow::bail;
use candle_core::Device;
use clap::{Subcommand, ValueEnum};
use skiagraph_engine::model::{Bundle, write_tiny};
use skiagraph_engine::prompt::findings;
use skiagraph_engine::sample::Pipeline;

use super::Output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a model with random weights.
    Init {
        /// Its size.
        #[arg(long)]
        preset: Preset,
        /// The folder to make.
        #[arg(long)]
        out: PathBuf,
        /// Seed of the weights.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Load every part of a model, and say what it is.
    Check {
        /// The model's folder.
        #[arg(long)]
        model: PathBuf,
    },
}

/// Sizes of a fresh model.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Preset {
    /// The smallest, for tests.
    Tiny,
}

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Init { preset: Preset::Tiny, out, seed } => {
            if out.exists() {
                bail!("{} exists already", out.display());
            }
            let texts: Vec<String> = findings()
                .iter()
                .map(|finding| format!("chest radiograph, {}", finding.name))
                .collect();
            write_tiny(&out, &texts, seed)?;
            output.result("model", &Bundle::open(&out)?.card(), &out.display().to_string())
        }
        Command::Check { model } => {
            let bundle = Bundle::open(&model)?;
            Pipeline::load(&bundle, &Device::Cpu)?;
            let card = bundle.card();
            let words = format!(
                "{} {}: {}\n{} × {} pixels, weights {}\nlicence {}\n{}",
                card.name,
                card.version,
                card.description,
                card.image_size,
                card.image_size,
                card.weights_sha256,
                card.licence,
                card.attribution.join("\n"),
            );
            output.result("model", card, &words)
        }
    }
}
