//! From words of the command line to what they name.

use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
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

/// The controls of the options, for networks that were taught the conditions `taught`.
pub(super) fn controls(
    arguments: &Arguments,
    taught: &[Option<String>],
) -> anyhow::Result<Vec<Control>> {
    let parsed = arguments.control.iter().map(|text| control(text));
    let (kinds, mut controls): (Vec<_>, Vec<_>) =
        parsed.collect::<anyhow::Result<Vec<_>>>()?.into_iter().unzip();
    for (control, network) in controls.iter_mut().zip(networks(&kinds, taught)?) {
        control.network = network;
    }
    Ok(controls)
}

/// Which network each control goes to: the first that was taught its kind and has no other control yet, or,
/// where none says so, the n-th.
fn networks(kinds: &[ControlKind], taught: &[Option<String>]) -> anyhow::Result<Vec<usize>> {
    let mut given = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let says = |network: &usize| taught[*network].as_deref() == Some(kind.word());
        let fits = (0..taught.len()).find(|network| says(network) && !given.contains(network));
        let network = match (fits, taught.get(index)) {
            (Some(network), _) => network,
            (None, Some(Some(other))) if *kind != ControlKind::Ready => bail!(
                "--control: no network is left that was taught {}; network {index} was taught {other}",
                kind.word()
            ),
            // A network that is not there is told of with the request.
            (None, _) => index,
        };
        given.push(network);
    }
    Ok(given)
}

/// `kind=file`, with a weight after a colon, and the range of its steps after an at sign.
fn control(text: &str) -> anyhow::Result<(ControlKind, Control)> {
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
    Ok((kind, Control { network: 0, image, weight, start, end }))
}

/// The picture of the first control that is a mask.
pub(super) fn lung_mask(arguments: &Arguments) -> anyhow::Result<Frame> {
    for text in &arguments.control {
        let (kind, control) = control(text)?;
        if kind == ControlKind::Mask {
            let lungs = control.image.pixels.iter().any(|value| *value > 0.0);
            ensure!(lungs, "--segmentation: nothing in the mask is white");
            return Ok(control.image);
        }
    }
    bail!("--segmentation: needs a mask, --control {}=FILE", ControlKind::Mask.word())
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

/// Adapters and concepts, in the order of the options.
pub(super) fn adapters(arguments: &Arguments) -> anyhow::Result<Vec<AdapterRef>> {
    let loras = arguments.lora.iter().map(|text| adapter("--lora", text));
    loras.chain(arguments.concept.iter().map(|text| adapter("--concept", text))).collect()
}

/// `path:scale`, or a path alone, which acts as it was trained.
pub(in crate::commands) fn adapter(option: &str, text: &str) -> anyhow::Result<AdapterRef> {
    let (path, scale) = match text.rsplit_once(':') {
        // A name may hold a colon.
        Some(_) if Path::new(text).exists() => (text, 1.0),
        Some((path, scale)) => {
            (path, scale.parse().with_context(|| format!("{option}: {scale} is no number"))?)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn a_segmentation_is_of_the_mask_that_leads() {
        let folder = tempfile::tempdir().unwrap();
        let drawn = |name: &str, white: u8| {
            let path = folder.path().join(name);
            image::GrayImage::from_fn(4, 2, |x, _| image::Luma([white * x as u8]))
                .save(&path)
                .unwrap();
            path.display().to_string()
        };
        let (black, lungs) = (drawn("black.png", 0), drawn("lungs.png", 60));
        let asked = |controls: &[String]| {
            let mut line =
                ["x", "--model", "m", "--out", "o", "--segmentation"].map(String::from).to_vec();
            line.extend(controls.iter().flat_map(|control| ["--control".into(), control.clone()]));
            Line::try_parse_from(line)
                .map(|line| lung_mask(&line.arguments).map_err(|error| error.to_string()))
        };
        assert!(asked(&[]).is_err(), "--segmentation needs a control");
        let edges = format!("edges={lungs}");
        let mask = asked(&[edges.clone(), format!("lungmask={lungs}:0.5")]).unwrap().unwrap();
        assert_eq!(mask.pixels, [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(
            asked(&[edges]).unwrap().unwrap_err(),
            "--segmentation: needs a mask, --control mask=FILE"
        );
        assert_eq!(
            asked(&[format!("mask={black}")]).unwrap().unwrap_err(),
            "--segmentation: nothing in the mask is white"
        );
    }

    #[test]
    fn a_control_goes_to_the_network_that_was_taught_its_kind() {
        use ControlKind::{Edges, Mask, Ready};
        let taught = |words: &[&str]| -> Vec<Option<String>> {
            words.iter().map(|word| (!word.is_empty()).then(|| (*word).to_owned())).collect()
        };
        let both = taught(&["mask", "edges"]);
        assert_eq!(networks(&[Edges], &both).unwrap(), [1]);
        assert_eq!(networks(&[Edges, Mask], &both).unwrap(), [1, 0]);
        assert_eq!(networks(&[Ready], &both).unwrap(), [0]);
        let error = networks(&[Edges], &taught(&["mask"])).unwrap_err().to_string();
        assert!(error.contains("taught edges") && error.contains("taught mask"), "{error}");
        assert_eq!(networks(&[Edges, Mask], &taught(&["", ""])).unwrap(), [0, 1]);
        assert_eq!(networks(&[Edges, Mask], &[]).unwrap(), [0, 1]);
        assert_eq!(networks(&[Edges, Edges], &taught(&["edges", ""])).unwrap(), [0, 1]);
    }
}
