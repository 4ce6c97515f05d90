//! A request for images, and the images.

use std::path::PathBuf;

use super::error::ServeError;
use crate::adapter::{AdapterError, Embedding, STRONGEST_SCALE};
use crate::dicom::{Frame, Provenance, WriteOptions};
use crate::noise::SchedulerConfig;
use crate::prompt::{LONGEST_TEXT, StructuredPrompt, weights};
use crate::sample::{Control, ImagePrompt, MOST_STEPS, SamplingOptions, Start, TextNotes};
use crate::watermark::Key;

/// Images that one request may ask for.
const MOST_IMAGES: u32 = 16;
/// Guidance beyond which nothing but artefacts comes.
const STRONGEST_GUIDANCE: f32 = 30.0;
/// Learned words of one request.
const MOST_EMBEDDINGS: usize = 64;

/// What reads image prompts, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpAdapterFiles {
    /// The IP-Adapter's `.safetensors` file.
    pub adapter: PathBuf,
    /// The folder of the image encoder that it was trained with.
    pub image_encoder: PathBuf,
}

/// An adapter or a concept on disk, and how strongly it acts.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterRef {
    /// Its folder.
    pub path: PathBuf,
    /// 0 is nothing, 1 as trained.
    pub scale: f32,
}

/// A word with an embedding of its own, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingRef {
    /// Its `.safetensors` file, or the folder of one.
    pub path: PathBuf,
    /// The word in prompts; absent, the file's own.
    pub token: Option<String>,
}

/// A request for images.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What the images show.
    pub prompt: StructuredPrompt,
    /// What they should not show, in free words.
    pub negative: Option<String>,
    /// Seed of the first image; the next has the next seed.
    pub seed: u64,
    /// Denoising steps, 1 to 1,000.
    pub steps: u32,
    /// Strength of classifier-free guidance, 1 (none) to 30.
    pub guidance_scale: f32,
    /// Images, 1 to 16.
    pub count: u32,
    /// Adapters and concepts that act together.
    pub adapters: Vec<AdapterRef>,
    /// A picture that shows the concepts among the adapters, in place of the mean of their images.
    pub concept_image: Option<Frame>,
    /// Words that were learned beside the model's vocabulary (textual inversion).
    pub embeddings: Vec<EmbeddingRef>,
    /// How far guidance is brought back to the spread of the unguided prediction, 0 to 1.
    pub guidance_rescale: f32,
    /// Height and width in pixels; absent, the model's own.
    pub size: Option<(u32, u32)>,
    /// The scheduler, in place of the model's own.
    pub scheduler: Option<SchedulerConfig>,
    /// What the sampling starts from.
    pub start: Start,
    /// Condition images, each through one of the model's control networks.
    pub controls: Vec<Control>,
    /// Images that show what is wanted, where the service has an IP-Adapter.
    pub image_prompts: Vec<ImagePrompt>,
    /// The less common parameters of a sampling.
    pub options: SamplingOptions,
    /// The sentence in place of the one that `prompt` makes, where an image is made again.
    pub sentence: Option<String>,
    /// How the images' DICOM objects are stored; it changes no image.
    pub object: WriteOptions,
    /// The key of the mark that the pixels get, of images of 32 × 32 pixels and more; without one they get none.
    pub watermark: Option<Key>,
}

impl Default for GenerateRequest {
    /// One image of no finding in particular, in 20 steps, with the mark that everybody finds.
    fn default() -> Self {
        Self {
            prompt: StructuredPrompt::default(),
            negative: None,
            seed: 0,
            steps: 20,
            guidance_scale: 1.0,
            count: 1,
            adapters: Vec::new(),
            concept_image: None,
            embeddings: Vec::new(),
            guidance_rescale: 0.0,
            size: None,
            scheduler: None,
            start: Start::Noise,
            controls: Vec::new(),
            image_prompts: Vec::new(),
            options: SamplingOptions::default(),
            sentence: None,
            object: WriteOptions::default(),
            watermark: Some(Key::public()),
        }
    }
}

impl GenerateRequest {
    /// The prompt's sentence, after every field was checked.
    ///
    /// # Errors
    /// [`ServeError::Invalid`] names the field and its limits.
    pub fn checked_sentence(&self) -> Result<String, ServeError> {
        let check = |holds: bool, field: &'static str, cause: &str| {
            if holds { Ok(()) } else { Err(ServeError::Invalid { field, cause: cause.to_owned() }) }
        };
        check(
            (1..=MOST_STEPS).contains(&(self.steps as usize)),
            "steps",
            "must lie between 1 and 1,000",
        )?;
        check((1..=MOST_IMAGES).contains(&self.count), "count", "must lie between 1 and 16")?;
        check(
            (1.0..=STRONGEST_GUIDANCE).contains(&self.guidance_scale),
            "guidance_scale",
            "must lie between 1 and 30",
        )?;
        let negative = self.negative.as_deref().unwrap_or_default();
        check(
            negative.chars().nth(LONGEST_TEXT).is_none(),
            "negative",
            "must have 2,000 characters at most",
        )?;
        for adapter in &self.adapters {
            check(
                (0.0..=STRONGEST_SCALE).contains(&adapter.scale),
                "adapter_scale",
                "must lie between 0 and 4",
            )?;
        }
        check(self.object.check().is_ok(), "bits", "must lie between 12 and 16")?;
        let few = self.embeddings.len() <= MOST_EMBEDDINGS;
        check(few, "embeddings", "must be 64 at most")?;
        weights::parse(negative, "negative")?;
        let sentence = self.prompt.sentence()?;
        // Its free text was read; findings in their hundreds may still make it too long.
        weights::parse(&sentence, "findings")?;
        Ok(self.sentence.clone().unwrap_or(sentence))
    }
}

/// Reads the embeddings of a request.
pub(super) fn open_embeddings(request: &GenerateRequest) -> Result<Vec<Embedding>, AdapterError> {
    let open = |one: &EmbeddingRef| Embedding::open(&one.path, one.token.as_deref());
    request.embeddings.iter().map(open).collect()
}

/// What of a text the model will not see, or not know: for the one who wrote it, and no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptNote {
    /// `prompt` or `negative`.
    pub field: &'static str,
    /// Words that are not in the model's vocabulary, as written, each once; 32 at most.
    pub unknown: Vec<String>,
    /// Text that the model has no room for; empty where it sees all.
    pub beyond: String,
}

impl PromptNote {
    /// The note on a field, where there is something to say.
    pub(super) fn of(field: &'static str, notes: TextNotes) -> Option<Self> {
        let TextNotes { unknown, left_out: _, beyond } = notes;
        (!unknown.is_empty() || !beyond.is_empty()).then_some(Self { field, unknown, beyond })
    }
}

/// A finished step of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Which image of the request, counted from 0.
    pub image: u32,
    /// The step, counted from 1.
    pub step: u32,
    /// Steps of the image.
    pub steps: u32,
    /// The picture so far as PNG, now and then.
    pub preview_png: Option<Vec<u8>>,
}

/// A synthetic image that says what it is.
#[derive(Debug, Clone)]
pub struct GeneratedImage {
    /// Its seed.
    pub seed: u64,
    /// Its pixels.
    pub frame: Frame,
    /// 8-bit PNG with the provenance inside.
    pub png: Vec<u8>,
    /// DX object, marked synthetic.
    pub dicom: Vec<u8>,
    /// Where it comes from.
    pub provenance: Provenance,
}
