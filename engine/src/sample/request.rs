//! What one image is made from.

use super::conditioning::TextOptions;
use super::error::SampleError;
use super::image_prompt::ImagePrompt;
use super::options::SamplingOptions;
use crate::dicom::Frame;
use crate::noise::SchedulerConfig;

/// What one image is made from. The same request gives the same values, whatever is made beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The sentence.
    pub prompt: String,
    /// What to lead away from; empty for nothing.
    pub negative: String,
    /// Seed of all noise.
    pub seed: u64,
    /// Denoising steps.
    pub steps: usize,
    /// Strength of classifier-free guidance (Ho and Salimans, arXiv 2207.12598); 1 is none.
    pub guidance_scale: f64,
    /// How far the guided prediction is brought back to the spread of the unguided one, 0 (not) to 1
    /// (Lin et al., arXiv 2305.08891, section 3.4).
    pub guidance_rescale: f64,
    /// Height and width in pixels; absent, the model's own.
    pub size: Option<(usize, usize)>,
    /// The scheduler, in place of the model's own.
    pub scheduler: Option<SchedulerConfig>,
    /// What the sampling starts from.
    pub start: Start,
    /// Condition images, each through a network of the pipeline.
    pub controls: Vec<Control>,
    /// Images that show what is wanted, where the pipeline has an IP-Adapter.
    pub image_prompts: Vec<ImagePrompt>,
    /// How the prompts are read.
    pub text: TextOptions,
    /// The less common parameters.
    pub options: SamplingOptions,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative: String::new(),
            seed: 0,
            steps: 20,
            guidance_scale: 1.0,
            guidance_rescale: 0.0,
            size: None,
            scheduler: None,
            start: Start::Noise,
            controls: Vec::new(),
            image_prompts: Vec::new(),
            text: TextOptions::default(),
            options: SamplingOptions::default(),
        }
    }
}

/// What a sampling starts from.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Start {
    /// Pure noise.
    #[default]
    Noise,
    /// An image under some noise (SDEdit, Meng et al., arXiv 2108.01073).
    Image {
        /// The image; resized where its size is another.
        image: Frame,
        /// The share of the steps that is taken, above 0 and up to 1: little keeps the image.
        strength: f64,
    },
    /// An image of which a part is made anew.
    Inpaint {
        /// The image; resized where its size is another.
        image: Frame,
        /// What is made anew: 0.5 and above.
        mask: Frame,
        /// As for [`Self::Image`]; 1 forgets what was under the mask.
        strength: f64,
    },
}

/// A condition image and how it acts.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// Which of the pipeline's control networks, counted from 0.
    pub network: usize,
    /// The condition, drawn as that network was taught; resized where its size is another.
    pub image: Frame,
    /// Strength, 0 (nothing) to 4.
    pub weight: f64,
    /// The share of the steps before which it does not act.
    pub start: f64,
    /// The share of the steps after which it acts no more.
    pub end: f64,
}

/// The strongest weight of a control.
const STRONGEST_CONTROL: f64 = 4.0;
/// The strongest scale of an image prompt.
const STRONGEST_IMAGE_PROMPT: f64 = 4.0;
/// Image prompts that act together.
const MOST_IMAGE_PROMPTS: usize = 8;
/// Controls that act together.
const MOST_CONTROLS: usize = 8;

/// Denoising steps that one image may take.
pub const MOST_STEPS: usize = 1000;
/// The longest side of an image, in pixels.
pub(super) const LONGEST_SIDE: usize = 4096;

impl Request {
    /// Steps from noise, as asked for or as a list of one's own has them.
    pub(super) fn steps(&self) -> usize {
        self.options.steps(self.steps)
    }

