//! `skiagraph-engine generate`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;
use skiagraph_engine::control::{ControlKind, read_picture};
use skiagraph_engine::device::CancelToken;
use skiagraph_engine::dicom::{Frame, read_provenance};
use skiagraph_engine::noise::SchedulerConfig;
use skiagraph_engine::prompt::{DescribedFinding, StructuredPrompt};
use skiagraph_engine::serve::{
    AdapterRef, Control, GenerateRequest, Given, ImagePrompt, IpAdapterFiles, Progress, Service,
    Start, replay,
};
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
    /// A finding, with place and severity after colons: pneumonia:right_lower_lobe:severe; may be
    /// given again.
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
    /// How it was taken or recorded: portable, digital, film …
    #[arg(long)]
    style: Option<String>,
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
    /// How far guidance is brought back to the spread of the unguided prediction, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    guidance_rescale: f32,
    /// Columns; without it the model's own size.
    #[arg(long, requires = "height")]
    width: Option<u32>,
    /// Rows; without it the model's own size.
    #[arg(long, requires = "width")]
    height: Option<u32>,
    /// A picture to start from: DICOM, PNG or JPEG.
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// What of that picture is made anew, white on black.
    #[arg(long, requires = "init", value_name = "FILE")]
    mask: Option<PathBuf>,
    /// The share of the steps that is taken from that picture, above 0 and up to 1: little keeps it.
    #[arg(long, requires = "init", default_value_t = 0.8)]
    strength: f64,
    /// A diffusers scheduler by the name of its class (DDIM, Euler, DPMSolverMultistep …) with the model's
    /// own settings, or a scheduler_config.json.
    #[arg(long, value_name = "NAME|FILE")]
    scheduler: Option<String>,
    /// A ControlNet or T2I-Adapter beside the model's own, a folder in the diffusers layout; may be given
    /// again.
    #[arg(long, value_name = "FOLDER")]
    control_network: Vec<PathBuf>,
    /// A picture that leads the anatomy: KIND is mask, edges (of a radiograph), sketch or ready. The n-th
    /// goes to the n-th control network, the model's own first.
    #[arg(long, value_name = "KIND=FILE[:WEIGHT[@START-END]]")]
    control: Vec<String>,
    /// An IP-Adapter's .safetensors file, which reads image prompts.
    #[arg(long, requires = "image_encoder", value_name = "FILE")]
    ip_adapter: Option<PathBuf>,
    /// The folder of the image encoder that it was trained with.
    #[arg(long, requires = "ip_adapter", value_name = "FOLDER")]
    image_encoder: Option<PathBuf>,
    /// A picture (DICOM, PNG or JPEG) that shows what is wanted, with its scale after a colon; may be given
    /// again.
    #[arg(long, requires = "ip_adapter", value_name = "FILE[:SCALE]")]
    image_prompt: Vec<String>,
    /// How many images.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// A PNG or DICOM file of ours, which is made again: everything comes from the file. Its adapters
    /// and pictures are named as they were (--lora, --init, --mask, --control,
    /// --image-prompt), and known by their hashes.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "prompt", "finding", "age_group", "sex", "view", "style", "negative", "seed", "steps", "guidance",
        "guidance_rescale", "width", "height", "strength", "scheduler",
        "count",
    ])]
    replay: Option<PathBuf>,
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
    let ip_adapter = arguments.ip_adapter.clone().zip(arguments.image_encoder.clone());
    let ip_adapter =
        ip_adapter.map(|(adapter, image_encoder)| IpAdapterFiles { adapter, image_encoder });
    let networks = &arguments.control_network;
    let service = Service::open_beside(&arguments.model, networks, ip_adapter.as_ref())?;
    let request = match &arguments.replay {
        Some(file) => again(arguments, file, &service)?,
        None => asked(arguments, &service)?,
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

/// The request that the options ask for.
fn asked(arguments: &Arguments, service: &Service) -> anyhow::Result<GenerateRequest> {
    let card = service.card();
    let scheduler =
        arguments.scheduler.as_deref().map(|name| scheduler(name, service)).transpose()?;
    let strength = arguments.strength;
    let start = match (&arguments.init, &arguments.mask) {
        (None, _) => Start::Noise,
        (Some(init), None) => Start::Image { image: picture("--init", init)?, strength },
        (Some(init), Some(mask)) => {
            let mask = ControlKind::Mask.condition(&picture("--mask", mask)?);
            Start::Inpaint { image: picture("--init", init)?, mask, strength }
        }
    };
    Ok(GenerateRequest {
        prompt: StructuredPrompt {
            findings: arguments.finding.iter().map(|text| finding(text)).collect(),
            age_group: parse("--age-group", arguments.age_group.as_deref(), AgeGroup::parse)?,
            sex: parse("--sex", arguments.sex.as_deref(), Sex::parse)?,
            view_position: arguments.view.clone(),
            style: arguments.style.clone(),
            text: arguments.prompt.clone(),
        },
        negative: arguments.negative.clone(),
        seed: arguments.seed,
        steps: arguments.steps.unwrap_or(card.default_steps),
        guidance_scale: arguments.guidance.unwrap_or(card.default_guidance_scale),
        count: arguments.count,
        adapters: arguments.lora.iter().map(|text| adapter(text)).collect::<anyhow::Result<_>>()?,
        guidance_rescale: arguments.guidance_rescale,
        size: arguments.height.zip(arguments.width),
        scheduler,
        start,
        controls: controls(arguments)?,
        image_prompts: image_prompts(arguments)?,
        sentence: None,
    })
}

/// The request that made `file`.
fn again(arguments: &Arguments, file: &Path, service: &Service) -> anyhow::Result<GenerateRequest> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let description = read_provenance(&bytes).with_context(|| file.display().to_string())?;
    let adapters: Vec<_> =
        arguments.lora.iter().map(|text| adapter(text)).collect::<anyhow::Result<_>>()?;
    let read = |option: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| picture(option, path)).transpose()
    };
    let given = Given {
        adapters: adapters.into_iter().map(|adapter| adapter.path).collect(),
        init: read("--init", &arguments.init)?,
        mask: read("--mask", &arguments.mask)?.map(|mask| ControlKind::Mask.condition(&mask)),
        controls: controls(arguments)?.into_iter().map(|control| control.image).collect(),
        image_prompts: image_prompts(arguments)?.into_iter().map(|prompt| prompt.image).collect(),
        image_reader: service.image_reader().map(str::to_owned),
    };
    Ok(replay(&description, service.card(), service.control_networks(), &given)?)
}

