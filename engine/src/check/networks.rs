//! The networks of a bundle on the inputs of a reference file.

use candle_core::{Device, Tensor};

use super::error::CheckError;
use super::reference::Reference;
use super::report::Measured;
use crate::model::{Bundle, Part};

/// One timestep for each of `batch` samples: the tensor holds one for all, or one for each.
fn timesteps(name: &str, reference: &Reference, batch: usize) -> Result<Vec<f64>, CheckError> {
    let values = reference.numbers(name)?;
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
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let (network, _) = bundle.unet(false, device)?;
    let config = network.config();
    let (channels, width) = (config.in_channels, config.cross_attention_dim);
    let sample = reference.shaped("unet/in/sample", &[None, Some(channels), None, None], device)?;
    let batch = sample.dim(0)?;
    let context = reference.shaped(
        "unet/in/encoder_hidden_states",
        &[Some(batch), None, Some(width)],
        device,
    )?;
    let timesteps = timesteps("unet/in/timestep", reference, batch)?;
    let name = "unet/out/sample";
    let expected = reference.floats(name, device)?;
    let ours = network.forward(&sample, &timesteps, &context)?;
    Ok(vec![Measured::of(name, &ours, &expected)?])
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
        let unit = config.compression();
        if height % unit != 0 || width % unit != 0 {
            let cause = format!("is {height} × {width}, and no multiple of {unit} pixels");
            return Err(CheckError::reference("vae/in/image", cause));
        }
        let expected = reference.floats("vae/out/mean", device)?;
        let (mean, _) = network.encode(&image)?;
        measured.push(Measured::of("vae/out/mean", &mean, &expected)?);
    }
    Ok(measured)
}

/// A text encoder.
pub(super) fn text(
    bundle: &Bundle,
    _part: Part,
    name: &str,
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Measured>, CheckError> {
    let (network, _) = bundle.text_encoder(false, device)?;
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
    let ends: Vec<usize> =
        ids.chunks(length.max(1)).map(|text| end(text, config.eos_token_id)).collect();
    let tokens = Tensor::from_vec(ids, (batch, length), device)?;
    let hidden = network.forward(&tokens)?;
    let rows = ends.iter().enumerate().map(|(row, end)| hidden.get(row)?.get(*end));
    let pooled = Tensor::stack(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)?;
    let mut measured = Vec::new();
    for (output, ours) in [("last_hidden_state", hidden), ("pooled", pooled)] {
        let output = format!("{name}/out/{output}");
        if reference.holds(&output) {
            let expected = reference.floats(&output, device)?;
            measured.push(Measured::of(&output, &ours, &expected)?);
        }
    }
    if measured.is_empty() {
        let output = format!("{name}/out/last_hidden_state");
        return Err(CheckError::reference(output, "is missing"));
    }
    Ok(measured)
}

/// Where a text ends, whose embedding stands for all of it: at the first token that ends texts. Where the
/// configuration calls that number 2, as those of before transformers 4.30 do, it is the largest token.
fn end(tokens: &[u32], eos_token_id: Option<u32>) -> usize {
    let found = match eos_token_id {
        None | Some(2) => {
            let largest = tokens.iter().max();
            tokens.iter().position(|token| Some(token) == largest)
        }
        Some(eos) => tokens.iter().position(|token| *token == eos),
    };
    found.unwrap_or(0)
}
