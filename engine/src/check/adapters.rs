//! The adapters that a reference file names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Device;
use serde::Deserialize;

use super::error::CheckError;
use super::reference::Reference;
use super::report::Measured;
use crate::adapter::{Adapter, Networks, STRONGEST_SCALE, attach};
use crate::model::{Bundle, Part};
use crate::nn::Weights;

/// A path and how strongly it acts, in the file's metadata.
#[derive(Deserialize)]
struct Named {
    path: PathBuf,
    #[serde(default = "whole", alias = "weight")]
    scale: f32,
}

fn whole() -> f32 {
    1.0
}

/// One, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    One(Named),
    Several(Vec<Named>),
    Pair(PathBuf, f32),
}

/// The adapters of the entry `lora`, with their scales: `{"path": …, "scale": …}`, a list of such, or
/// `path:scale`, or `path scale`. A path is looked for beside the reference file, then where it stands.
///
/// # Errors
/// Where the entry cannot be read, an adapter cannot, or its scale is none that acts.
pub(super) fn adapters(reference: &Reference) -> Result<Vec<(Adapter, f32)>, CheckError> {
    let Some(text) = reference.entry("lora") else { return Ok(Vec::new()) };
    let named = match serde_json::from_str(text) {
        Ok(Entry::One(one)) => vec![one],
        Ok(Entry::Several(several)) => several,
        Ok(Entry::Pair(path, scale)) => vec![Named { path, scale }],
        Err(_) => {
            let scaled = text.trim().rsplit_once([':', ' ', ',']).and_then(|(path, scale)| {
                let path = path.trim_end_matches([':', ' ', ',']);
                Some(Named { path: path.into(), scale: scale.parse().ok()? })
            });
            vec![scaled.unwrap_or_else(|| Named { path: text.trim().into(), scale: 1.0 })]
        }
    };
    named
        .into_iter()
        .map(|Named { path, scale }| {
            if !(0.0..=STRONGEST_SCALE).contains(&scale) {
                let cause =
                    format!("the scale {scale} does not lie between 0 and {STRONGEST_SCALE}");
                return Err(CheckError::reference("lora", cause));
            }
            let beside = reference.folder().join(&path);
            let path = if beside.exists() { beside } else { path };
            let adapter = Adapter::open(&path)
                .map_err(|cause| CheckError::reference("lora", cause.to_string()))?;
            Ok((adapter, scale))
        })
        .collect()
}

/// Measures one network of a bundle, whose weights are `own`, under the adapters that the reference file
/// names. Where that deviates by more than `tolerance` and the file covers the pipeline as well, whose adapters
/// they may be, the network is measured without them too, and the better of the two counts.
///
/// # Errors
/// Where an adapter does not fit the bundle, or `measure` fails.
pub(super) fn with_and_without(
    bundle: &Bundle,
    (own, weights): (Part, &Weights),
    reference: &Reference,
    tolerance: f64,
    device: &Device,
    measure: &dyn Fn() -> Result<Vec<Measured>, CheckError>,
) -> Result<Vec<Measured>, CheckError> {
    let adapters = adapters(reference)?;
    if adapters.is_empty() {
        return measure();
    }
    // An adapter fits a model and not a network: it may change its text encoders as well.
    let mut networks: BTreeMap<Part, Weights> = [(own, weights.clone())].into();
    if own != Part::Unet && bundle.has(Part::Unet) {
        networks.insert(Part::Unet, bundle.unet(false, device)?.1);
    }
    for part in [Part::TextEncoder, Part::TextEncoder2] {
        if part != own && bundle.has(part) {
            networks.insert(part, bundle.text_encoder(part, false, device)?.1);
        }
    }
    let Some(unet) = networks.get(&Part::Unet) else { return measure() };
    let networks = Networks {
        unet,
        text_encoder: networks.get(&Part::TextEncoder),
        text_encoder_2: networks.get(&Part::TextEncoder2),
    };
    let put = |acting: &[(&Adapter, f32)]| {
        attach(&networks, acting, false)
            .map_err(|cause| CheckError::reference("lora", cause.to_string()))
    };
    let read_as = |measured: Vec<Measured>, reading| {
        measured.into_iter().map(|one| Measured { reading: Some(reading), ..one }).collect()
    };
    let worst =
        |measured: &[Measured]| measured.iter().map(|output| output.deviation).fold(0f64, f64::max);
    let acting: Vec<_> = adapters.iter().map(|(adapter, scale)| (adapter, *scale)).collect();
    put(&acting)?;
    let with = measure()?;
    put(&[])?;
    if worst(&with) > tolerance {
        let without = measure()?;
        if worst(&without) < worst(&with) {
            if reference.parts().iter().any(|part| part == "pipeline") {
                return Ok(read_as(without, "without the adapters"));
            }
            return Ok(read_as(with, "under the adapters; it is nearer without them"));
        }
    }
    Ok(read_as(with, "under the adapters"))
}
