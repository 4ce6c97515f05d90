//! `skiagraph-engine generate`.

mod arguments;
mod parse;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;
use skiagraph_engine::adapter::AdapterError;
use skiagraph_engine::control::ControlKind;
use skiagraph_engine::credential::Signer;
use skiagraph_engine::device::{CancelToken, DeviceChoice};
use skiagraph_engine::dicom::{WriteOptions, read_provenance, write_segmentation};
use skiagraph_engine::model::ModelError;
use skiagraph_engine::prompt::StructuredPrompt;
use skiagraph_engine::serve::{
    GenerateRequest, Given, IpAdapterFiles, Progress, SamplingOptions, ServeError, Service, Sizes,
    Start, replay,
};
use skiagraph_engine::terms::{AgeGroup, Sex};
use skiagraph_engine::watermark::Key;

pub(crate) use self::arguments::Arguments;
pub(super) use self::parse::adapter;
use self::parse::{
    adapters, controls, embedding, finding, image_prompts, lung_mask, parse, picture, scheduler,
    write,
};
use super::Output;

/// One image, in JSON.
#[derive(Serialize)]
struct Written {
    seed: u64,
    dicom: PathBuf,
    png: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    segmentation: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: &Arguments,
    device: DeviceChoice,
    output: &Output,
) -> anyhow::Result<()> {
    // Asked first: what is refused costs nothing.
    let mask = arguments.segmentation.then(|| lung_mask(arguments)).transpose()?;
    let device = device.open()?;
    let ip_adapter = arguments.ip_adapter.clone().zip(arguments.image_encoder.clone());
    let ip_adapter =
        ip_adapter.map(|(adapter, image_encoder)| IpAdapterFiles { adapter, image_encoder });
    let networks = &arguments.control_network;
    let fault = |error| by_option(error, arguments);
    let (model, ip_adapter, weights) = (&arguments.model, ip_adapter.as_ref(), arguments.weights);
    let service =
        Service::open_beside(model, networks, ip_adapter, weights, &device).map_err(fault)?;
    let request = match &arguments.replay {
        Some(file) => again(arguments, file, &service)?,
        None => asked(arguments, &service)?,
    };
    let object = WriteOptions { bits: arguments.bits, transfer_syntax: arguments.transfer_syntax };
    let request = GenerateRequest { object, ..request };
    service.validate(&request).map_err(fault)?;
    let mut notes = service.notes_on(&request).map_err(fault)?;
    let signer = signer(arguments)?;
    let progress = output.progress("steps");
    // One at a time: each is kept as soon as it is finished.
    for index in 0..request.count {
        let mut on_progress = |step: Progress| {
            // Not before there is a step: what is refused needs no notes.
            for note in notes.drain(..) {
                let _ = output.note(&note, &format!("{}: {}", option(note.field), note.note));
            }
            let total = u64::from(step.steps) * u64::from(request.count);
            progress.at(u64::from(index * step.steps + step.step), total);
        };
        let seed = request.seed.wrapping_add(u64::from(index));
        let one = GenerateRequest { seed, count: 1, ..request.clone() };
        let images = service.generate(&one, &mut on_progress, &CancelToken::new());
        for image in images.map_err(fault)? {
            // Not before there is something to write: what is refused leaves no trace.
            let out = &arguments.out;
            std::fs::create_dir_all(out).with_context(|| format!("--out: {}", out.display()))?;
            let path = |ending: &str| out.join(format!("{:010}.{ending}", image.seed));
            let written = Written {
                seed: image.seed,
                dicom: path("dcm"),
                png: path("png"),
                segmentation: mask.as_ref().map(|_| path("seg.dcm")),
            };
            write(&written.dicom, &image.dicom)?;
            let png = match &signer {
                Some(signer) => signer.sign_png(&image.png).context("--credential-key")?,
                None => image.png,
            };
            write(&written.png, &png)?;
            if let (Some(mask), Some(path)) = (&mask, &written.segmentation) {
                write(path, &write_segmentation(&image.dicom, mask).context("--segmentation")?)?;
            }
            output.result("image", &written, &written.dicom.display().to_string())?;
        }
    }
    progress.finish();
    Ok(())
}

/// What signs the PNGs.
fn signer(arguments: &Arguments) -> anyhow::Result<Option<Signer>> {
    let files = arguments.credential_certificate.as_ref().zip(arguments.credential_key.as_ref());
    let Some((certificate, key)) = files else { return Ok(None) };
    let read = |option: &str, path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("{option}: {}", path.display()))
    };
    let certificate = read("--credential-certificate", certificate)?;
    let key = read("--credential-key", key)?;
    Ok(Some(Signer::new(&certificate, &key).context("--credential-certificate")?))
}

