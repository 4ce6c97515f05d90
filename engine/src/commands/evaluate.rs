//! `skiagraph-engine evaluate`.

use std::path::PathBuf;

use clap::ArgGroup;
use skiagraph_engine::device::{CancelToken, DeviceChoice};
use skiagraph_engine::evaluate::{Generation, evaluate, evaluate_generation};

use super::Output;
use super::generate::adapter;
use super::output::{Progress, write_report};

#[derive(clap::Args)]
#[command(group = ArgGroup::new("images").args(["prompts", "masks"]).multiple(true))]
pub(crate) struct Arguments {
    /// The model's folder: a judge, a lung segmenter, or a bundle, whose autoencoder is measured, and, with
    /// --prompts or --masks, the images that it makes.
    #[arg(long)]
    model: PathBuf,
    /// The data set's folder; its held-out patients are looked at.
    #[arg(long)]
    dataset: PathBuf,
    /// The folder for `report.json` and `report.md`, and for images. Those that are there are not made again.
    #[arg(long)]
    out: PathBuf,
    /// Images to make of prompts, findings, age groups, sexes and views in turns: does the judge see what was asked
    /// for?
    #[arg(long, value_name = "COUNT")]
    prompts: Option<usize>,
    /// Images to make of held-out lung masks: are the lungs where they were asked for?
    #[arg(long, value_name = "COUNT")]
    masks: Option<usize>,
    #[command(flatten)]
    generation: GenerationArguments,
}

/// With what images are made and looked at.
#[derive(clap::Args)]
struct GenerationArguments {
    /// A finding to ask for; may be given again. Without it, those that the judge tells apart on held-out
    /// radiographs.
    #[arg(long, requires = "prompts", value_name = "SLUG")]
    finding: Vec<String>,
    /// The folder of the classifier that judges images; without it, `judge` below the model.
    #[arg(long, requires = "images", value_name = "FOLDER")]
    judge: Option<PathBuf>,
    /// The folder of the segmenter that finds the lungs; without it, `segmenter` below the model.
    #[arg(long, requires = "masks", value_name = "FOLDER")]
    segmenter: Option<PathBuf>,
    /// The folder of the control network that follows lung masks; without it, `controlnet_lungmask` below the model.
    #[arg(long, requires = "masks", value_name = "FOLDER")]
    control_network: Option<PathBuf>,
    /// An adapter on the model, with its scale after a colon; may be given again. Prompts are made without it as well,
    /// to see what is kept.
    #[arg(long, requires = "images", value_name = "PATH:SCALE")]
    lora: Vec<String>,
    /// A concept in the model's sight, with its scale after a colon; may be given again. Prompts are made without it
    /// as well, to see what is kept.
    #[arg(long, requires = "images", value_name = "PATH:SCALE")]
    concept: Vec<String>,
    /// Denoising steps; the model's card knows a good number.
    #[arg(long, requires = "images")]
    steps: Option<usize>,
    /// Strength of guidance; the model's card knows a good one.
    #[arg(long, requires = "images")]
    guidance: Option<f64>,
    /// Seed of the first image.
    #[arg(long, requires = "images", default_value_t = 0)]
    seed: u64,
    /// Prompts and masks to show on a sheet, `samples.png`, beside their images; on another,
    /// `samples-beside-real.png`, the images stand beside the nearest training radiographs.
    #[arg(long, requires = "images", default_value_t = 0, value_name = "COUNT")]
    sheet: usize,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    let device = device.open()?;
    let Arguments { model, dataset, out, .. } = arguments;
    let wanted = arguments.generation()?;
    let report = if wanted.prompts == 0 && wanted.masks == 0 {
        evaluate(model, dataset, &device)?
    } else {
        let mut shown: Option<(&'static str, Progress)> = None;
        let mut hear = |what: &'static str, done: u64, total: u64| {
            // Another thing is counted: another bar.
            if shown.as_ref().is_none_or(|(before, _)| *before != what)
                && let Some((_, bar)) = shown.replace((what, output.progress(what)))
            {
                bar.finish();
            }
            if let Some((_, bar)) = &shown {
                bar.at(done, total);
            }
        };
        let cancel = CancelToken::new();
        let report =
            evaluate_generation(model, dataset, &wanted, out, &device, &mut hear, &cancel)?;
        if let Some((_, bar)) = shown {
            bar.finish();
        }
        report
    };
    let page = report.table();
    write_report(out, &report, &page)?;
    output.result("report", &report, &page)
}

impl Arguments {
    fn generation(&self) -> anyhow::Result<Generation> {
        let own = &self.generation;
        let scaled = |option: &str, texts: &[String]| {
            let one = |text: &String| {
                let found = adapter(option, text)?;
                Ok((found.path, found.scale))
            };
            texts.iter().map(one).collect::<anyhow::Result<Vec<_>>>()
        };
        Ok(Generation {
            prompts: self.prompts.unwrap_or(0),
            masks: self.masks.unwrap_or(0),
            findings: own.finding.clone(),
            judge: own.judge.clone(),
            segmenter: own.segmenter.clone(),
            control_network: own.control_network.clone(),
            adapters: scaled("--lora", &own.lora)?,
            concepts: scaled("--concept", &own.concept)?,
            steps: own.steps,
            guidance_scale: own.guidance,
            seed: own.seed,
            sheet: own.sheet,
        })
    }
}
