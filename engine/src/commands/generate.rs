//! `skiagraph-engine generate`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::prompt::StructuredPrompt;
use skiagraph_engine::serve::{AdapterRef, GenerateRequest, Progress, Service};
use skiagraph_engine::terms::{AgeGroup, Sex};

use super::Output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model's folder.
    #[arg(long)]
    model: PathBuf,
    /// Free words, after what the options below say.
    #[arg(long)]
    prompt: Option<String>,
    /// A finding; may be given again.
    #[arg(long)]
    finding: Vec<String>,
    /// child or adult.
    #[arg(long)]
    age_group: Option<String>,
    /// female, male or other.
    #[arg(long)]
    sex: Option<String>,
    /// AP, PA …
    #[arg(long)]
    view: Option<String>,
    /// What the images should not show.
    #[arg(long)]
    negative: Option<String>,
    /// An adapter's folder or .safetensors file, with its scale after a colon; may be given again.
    #[arg(long, value_name = "PATH:SCALE")]
    lora: Vec<String>,
    /// Seed of the first image.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Denoising steps; the model's card knows a good number.
    #[arg(long)]
    steps: Option<u32>,
    /// Strength of guidance; the model's card knows a good one.
    #[arg(long)]
    guidance: Option<f32>,
    /// How many images.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// The folder that the images go to, as DICOM and PNG.
    #[arg(long)]
    out: PathBuf,
}

/// One image, in JSON.
#[derive(Serialize)]
struct Written {
    seed: u64,
    dicom: PathBuf,
    png: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<()> {
    let service = Service::open(&arguments.model)?;
    let card = service.card();
    let request = GenerateRequest {
        prompt: StructuredPrompt {
            findings: arguments.finding.clone(),
            age_group: parse("--age-group", arguments.age_group.as_deref(), AgeGroup::parse)?,
            sex: parse("--sex", arguments.sex.as_deref(), Sex::parse)?,
            view_position: arguments.view.clone(),
            text: arguments.prompt.clone(),
        },
        negative: arguments.negative.clone(),
        seed: arguments.seed,
        steps: arguments.steps.unwrap_or(card.default_steps),
        guidance_scale: arguments.guidance.unwrap_or(card.default_guidance_scale),
        count: arguments.count,
        adapters: arguments.lora.iter().map(|text| adapter(text)).collect::<anyhow::Result<_>>()?,
    };
    service.validate(&request)?;
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let progress = output.progress("steps");
    let total = u64::from(request.steps) * u64::from(request.count);
    // One at a time: each is kept as soon as it is finished.
    for index in 0..request.count {
        let mut on_progress = |step: Progress| {
            progress.at(u64::from(index * step.steps + step.step), total);
        };
        let seed = request.seed.wrapping_add(u64::from(index));
        let one = GenerateRequest { seed, count: 1, ..request.clone() };
        for image in service.generate(&one, &mut on_progress, &CancelToken::new())? {
            let path = |ending: &str| arguments.out.join(format!("{:010}.{ending}", image.seed));
            let written = Written { seed: image.seed, dicom: path("dcm"), png: path("png") };
            write(&written.dicom, &image.dicom)?;
            write(&written.png, &image.png)?;
            output.result("image", &written, &written.dicom.display().to_string())?;
        }
    }
    progress.finish();
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    skiagraph_engine::files::replace(path, bytes).with_context(|| path.display().to_string())
}

fn parse<T>(
    option: &str,
    word: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<Option<T>> {
    word.map(|word| parse(word).with_context(|| format!("{option}: is not known"))).transpose()
}

/// `path:scale`, or a path alone, which acts as it was trained.
fn adapter(text: &str) -> anyhow::Result<AdapterRef> {
    let (path, scale) = match text.rsplit_once(':') {
        // A name may hold a colon.
        Some(_) if Path::new(text).exists() => (text, 1.0),
        Some((path, scale)) => {
            (path, scale.parse().with_context(|| format!("--lora: {scale} is no number"))?)
        }
        None => (text, 1.0),
    };
    Ok(AdapterRef { path: path.into(), scale })
}