fn scheduler(name: &str, service: &Service) -> anyhow::Result<SchedulerConfig> {
    let config = if Path::new(name).is_file() {
        let text = std::fs::read(name).with_context(|| name.to_owned())?;
        SchedulerConfig::parse(&text)
    } else {
        SchedulerConfig::named(name, service.scheduler())
    };
    config.map_err(|cause| anyhow!("--scheduler: {name}: {cause}"))
}

fn controls(arguments: &Arguments) -> anyhow::Result<Vec<Control>> {
    arguments.control.iter().enumerate().map(|(network, text)| control(network, text)).collect()
}

/// `kind=file`, with a weight after a colon, and the range of its steps after an at sign.
fn control(network: usize, text: &str) -> anyhow::Result<Control> {
    let (kind, rest) = text.split_once('=').context("--control: must be KIND=FILE")?;
    let kind = ControlKind::parse(kind).with_context(|| {
        let words = ControlKind::ALL.map(ControlKind::word).join(", ");
        format!("--control: {kind} is none of {words}")
    })?;
    let number = |what: &str, text: &str| {
        text.parse::<f64>().with_context(|| format!("--control: the {what} {text} is no number"))
    };
    let (file, weight, start, end) = match rest.rsplit_once(':') {
        // A file's name may hold a colon.
        Some((file, how)) if !Path::new(rest).is_file() => {
            let (weight, range) = how.split_once('@').unwrap_or((how, "0-1"));
            let (start, end) =
                range.split_once('-').context("--control: the range must be START-END")?;
            (file, number("weight", weight)?, number("start", start)?, number("end", end)?)
        }
        _ => (rest, 1.0, 0.0, 1.0),
    };
    let image = kind.condition(&picture("--control", Path::new(file))?);
    Ok(Control { network, image, weight, start, end })
}

/// `file`, with a scale after a colon.
fn image_prompts(arguments: &Arguments) -> anyhow::Result<Vec<ImagePrompt>> {
    let one = |text: &String| {
        let (file, scale) = match text.rsplit_once(':') {
            // A file's name may hold a colon.
            Some((file, scale)) if !Path::new(text).is_file() => {
                let fault = || format!("--image-prompt: the scale {scale} is no number");
                (file, scale.parse().with_context(fault)?)
            }
            _ => (text.as_str(), 1.0),
        };
        Ok(ImagePrompt { image: picture("--image-prompt", Path::new(file))?, scale })
    };
    arguments.image_prompt.iter().map(one).collect()
}

fn picture(option: &str, path: &Path) -> anyhow::Result<Frame> {
    let place = || format!("{option}: {}", path.display());
    let bytes = std::fs::read(path).with_context(place)?;
    read_picture(&bytes).with_context(place)
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

/// `finding`, `finding:place` or `finding:place:severity`; a place that is left empty is none.
fn finding(text: &str) -> DescribedFinding {
    let mut parts = text.splitn(3, ':').map(str::trim);
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (finding, place, severity) = (next(), next(), next());
    let given = |word: String| (!word.is_empty()).then_some(word);
    DescribedFinding { finding, place: given(place), severity: given(severity), weight: None }
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
