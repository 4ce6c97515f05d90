//! The networks of a bundle on the inputs of a reference file.

use candle_core::{Device, Tensor};

use super::adapters::with_and_without;
use super::error::CheckError;
use super::reference::Reference;
use super::report::Measured;
use crate::kernel::Fault;
use crate::model::{Added, Bundle, Part, Residuals, UnetConfig, UnetInput};
use crate::nn::{to_map, to_planes};

/// What a timestep may be: below the longest training's, and no further below zero than a σ of e⁻¹⁶ whose
/// logarithm stands for it (`timestep_type` continuous: ln σ / 4).
const TIMESTEPS: std::ops::Range<f64> = -4.0..100_000.0;

/// One timestep for each of `batch` samples: the tensor holds one for all, or one for each.
fn timesteps(name: &str, reference: &Reference, batch: usize) -> Result<Vec<f64>, CheckError> {
    let values = reference.numbers(name)?;
    if let Some(value) = values.iter().find(|value| !TIMESTEPS.contains(value)) {
        let cause =
            format!("{value} is no timestep: they lie between 0 and 100,000, or are ln σ / 4");
        return Err(CheckError::reference(name, cause));
    }
    match values[..] {
        [one] => Ok(vec![one; batch]),
        _ if values.len() == batch => Ok(values),
        _ => Err(CheckError::reference(
            name,
            format!("has {} values, and the sample a batch of {batch}", values.len()),
        )),
    }
}

/// The UNet's prediction.
pub(super) fn unet(
    bundle: &Bundle,
    reference: &Reference,
    tolerance: f64,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let (network, weights) = bundle.unet(false, device)?;
    let config = network.config();
    let channels = config.in_channels;
    let sample = reference.shaped("unet/in/sample", &[None, Some(channels), None, None], device)?;
    let batch = sample.dim(0)?;
    let width = Some(config.context_width());
    let context =
        reference.shaped("unet/in/encoder_hidden_states", &[Some(batch), None, width], device)?;
    let timesteps = timesteps("unet/in/timestep", reference, batch)?;
    let name = "unet/out/sample";
    let expected = reference.floats(name, device)?;
    let words = added(config, "unet", reference, batch, device)?;
    let classes = optional("unet/in/class_labels", reference, device)?;
    let guidance = optional("unet/in/timestep_cond", reference, device)?;
    let residuals = residuals(config, &sample, reference, device)?;
    let input = UnetInput {
        classes: classes.as_ref(),
        guidance: guidance.as_ref(),
        added: words.as_ref().map(|(text_embeds, time_ids)| Added { text_embeds, time_ids }),
        residuals: residuals.as_ref(),
        ..UnetInput::new(&sample, &timesteps, &context)
    };
    let measure = || Ok(vec![Measured::of(name, &network.predict(&input)?, &expected)?]);
    with_and_without(bundle, (Part::Unet, &weights), reference, tolerance, device, &measure)
}

/// The pooled text and the sizes, where the network takes them.
fn added(
    config: &UnetConfig,
    part: &str,
    reference: &Reference,
    batch: usize,
    device: &Device,
) -> Result<Option<(Tensor, Tensor)>, CheckError> {
    if !config.adds_text_and_sizes() {
        return Ok(None);
    }
    let text = reference.shaped(&format!("{part}/in/text_embeds"), &[Some(batch), None], device)?;
    let sizes = reference.shaped(&format!("{part}/in/time_ids"), &[Some(batch), None], device)?;
    Ok(Some((text, sizes)))
}

/// A tensor that a reference file need not have.
fn optional(
    name: &str,
    reference: &Reference,
    device: &Device,
) -> Result<Option<Tensor>, CheckError> {
    reference.holds(name).then(|| reference.floats(name, device)).transpose()
}

/// `down_0…` and `mid` of a ControlNet, where one of them is there: all have to be, and fit the network.
fn residuals(
    config: &UnetConfig,
    sample: &Tensor,
    reference: &Reference,
    device: &Device,
) -> Result<Option<Residuals>, CheckError> {
    const PREFIX: &str = "unet/in/down_";
    const MID: &str = "unet/in/mid";
    let any = reference.names().iter().any(|name| name == MID || name.starts_with(PREFIX));
    if !any {
        return Ok(None);
    }
    let (batch, _, height, width) = sample.dims4()?;
    let shapes = config.skip_shapes(height, width);
    let last = shapes.len() - 1;
    let mut all = Vec::with_capacity(shapes.len());
    for (index, shape) in shapes.iter().enumerate() {
        let name = if index == last { MID.to_owned() } else { format!("{PREFIX}{index}") };
        let [channels, height, width] = shape.map(Some);
        let residual = reference.shaped(&name, &[None, channels, height, width], device)?;
        if ![1, batch].contains(&residual.dim(0)?) {
            let cause = format!("is a batch of {}, and the sample of {batch}", residual.dim(0)?);
            return Err(CheckError::reference(name, cause));
        }
        all.push(to_map(&residual)?);
    }
    Ok(all.pop().map(|mid| Residuals { down: all, mid }))
}

