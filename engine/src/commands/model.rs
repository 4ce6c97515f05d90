//! `skiagraph-engine model`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use candle_core::Device;
use clap::{Subcommand, ValueEnum};
use skiagraph_engine::check::check;
use skiagraph_engine::model::{self, Bundle, write_preset};
use skiagraph_engine::prompt::findings;
use skiagraph_engine::sample::Pipeline;

use super::{Output, bring};

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
    /// Make a model of a folder in diffusers' layout, or of a checkpoint in one safetensors file.
    ///
    /// Every weight is looked at before anything is at its place; pickles are refused.
    Import(bring::Import),
    /// Fetch a model from the Hugging Face hub, or from a mirror of it.
    ///
    /// Files are held against their hashes. What a pull that was cut off left is kept, and the same
    /// command goes on from there. HF_TOKEN opens repositories that are not open to everybody.
    Pull(bring::Pull),
    /// Load every part of a model and say what it is; or hold its parts against the numbers of the
    /// original library.
    ///
    /// With a reference file: prints, by part, the largest deviation relative to the expected output's
    /// largest value. Ends with 1 where one is above the tolerance, with 2 where file or folder cannot
    /// be used. The folder then needs to hold the parts that the file covers, and no card.
    Check {
        /// The model's folder.
        #[arg(long)]
        model: PathBuf,
        /// Inputs and expected outputs, as safetensors.
        #[arg(long)]
        reference: Option<PathBuf>,
        /// The largest deviation.
        #[arg(long, default_value_t = 1e-4, value_parser = tolerance)]
        tolerance: f64,
    },
}

/// Sizes of a fresh model.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Preset {
    /// The smallest, for tests.
    Tiny,
    /// A network of 18 M weights.
    Small,
    /// Stable Diffusion 1.5's shape (2 GB on disk, 7 GB of memory while it is made).
    Sd15,
}

impl From<Preset> for model::Preset {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Tiny => Self::Tiny,
            Preset::Small => Self::Small,
            Preset::Sd15 => Self::StableDiffusion15,
        }
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if f64::is_finite(value) && value >= 0.0 => Ok(value),
        Ok(_) | Err(_) => Err("must be a number, 0 or more".into()),
    }
}

/// The check ran, and a part deviates.
const DEVIATES: u8 = 1;
/// The check could not run.
const UNUSABLE: u8 = 2;

pub(crate) fn run(command: Command, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { model, reference: Some(reference), tolerance } => {
            return Ok(hold(&model, &reference, tolerance, output)?.into());
        }
        Command::Import(arguments) => bring::import(&arguments, output)?,
        Command::Pull(arguments) => bring::pull(&arguments, output)?,
        Command::Init { preset, out, seed } => {
            if out.exists() {
                bail!("{} exists already", out.display());
            }
            let texts: Vec<String> = findings()
                .iter()
                .map(|finding| format!("chest radiograph, {}", finding.name))
                .collect();
            write_preset(&out, preset.into(), &texts, seed)?;
            output.result("model", &Bundle::open(&out)?.card(), &out.display().to_string())?;
        }
        Command::Check { model, reference: None, tolerance: _ } => {
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
            output.result("model", card, &words)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Holds a model against a reference file; the code with which the program ends.
fn hold(model: &Path, reference: &Path, tolerance: f64, output: &Output) -> anyhow::Result<u8> {
    match check(model, reference, tolerance, &Device::Cpu) {
        Ok(report) => {
            output.result("check", &report, &report.table())?;
            Ok(if report.ok { 0 } else { DEVIATES })
        }
        Err(error) => {
            output.error(&error.into());
            Ok(UNUSABLE)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_programs_end_says_what_a_check_found() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let reference = golden.join("references/sd1.safetensors");
        let desk = tempfile::tempdir().unwrap();
        let mut numbers = candle_core::safetensors::load(&reference, &Device::Cpu).unwrap();
        numbers.retain(|name, _| name.starts_with("text/"));
        let output = Output::new(true);
        let mut code = |change: f64| {
            let name = "text/out/last_hidden_state";
            let changed = numbers[name].affine(1.0, change).unwrap();
            numbers.insert(name.into(), changed);
            let path = desk.path().join("reference.safetensors");
            candle_core::safetensors::save(&numbers, &path).unwrap();
            hold(&golden.join("sd1"), &path, 1e-4, &output).unwrap()
        };
        assert_eq!(code(0.0), 0);
        assert_eq!(code(0.01), DEVIATES);
        assert_eq!(code(f64::NAN), UNUSABLE);
        assert_eq!(hold(&desk.path().join("gone"), &reference, 1e-4, &output).unwrap(), UNUSABLE);
    }
}
