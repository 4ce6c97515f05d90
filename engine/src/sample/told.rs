//! What a network is told of samples that are made together.

use candle_core::{Result, Tensor};

use super::error::SampleError;
use crate::nn::{ImageContext, Kept};

/// What the network is told: of a batch of samples, or of twice as many, the negatives first.
pub(super) struct Told {
    /// `[batch, tokens, width]`
    pub(super) context: Tensor,
    /// What networks make of the context, over all steps.
    pub(super) kept: Kept,
    /// The pooled text `[batch, width]` and the sizes `[batch, 6]`, for Stable Diffusion XL.
    pub(super) added: Option<(Tensor, Tensor)>,
    /// What the cross-attentions see of image prompts and concepts.
    pub(super) images: Option<Vec<Vec<ImageContext>>>,
    /// The embedded guidance scale `[batch, width]`, for a network that was taught it.
    pub(super) guidance: Option<Tensor>,
}

impl Told {
    /// What is told of several samples as one batch; of each two where `twice`, and then the first of all before
    /// the second of all.
    ///
    /// # Errors
    /// [`SampleError::Invalid`] where prompts are of different numbers of chunks.
    pub(super) fn together(
        mut each: Vec<Self>,
        twice: bool,
    ) -> std::result::Result<Self, SampleError> {
        if each.len() == 1
            && let Some(one) = each.pop()
        {
            return Ok(one);
        }
        let cat = |of: &dyn Fn(&Self) -> Tensor| -> Result<Tensor> {
            let all: Vec<Tensor> = each.iter().map(of).collect();
            if !twice {
                return Tensor::cat(&all, 0);
            }
            let half = |place| all.iter().map(move |both| both.narrow(0, place, 1));
            Tensor::cat(&half(0).chain(half(1)).collect::<Result<Vec<_>>>()?, 0)
        };
        let tokens = |told: &Self| told.context.dim(1);
        let Some(first) = each.first() else {
            return Err(SampleError::invalid("requests", "there is none"));
        };
        for told in &each {
            if tokens(told)? != tokens(first)? {
                let cause = "must be as many chunks of the text encoder's window for images that are \
                             made together";
                return Err(SampleError::invalid("prompt", cause));
            }
        }
        let context = cat(&|told| told.context.clone())?;
        // Requests together have the same of these, or none.
        let added = match &first.added {
            Some(added) => Some((
                cat(&|told| told.added.as_ref().unwrap_or(added).0.clone())?,
                cat(&|told| told.added.as_ref().unwrap_or(added).1.clone())?,
            )),
            None => None,
        };
        // Concepts alone, for there are no image prompts: the same for all.
        let images = match &first.images {
            Some(images) => Some(repeated(images, &cat)?),
            None => None,
        };
        let guidance = match &first.guidance {
            Some(guidance) => Some(Tensor::cat(&vec![guidance; each.len()], 0)?),
            None => None,
        };
        let kept = Kept::new(&context);
        Ok(Self { context, kept, added, images, guidance })
    }
}

/// Puts a tensor of every sample together.
type Together<'a> = dyn Fn(&dyn Fn(&Told) -> Tensor) -> Result<Tensor> + 'a;

/// `images` of one sample, for as many as `cat` puts together.
fn repeated(images: &[Vec<ImageContext>], cat: &Together) -> Result<Vec<Vec<ImageContext>>> {
    let one = |context: &ImageContext| {
        let ImageContext { keys, values, scale } = context;
        let keys = cat(&|_| keys.clone())?;
        Ok(ImageContext { keys, values: cat(&|_| values.clone())?, scale: *scale })
    };
    images.iter().map(|contexts| contexts.iter().map(one).collect()).collect()
}
