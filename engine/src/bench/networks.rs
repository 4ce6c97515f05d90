//! Loading networks in a number type, and the cases that call them without learning.

use candle_core::{Device, Tensor};

use super::case::Precision;
use super::error::BenchError;
use super::inputs::Inputs;
use super::{TIMESTEP, TOKENS, Work, answer};
use crate::device::CancelToken;
use crate::model::{Bundle, ModelError, Part, Unet, UnetConfig, UnetInput, Vae};
use crate::nn::{Tape, WeightForm, Weights};
use crate::sample::{Pipeline, Request, generate};

/// The prompt of the whole image; what it says takes no part in what it costs.
const PROMPT: &str = "chest radiograph, PA view, pleural effusion";

/// Why training is not in eight bits.
pub(super) const TRAINED: &str = "weights of eight bits let no gradient through";

/// The error of a case that there is not in eight bits.
pub(super) fn not_in_int8(cause: &str) -> BenchError {
    BenchError::Unsupported(format!("int8: {cause}"))
}

/// A batch of square latents.
#[derive(Clone, Copy)]
pub(super) struct Latents {
    pub(super) batch: usize,
    pub(super) side: usize,
}

/// A question to a denoising network.
pub(super) struct Question {
    pub(super) sample: Tensor,
    pub(super) timesteps: Vec<f64>,
    pub(super) context: Tensor,
}

impl Question {
    pub(super) fn new(
        config: &UnetConfig,
        latents: Latents,
        precision: Precision,
        inputs: &Inputs,
    ) -> Result<Self, BenchError> {
        let Latents { batch, side } = latents;
        let sample = inputs.get("sample", (batch, config.in_channels, side, side))?;
        let context = inputs.get("context", (batch, TOKENS, config.context_width()))?;
        Ok(Self {
            sample: sample.to_dtype(precision.dtype())?,
            timesteps: vec![TIMESTEP; batch],
            context: context.to_dtype(precision.dtype())?,
        })
    }

    pub(super) fn ask<'a>(
        &self,
        network: &'a Unet,
        tape: Option<&Tape<'a>>,
    ) -> candle_core::Result<Tensor> {
        let asked = UnetInput::new(&self.sample, &self.timesteps, &self.context);
        network.predict_on(&asked, tape)
    }
}

/// The denoising network of `bundle`, with its weights.
pub(super) fn load_unet(
    bundle: &Bundle,
    trainable: bool,
    precision: Precision,
) -> Result<(Unet, Weights), BenchError> {
    let config: UnetConfig = bundle.config(Part::Unet)?;
    config.validate()?;
    let stored = bundle.stored(Part::Unet)?;
    let weights = match precision {
        Precision::Int8 => Weights::in_int8(stored),
        Precision::F32 | Precision::Bf16 => {
            Weights::from_file(stored, trainable, precision.dtype(), &Device::Cpu)
        }
    };
    let network = Unet::new(config, &weights)?;
    finish(bundle, Part::Unet, &weights)?;
    Ok((network, weights))
}

fn finish(bundle: &Bundle, part: Part, weights: &Weights) -> Result<(), ModelError> {
    weights.finish().map_err(|cause| ModelError::file(bundle.part_folder(part), cause))
}

/// One call of the denoising network.
pub(super) fn unet(
    bundle: &Bundle,
    latents: Latents,
    precision: Precision,
    inputs: &Inputs,
) -> Result<Work, BenchError> {
    let (network, _) = load_unet(bundle, false, precision)?;
    let question = Question::new(network.config(), latents, precision, inputs)?;
    Ok(Box::new(move |_| Ok(answer("sample", question.ask(&network, None)?))))
}

/// The decoder, from one latent.
pub(super) fn decode(
    bundle: &Bundle,
    side: usize,
    precision: Precision,
    inputs: &Inputs,
) -> Result<Work, BenchError> {
    if precision == Precision::Int8 {
        return Err(not_in_int8("the autoencoder stays in f32"));
    }
    let stored = bundle.stored(Part::Vae)?;
    let weights = Weights::from_file(stored, false, precision.dtype(), &Device::Cpu);
    let network = Vae::new(bundle.vae_config()?, &weights)?;
    finish(bundle, Part::Vae, &weights)?;
    let latent = inputs.get("latent", (1, network.config().latent_channels, side, side))?;
    let latent = latent.to_dtype(precision.dtype())?;
    Ok(Box::new(move |_| Ok(answer("image", network.decode(&latent)?))))
}

/// A whole image, as `generate` makes it.
pub(super) fn image(bundle: &Bundle, precision: Precision) -> Result<Work, BenchError> {
    let form = match precision {
        Precision::F32 => WeightForm::Full,
        Precision::Int8 => WeightForm::Int8,
        Precision::Bf16 => {
            let cause = "a pipeline loads its networks in f32";
            return Err(BenchError::Unsupported(cause.into()));
        }
    };
    let pipeline = Pipeline::load(&bundle.clone().with_weights(form), &Device::Cpu)?;
    let request =
        Request { prompt: PROMPT.into(), steps: 20, guidance_scale: 7.5, ..Request::default() };
    Ok(Box::new(move |_| {
        let frame = generate(&pipeline, &request, 0, &mut |_| (), &CancelToken::new())?;
        let shape = (frame.height as usize, frame.width as usize);
        Ok(answer("image", Tensor::from_vec(frame.pixels, shape, &Device::Cpu)?))
    }))
}