/// What a ControlNet adds, at every skip connection and in the middle.
pub(super) fn controlnet(
    bundle: &Bundle,
    index: u8,
    name: &str,
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let network = bundle.controlnet(index, device)?;
    let config = &network.config().network;
    let input = |what: &str| format!("{name}/in/{what}");
    let channels = config.in_channels;
    let sample = reference.shaped(&input("sample"), &[None, Some(channels), None, None], device)?;
    let batch = sample.dim(0)?;
    let shape = [Some(batch), None, Some(config.context_width())];
    let context = reference.shaped(&input("encoder_hidden_states"), &shape, device)?;
    let timesteps = timesteps(&input("timestep"), reference, batch)?;
    let channels = network.config().conditioning_channels;
    let shape = [Some(batch), Some(channels), None, None];
    let condition = reference.shaped(&input("controlnet_cond"), &shape, device)?;
    let words = added(config, name, reference, batch, device)?;
    let classes = optional(&input("class_labels"), reference, device)?;
    let asked = UnetInput {
        classes: classes.as_ref(),
        added: words.as_ref().map(|(text_embeds, time_ids)| Added { text_embeds, time_ids }),
        ..UnetInput::new(&sample, &timesteps, &context)
    };
    let ours = network.forward(&asked, &condition)?;
    let down: Vec<Tensor> = ours.down.iter().map(to_planes).collect::<candle_core::Result<_>>()?;
    let mid = to_planes(&ours.mid)?;
    let names: Vec<String> = (0..ours.down.len()).map(|level| format!("down_{level}")).collect();
    let mut outputs: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&down).collect();
    outputs.push(("mid", &mid));
    compare(&format!("{name}/out/"), &outputs, reference, device)
}

/// The autoencoder, each way that the reference file covers.
pub(super) fn vae(
    bundle: &Bundle,
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let network = bundle.vae(device)?;
    let config = network.config();
    let mut measured = Vec::new();
    if reference.holds("vae/in/latent") || reference.holds("vae/out/image") {
        let shape = [None, Some(config.latent_channels), None, None];
        let latent = reference.shaped("vae/in/latent", &shape, device)?;
        let expected = reference.floats("vae/out/image", device)?;
        measured.push(Measured::of("vae/out/image", &network.decode(&latent)?, &expected)?);
    }
    if reference.holds("vae/in/image") || reference.holds("vae/out/mean") {
        let shape = [None, Some(config.in_channels), None, None];
        let image = reference.shaped("vae/in/image", &shape, device)?;
        let (_, _, height, width) = image.dims4()?;
        // Levels round up; squares that are folded into channels do not.
        let patch = config.patch_size;
        if height % patch != 0 || width % patch != 0 {
            let cause = format!("is {height} × {width}, and no multiple of {patch} pixels");
            return Err(CheckError::reference("vae/in/image", cause));
        }
        let expected = reference.floats("vae/out/mean", device)?;
        let (mean, _) = network
            .encode(&image)
            .map_err(|cause| CheckError::reference("vae/in/image", Fault::words(cause)))?;
        measured.push(Measured::of("vae/out/mean", &mean, &expected)?);
    }
    Ok(measured)
}

/// A text encoder.
pub(super) fn text(
    bundle: &Bundle,
    name: &str,
    reference: &Reference,
    tolerance: f64,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let part = if name == "text" { Part::TextEncoder } else { Part::TextEncoder2 };
    let (network, weights) = bundle.text_encoder(part, false, device)?;
    let config = network.config();
    let input = format!("{name}/in/input_ids");
    let dims = reference.dims(&input)?;
    let [batch, length] = dims[..] else {
        return Err(CheckError::reference(input, format!("is {dims:?}, and not [batch, tokens]")));
    };
    if length > config.max_position_embeddings {
        let most = config.max_position_embeddings;
        let cause = format!("has {length} tokens, and the encoder takes {most} at most");
        return Err(CheckError::reference(input, cause));
    }
    let ids = reference.numbers(&input)?;
    let vocabulary = config.vocab_size as f64;
    if ids.iter().any(|id| id.fract() != 0.0 || !(0.0..vocabulary).contains(id)) {
        let cause = format!("holds a token outside the vocabulary of {}", config.vocab_size);
        return Err(CheckError::reference(input, cause));
    }
    let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
    let tokens = Tensor::from_vec(ids, (batch, length), device)?;
    let measure = || {
        let ours = network.encode(&tokens)?;
        let outputs = [
            ("last_hidden_state", &ours.last_hidden_state),
            ("pooled", &ours.pooled),
            ("penultimate", &ours.penultimate),
        ];
        compare(&format!("{name}/out/"), &outputs, reference, device)
    };
    with_and_without(bundle, (part, &weights), reference, tolerance, device, &measure)
}

/// Holds those of `outputs` that the reference file has under `prefix` against it.
///
/// # Errors
/// Where it has none of them.
fn compare(
    prefix: &str,
    outputs: &[(&str, &Tensor)],
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let mut measured = Vec::new();
    for (output, ours) in outputs {
        let output = format!("{prefix}{output}");
        if reference.holds(&output) {
            let expected = reference.floats(&output, device)?;
            measured.push(Measured::of(&output, ours, &expected)?);
        }
    }
    match outputs.first() {
        Some((first, _)) if measured.is_empty() => {
            Err(CheckError::reference(format!("{prefix}{first}"), "is missing"))
        }
        Some(_) | None => Ok(measured),
    }
}
