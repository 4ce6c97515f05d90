//! Concepts at work in a sampling: what the network sees of them beside the text, at every step.

use candle_core::{Result, Tensor};

use crate::adapter::{AdapterError, Concept};
use crate::dicom::Frame;
use crate::nn::ImageContext;

/// What every cross-attention sees of each concept, of one sample.
#[derive(Default)]
pub(super) struct Concepts(Vec<Vec<ImageContext>>);

impl Concepts {
    /// Each concept with its scale, by the tokens of `reference` where there is one, and by the mean of its
    /// images without. One of scale 0 is left out.
    pub(super) fn new(
        concepts: &[(&Concept, f32)],
        reference: Option<&Frame>,
    ) -> std::result::Result<Self, AdapterError> {
        let seen = concepts.iter().filter(|(_, scale)| scale.abs() > 0.0);
        let each = seen.map(|(concept, scale)| {
            Ok(concept.contexts(&concept.tokens(reference)?, f64::from(*scale))?)
        });
        Ok(Self(each.collect::<std::result::Result<_, AdapterError>>()?))
    }

    /// `images`, what cross-attentions see of image prompts, with the concepts added; of two samples where
    /// `twice`, of which the first sees no concept: guidance leads away from it.
    pub(super) fn beside(
        &self,
        images: Option<Vec<Vec<ImageContext>>>,
        twice: bool,
    ) -> Result<Option<Vec<Vec<ImageContext>>>> {
        let Some(first) = self.0.first() else { return Ok(images) };
        let mut all = images.unwrap_or_else(|| vec![Vec::new(); first.len()]);
        for concept in &self.0 {
            for (attention, context) in all.iter_mut().zip(concept) {
                attention.push(if twice { second(context)? } else { context.clone() });
            }
        }
        Ok(Some(all))
    }
}

/// The same for the second of two samples; the first sees values of zero.
fn second(context: &ImageContext) -> Result<ImageContext> {
    let behind = |one: &Tensor| Tensor::cat(&[&one.zeros_like()?, one], 0);
    let ImageContext { keys, values, scale } = context;
    Ok(ImageContext { keys: behind(keys)?, values: behind(values)?, scale: *scale })
}