    /// Whether `other` can be sampled together with this one: in prompts, seeds and condition images alone may
    /// they differ.
    ///
    /// # Errors
    /// [`SampleError::Invalid`] names the field.
    pub(super) fn check_alike(&self, other: &Self) -> Result<(), SampleError> {
        let noise = |request: &Self| request.start == Start::Noise;
        let same = |one: f64, other: f64| one.to_bits() == other.to_bits();
        let acts = |one: &Control, other: &Control| {
            one.network == other.network
                && same(one.weight, other.weight)
                && same(one.start, other.start)
                && same(one.end, other.end)
        };
        let controls = self.controls.len() == other.controls.len()
            && self.controls.iter().zip(&other.controls).all(|(one, other)| acts(one, other));
        let plain = self.image_prompts.is_empty() && other.image_prompts.is_empty();
        let alike = [
            ("steps", self.steps == other.steps),
            ("guidance_scale", same(self.guidance_scale, other.guidance_scale)),
            ("guidance_rescale", same(self.guidance_rescale, other.guidance_rescale)),
            ("size", self.size == other.size),
            ("scheduler", self.scheduler == other.scheduler),
            ("options", self.options == other.options),
            ("text", self.text == other.text),
            ("init", noise(self) && noise(other)),
            ("control", controls),
            ("image_prompt", plain),
        ];
        match alike.into_iter().find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((field @ ("init" | "image_prompt"), _)) => {
                Err(SampleError::invalid(field, "must be absent where images are made together"))
            }
            Some((field, _)) => {
                let cause = "must be the same for images that are made together";
                Err(SampleError::invalid(field, cause))
            }
        }
    }

    /// # Errors
    /// [`SampleError::Invalid`] names the field, before anything is computed.
    pub(super) fn check(&self) -> Result<(), SampleError> {
        let hold = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(SampleError::invalid(field, cause)) }
        };
        hold((1..=MOST_STEPS).contains(&self.steps), "steps", "must lie between 1 and 1,000")?;
        hold(self.guidance_scale.is_finite(), "guidance_scale", "must be a number")?;
        hold(
            (0.0..=1.0).contains(&self.guidance_rescale),
            "guidance_rescale",
            "must lie between 0 and 1",
        )?;
        self.options.check()?;
        match &self.start {
            Start::Noise => {}
            Start::Image { image, strength } => {
                check_picture("init", image)?;
                check_strength(*strength, self.steps())?;
            }
            Start::Inpaint { image, mask, strength } => {
                check_picture("init", image)?;
                check_picture("mask", mask)?;
                check_strength(*strength, self.steps())?;
                hold(
                    mask.pixels.iter().any(|value| *value >= 0.5),
                    "mask",
                    "is empty: white (0.5 and above) is what is made anew",
                )?;
            }
        }
        let few = self.image_prompts.len() <= MOST_IMAGE_PROMPTS;
        hold(few, "image_prompt", "must be 8 at most")?;
        for prompt in &self.image_prompts {
            check_picture("image_prompt", &prompt.image)?;
            let fits = (0.0..=STRONGEST_IMAGE_PROMPT).contains(&prompt.scale);
            hold(fits, "image_prompt", "the scale must lie between 0 and 4")?;
        }
        hold(self.controls.len() <= MOST_CONTROLS, "control", "must be 8 at most")?;
        for control in &self.controls {
            check_picture("control", &control.image)?;
            hold(
                control.image.pixels.iter().any(|value| *value > 0.0),
                "control",
                "is empty: lines and areas are white on black",
            )?;
            hold(
                (0.0..=STRONGEST_CONTROL).contains(&control.weight),
                "control",
                "the weight must lie between 0 and 4",
            )?;
            hold(
                control.start >= 0.0 && control.end <= 1.0 && control.start < control.end,
                "control",
                "the range must lie between 0 and 1 and end after it starts",
            )?;
        }
        Ok(())
    }
}

fn check_strength(strength: f64, steps: usize) -> Result<(), SampleError> {
    if !(strength > 0.0 && strength <= 1.0) {
        return Err(SampleError::invalid("strength", "must lie above 0 and be 1 at most"));
    }
    if ((steps as f64 * strength) as usize) < 1 {
        let cause = format!("leaves none of {steps} steps: take more steps, or a greater strength");
        return Err(SampleError::invalid("strength", cause));
    }
    Ok(())
}

fn check_picture(field: &'static str, frame: &Frame) -> Result<(), SampleError> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    if width == 0 || height == 0 {
        return Err(SampleError::invalid(field, "is empty"));
    }
    if width > 16_384 || height > 16_384 || frame.pixels.len() != width * height {
        return Err(SampleError::invalid(field, "is no picture of 16,384 pixels a side at most"));
    }
    if frame.pixels.iter().any(|value| !value.is_finite()) {
        return Err(SampleError::invalid(field, "holds values that are no numbers"));
    }
    Ok(())
}