/// The option that sets a field.
fn option(field: &str) -> String {
    match field {
        "guidance_scale" => "--guidance".to_owned(),
        "adapters" | "adapter_scale" => "--lora".to_owned(),
        "embeddings" => "--embedding".to_owned(),
        "findings" => "--finding".to_owned(),
        "view_position" => "--view".to_owned(),
        "text" => "--prompt".to_owned(),
        "size" => "--width, --height".to_owned(),
        // What a file says of itself, and no option does.
        "model" | "random_generator" | "inputs" | "options" | "scheduler_config" => {
            "--replay".to_owned()
        }
        other => format!("--{}", other.replace('_', "-")),
    }
}

/// The option that brought the file at `path`, or the folder in which it lies.
fn option_of(path: &Path, arguments: &Arguments) -> &'static str {
    let of = |given: &[String]| -> Vec<PathBuf> {
        given.iter().filter_map(|text| Some(adapter("", text).ok()?.path)).collect()
    };
    let holds = |given: PathBuf| path.starts_with(given);
    if arguments.ip_adapter.clone().is_some_and(holds) {
        "--ip-adapter"
    } else if arguments.image_encoder.clone().is_some_and(holds) {
        "--image-encoder"
    } else if arguments.control_network.iter().cloned().any(holds) {
        "--control-network"
    } else if arguments.embedding.iter().any(|text| holds(embedding(text).path)) {
        "--embedding"
    } else if of(&arguments.concept).into_iter().any(holds) {
        "--concept"
    } else if of(&arguments.lora).into_iter().any(holds) {
        "--lora"
    } else {
        "--model"
    }
}

/// The error by the name of the option that it is about.
fn by_option(error: ServeError, arguments: &Arguments) -> anyhow::Error {
    match error {
        ServeError::Invalid { field, cause }
        | ServeError::Adapter(AdapterError::Config {
            field: field @ ("adapters" | "concept_image" | "embeddings" | "ip_adapter"),
            cause,
        }) => anyhow!("{}: {cause}", option(field)),
        ServeError::Adapter(wrong @ AdapterError::Config { .. }) => anyhow!("--lora: {wrong}"),
        ServeError::Model(ModelError::File { path, cause })
        | ServeError::Adapter(
            AdapterError::Model(ModelError::File { path, cause })
            | AdapterError::WrongBase { path, cause },
        ) => anyhow!("{}: {}: {cause}", option_of(&path, arguments), path.display()),
        other => other.into(),
    }
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
        adapters: adapters(arguments)?,
        concept_image: arguments
            .concept_image
            .as_ref()
            .map(|path| picture("--concept-image", path))
            .transpose()?,
        guidance_rescale: arguments.guidance_rescale,
        size: arguments.height.zip(arguments.width),
        scheduler,
        start,
        controls: controls(arguments, service.control_conditions())?,
        image_prompts: image_prompts(arguments)?,
        embeddings: arguments.embedding.iter().map(|text| embedding(text)).collect(),
        options: options(arguments),
        sentence: None,
        object: WriteOptions::default(),
        watermark: if arguments.no_watermark {
            None
        } else {
            Some(watermark_key(arguments)?.unwrap_or_default())
        },
    })
}

fn watermark_key(arguments: &Arguments) -> anyhow::Result<Option<Key>> {
    arguments.watermark_key.as_deref().map(super::verify::watermark_key).transpose()
}

fn options(arguments: &Arguments) -> SamplingOptions {
    let away = Sizes {
        original: arguments.negative_original_size,
        crop: arguments.negative_crop,
        target: arguments.negative_target_size,
    };
    SamplingOptions {
        eta: arguments.eta,
        clip_skip: arguments.clip_skip,
        timesteps: arguments.timesteps.clone(),
        sigmas: arguments.sigmas.clone(),
        guess_mode: arguments.guess_mode,
        sizes: Sizes {
            original: arguments.original_size,
            crop: arguments.crop,
            target: arguments.target_size,
        },
        negative_sizes: (away != Sizes::default()).then_some(away),
    }
}

/// The request that made `file`.
fn again(arguments: &Arguments, file: &Path, service: &Service) -> anyhow::Result<GenerateRequest> {
    let place = || format!("--replay: {}", file.display());
    let bytes = std::fs::read(file).with_context(place)?;
    let description = read_provenance(&bytes).with_context(place)?;
    let read = |option: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| picture(option, path)).transpose()
    };
    let given = Given {
        adapters: adapters(arguments)?.into_iter().map(|adapter| adapter.path).collect(),
        embeddings: arguments.embedding.iter().map(|text| embedding(text).path).collect(),
        init: read("--init", &arguments.init)?,
        mask: read("--mask", &arguments.mask)?.map(|mask| ControlKind::Mask.condition(&mask)),
        concept_image: read("--concept-image", &arguments.concept_image)?,
        controls: controls(arguments, service.control_conditions())?
            .into_iter()
            .map(|control| control.image)
            .collect(),
        image_prompts: image_prompts(arguments)?.into_iter().map(|prompt| prompt.image).collect(),
        image_reader: service.image_reader().map(str::to_owned),
        weights: service.weight_form(),
        watermark: watermark_key(arguments)?,
    };
    replay(&description, service.card(), service.control_networks(), &given)
        .map_err(|error| by_option(error, arguments))
}
