//! From words of the command line to what they name.

use std::path::Path;

use anyhow::{Context, anyhow};
use skiagraph_engine::control::{ControlKind, read_picture};
use skiagraph_engine::dicom::Frame;
use skiagraph_engine::noise::SchedulerConfig;
use skiagraph_engine::prompt::DescribedFinding;
use skiagraph_engine::serve::{AdapterRef, Control, EmbeddingRef, ImagePrompt, Service};

use super::Arguments;

pub(super) fn scheduler(name: &str, service: &Service) -> anyhow::Result<SchedulerConfig> {
    let config = if Path::new(name).is_file() {
        let text = std::fs::read(name).with_context(|| format!("--scheduler: {name}"))?;
        SchedulerConfig::parse(&text)
    } else {
        SchedulerConfig::named(name, service.scheduler())
    };
    config.map_err(|cause| anyhow!("--scheduler: {name}: {cause}"))
}

pub(super) fn controls(arguments: &Arguments) -> anyhow::Result<Vec<Control>> {
    arguments.control.iter().enumerate().map(|(network, text)| control(network, text)).collect()
}

/// `kind=file`, with a weight after a colon, and the range of its steps after an at sign.
pub(super) fn control(network: usize, text: &str) -> anyhow::Result<Control> {
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
pub(super) fn image_prompts(arguments: &Arguments) -> anyhow::Result<Vec<ImagePrompt>> {
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

pub(super) fn picture(option: &str, path: &Path) -> anyhow::Result<Frame> {
    let place = || format!("{option}: {}", path.display());
    let bytes = std::fs::read(path).with_context(place)?;
    read_picture(&bytes).with_context(place)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    skiagraph_engine::files::replace(path, bytes)
        .with_context(|| format!("--out: {}", path.display()))
}

pub(super) fn parse<T>(
    option: &str,
    word: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<Option<T>> {
    word.map(|word| parse(word).with_context(|| format!("{option}: is not known"))).transpose()
}

/// `finding`, `finding:place` or `finding:place:severity`; a place that is left empty is none.
pub(super) fn finding(text: &str) -> DescribedFinding {
    let mut parts = text.splitn(3, ':').map(str::trim);
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (finding, place, severity) = (next(), next(), next());
    let given = |word: String| (!word.is_empty()).then_some(word);
    DescribedFinding { finding, place: given(place), severity: given(severity), weight: None }
}

/// `path:scale`, or a path alone, which acts as it was trained.
pub(super) fn adapter(text: &str) -> anyhow::Result<AdapterRef> {
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

/// `path`, or `path:word`.
pub(super) fn embedding(text: &str) -> EmbeddingRef {
    match text.rsplit_once(':') {
        // A name may hold a colon.
        Some((path, word)) if !Path::new(text).exists() => {
            EmbeddingRef { path: path.into(), token: Some(word.to_owned()) }
        }
        _ => EmbeddingRef { path: text.into(), token: None },
    }
}

/// Two whole numbers with an x or a comma between them.
pub(super) fn pair(text: &str) -> Result<(u32, u32), String> {
    let numbers = text
        .split_once(['x', ','])
        .and_then(|(one, two)| Some((one.trim().parse().ok()?, two.trim().parse().ok()?)));
    numbers.ok_or_else(|| "must be two whole numbers, such as 1024x1024 or 0,64".to_owned())
}
