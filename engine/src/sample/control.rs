//! Condition images at work in a sampling: ControlNets (Zhang et al., arXiv 2302.05543) and T2I-Adapters
//! (Mou et al., arXiv 2302.08453).

use candle_core::{Result, Tensor};

use super::error::SampleError;
use super::pipeline::Pipeline;
use super::request::{Control, Request};
use crate::model::{Added, ControlNet, Residuals, T2iAdapter, UnetInput};
use crate::nn::Kept;

/// A network that reads a condition image.
pub enum ControlNetwork {
    /// It runs beside the UNet at every step.
    ControlNet(Box<ControlNet>),
    /// It looks at its image once.
    T2iAdapter(T2iAdapter),
}

/// A control of a request, ready for every step.
struct Acting<'a> {
    control: &'a Control,
    seen: Seen<'a>,
}

/// What a control gives to a step.
enum Seen<'a> {
    /// The network, and the embeddings `[requests, h, w, channels]` of the conditions that it sees.
    Image(&'a ControlNet, Tensor),
    /// The features of every level, weighted.
    Features(Vec<Tensor>),
}

/// The controls of requests that are sampled together.
pub(super) struct Controls<'a> {
    acting: Vec<Acting<'a>>,
    guess_mode: bool,
    /// The prompts' own text, where negatives stand before them.
    prompt: Option<PromptText>,
}

/// The text of the prompts alone, the same at every step.
struct PromptText {
    /// `[requests, tokens, width]`
    context: Tensor,
    kept: Kept,
}

/// The second half of a batch.
fn second(both: &Tensor) -> Result<Tensor> {
    let half = both.dim(0)? / 2;
    both.narrow(0, half, half)
}

/// What the network is asked of the prompts, without what it is led away from: the second half of a batch.
struct OfPrompt<'a> {
    sample: Tensor,
    text: &'a PromptText,
    added: Option<(Tensor, Tensor)>,
}

impl<'t> OfPrompt<'t> {
    fn new(input: &UnetInput, text: &'t PromptText) -> Result<Self> {
        let added = match &input.added {
            Some(added) => Some((second(added.text_embeds)?, second(added.time_ids)?)),
            None => None,
        };
        Ok(Self { sample: second(input.sample)?, text, added })
    }

    fn input<'a>(&'a self, both: &UnetInput<'a>) -> UnetInput<'a> {
        let added = self.added.as_ref();
        UnetInput {
            sample: &self.sample,
            timesteps: &both.timesteps[both.timesteps.len() / 2..],
            context: &self.text.context,
            kept: Some(&self.text.kept),
            added: added.map(|(text_embeds, time_ids)| Added { text_embeds, time_ids }),
            ..*both
        }
    }
}

impl<'a> Controls<'a> {
    /// `context` `[batch, tokens, width]` is what the network is told, once or twice as many as there are
    /// requests. These differ in their controls' images alone.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        requests: &'a [Request],
        (height, width): (usize, usize),
        context: &Tensor,
    ) -> std::result::Result<Self, SampleError> {
        let request = &requests[0];
        let mut acting = Vec::new();
        for (place, control) in request.controls.iter().enumerate() {
            let networks = pipeline.controls();
            let Some(network) = networks.get(control.network) else {
                let cause = format!(
                    "there is no network {} for it: the model has {}, counted from 0",
                    control.network,
                    networks.len()
                );
                return Err(SampleError::invalid("control", cause));
            };
            // Between 0 and 1, whatever the autoencoder takes.
            let images = requests
                .iter()
                .map(|request| pipeline.grey(&request.controls[place].image, height, width));
            let image = Tensor::cat(&images.collect::<Result<Vec<_>>>()?, 0)?;
            let seen = match network {
                ControlNetwork::ControlNet(network) => {
                    let channels = network.config().conditioning_channels;
                    Seen::Image(network, network.hint(&Tensor::cat(&vec![&image; channels], 1)?)?)
                }
                ControlNetwork::T2iAdapter(network) => {
                    let channels = network.config().in_channels;
                    let features = network.forward(&Tensor::cat(&vec![&image; channels], 1)?)?;
                    let weighted = features.iter().map(|feature| feature * control.weight);
                    Seen::Features(weighted.collect::<Result<_>>()?)
                }
            };
            acting.push(Acting { control, seen });
        }
        let prompt = if context.dim(0)? > requests.len() {
            let context = second(context)?;
            Some(PromptText { kept: Kept::new(&context), context })
        } else {
            None
        };
        Ok(Self { acting, guess_mode: request.options.guess_mode, prompt })
    }

    /// The controls that act at step `index` of `steps`: all that is between their start and end.
    fn at(&self, index: usize, steps: usize) -> impl Iterator<Item = &Acting<'a>> {
        let (from, to) = (index as f64 / steps as f64, (index + 1) as f64 / steps as f64);
        self.acting.iter().filter(move |acting| {
            let Control { start, end, weight, .. } = acting.control;
            from >= *start && to <= *end && *weight > 0.0
        })
    }

    /// What the ControlNets that act at step `index` of `steps` add to the network for `input`.
    pub(super) fn residuals(
        &self,
        input: &UnetInput,
        index: usize,
        steps: usize,
    ) -> Result<Option<Residuals>> {
        let batch = input.sample.dim(0)?;
        let prompts = self.prompt.as_ref().map(|text| OfPrompt::new(input, text)).transpose()?;
        let mut sum: Option<Residuals> = None;
        for acting in self.at(index, steps) {
            let Seen::Image(network, hint) = &acting.seen else { continue };
            let pools = network.config().global_pool_conditions;
            let alone = prompts.as_ref().filter(|_| self.guess_mode || pools);
            let residuals = if let Some(prompt) = alone {
                network.forward_with(&prompt.input(input), hint)?
            } else {
                let looks = batch / hint.dim(0)?;
                network.forward_with(input, &Tensor::cat(&vec![hint; looks], 0)?)?
            };
            let weight = acting.control.weight;
            let mut residuals = if self.guess_mode && !pools {
                residuals.graded(weight)?
            } else {
                residuals.scaled(weight)?
            };
            if alone.is_some() {
                residuals = residuals.for_the_second()?;
            }
            sum = Some(match sum {
                None => residuals,
                Some(others) => others.plus(&residuals)?,
            });
        }
        Ok(sum)
    }

    /// What the T2I-Adapters that act at step `index` of `steps` add to a batch of `batch`.
    pub(super) fn features(
        &self,
        batch: usize,
        index: usize,
        steps: usize,
    ) -> Result<Option<Vec<Tensor>>> {
        let mut sum: Option<Vec<Tensor>> = None;
        for acting in self.at(index, steps) {
            let Seen::Features(features) = &acting.seen else { continue };
            let looks = |feature: &Tensor| Ok::<_, candle_core::Error>(batch / feature.dim(0)?);
            let features =
                features.iter().map(|feature| Tensor::cat(&vec![feature; looks(feature)?], 0));
            sum = Some(match sum {
                None => features.collect::<Result<_>>()?,
                Some(others) => {
                    others.iter().zip(features).map(|(a, b)| a + b?).collect::<Result<_>>()?
                }
            });
        }
        Ok(sum)
    }
}
