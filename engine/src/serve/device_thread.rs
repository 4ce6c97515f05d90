//! The thread that owns the device: requests take turns, the model stays loaded.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use super::error::ServeError;
use super::replay::{inputs, options_json, strength, watermark_use, weights_name};
use super::request::{GenerateRequest, GeneratedImage, Progress, open_embeddings};
use crate::adapter::{Adapter, AdapterCard, Concept, Prefix};
use crate::device::CancelToken;
use crate::dicom::{
    AdapterUse, EmbeddingUse, Frame, Provenance, SyntheticDescription, png_with_provenance,
    render_png, write_synthetic_as,
};
use crate::model::{Bundle, Owed};
use crate::sample::{Pipeline, RANDOM_GENERATOR, Request, Step, generate};
use crate::watermark::embed;

/// Pictures on the way that an image shows.
const PREVIEWS: usize = 6;

/// A request on its way to the device.
pub(super) struct Order {
    pub(super) request: GenerateRequest,
    pub(super) cancel: CancelToken,
    pub(super) answers: Sender<Answer>,
}

/// What comes back for an order: any number of steps, then the end.
pub(super) enum Answer {
    Step(Progress),
    Done(Result<Vec<GeneratedImage>, ServeError>),
}

/// Answers orders until nobody can send one.
pub(super) fn work(bundle: &Bundle, pipeline: &mut Pipeline, orders: &Receiver<Order>) {
    while let Ok(order) = orders.recv() {
        let mut on_progress = |progress| {
            // Nobody listens any more: the work ends as if it had been cancelled.
            if order.answers.send(Answer::Step(progress)).is_err() {
                order.cancel.cancel();
            }
        };
        let done = answer(bundle, pipeline, &order.request, &mut on_progress, &order.cancel);
        let _ = order.answers.send(Answer::Done(done));
    }
}

fn answer(
    bundle: &Bundle,
    pipeline: &mut Pipeline,
    request: &GenerateRequest,
    on_progress: &mut dyn FnMut(Progress),
    cancel: &CancelToken,
) -> Result<Vec<GeneratedImage>, ServeError> {
    let prompt = request.checked_sentence()?;
    let card = bundle.card();
    let mut used = Used {
        adapters: Vec::new(),
        embeddings: Vec::new(),
        owed: Owed::default().and(&card.licence, &card.attribution),
    };
    adapt(bundle, pipeline, request, &mut used)?;
    learn(bundle, pipeline, request, &mut used)?;
    (0..request.count)
        .map(|image| {
            let order = Request {
                prompt: prompt.clone(),
                negative: request.negative.clone().unwrap_or_default(),
                seed: request.seed.wrapping_add(u64::from(image)),
                steps: request.steps as usize,
                guidance_scale: f64::from(request.guidance_scale),
                guidance_rescale: f64::from(request.guidance_rescale),
                size: request.size.map(|(height, width)| (height as usize, width as usize)),
                scheduler: request.scheduler.clone(),
                start: request.start.clone(),
                controls: request.controls.clone(),
                image_prompts: request.image_prompts.clone(),
                options: request.options.clone(),
                ..Request::default()
            };
            let mut on_step = |step: Step| {
                on_progress(Progress {
                    image,
                    step: step.number as u32,
                    steps: step.of as u32,
                    // A preview that cannot be shown is left out; the image itself is checked.
                    preview_png: step.preview.and_then(|frame| render_png(&frame, None).ok()),
                });
            };
            let frame = generate(pipeline, &order, PREVIEWS, &mut on_step, cancel)?;
            finish(bundle, pipeline, request, &order, &used, frame)
        })
        .collect()
}

/// What acted on the model in a request.
struct Used {
    adapters: Vec<AdapterUse>,
    embeddings: Vec<EmbeddingUse>,
    /// Whom it all is owed to.
    owed: Owed,
}

impl Used {
    /// Counts in what a card says; what came from another program may have none.
    fn owe(&mut self, card: Option<&AdapterCard>) {
        if let Some(card) = card {
            let owed = std::mem::take(&mut self.owed);
            self.owed = owed.and(&card.licence, &card.attribution);
        }
    }
}

/// What changes the model, read and held against it.
enum Loaded {
    Adapter(Adapter),
    Prefix(Prefix),
    Concept(Concept),
}

impl Loaded {
    fn open(path: &Path, bundle: &Bundle, pipeline: &Pipeline) -> Result<Self, ServeError> {
        let base = &bundle.card().weights_sha256;
        if Concept::lies_in(path) {
            return Ok(Self::Concept(pipeline.concept(path)?));
        }
        if Prefix::lies_in(path) {
            let prefix = Prefix::open(path)?;
            prefix.check(base)?;
            return Ok(Self::Prefix(prefix));
        }
        let adapter = Adapter::open(path)?;
        adapter.check(&pipeline.networks(), base)?;
        Ok(Self::Adapter(adapter))
    }

    fn used(&self, scale: f32) -> AdapterUse {
        let (name, sha256) = match self {
            Self::Adapter(adapter) => (adapter.name(), adapter.sha256()),
            Self::Prefix(prefix) => (prefix.card().name.as_str(), prefix.sha256()),
            Self::Concept(concept) => (concept.name(), concept.sha256()),
        };
        AdapterUse { name: name.to_owned(), sha256: sha256.to_owned(), scale }
    }

    fn card(&self) -> Option<&AdapterCard> {
        match self {
            Self::Adapter(adapter) => adapter.card(),
            Self::Prefix(prefix) => Some(prefix.card()),
            Self::Concept(concept) => Some(concept.card()),
        }
    }
}

/// Puts the request's adapters and prefixes on the model and shows it its concepts, in place of the last request's.
/// Names them.
fn adapt(
    bundle: &Bundle,
    pipeline: &mut Pipeline,
    request: &GenerateRequest,
    used: &mut Used,
) -> Result<(), ServeError> {
    let mut loaded = Vec::new();
    for wanted in &request.adapters {
        loaded.push((Loaded::open(&wanted.path, bundle, pipeline)?, wanted.scale));
    }
    let (mut on, mut before, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for (one, scale) in &loaded {
        match one {
            Loaded::Adapter(adapter) => on.push((adapter, *scale)),
            Loaded::Prefix(prefix) => before.push((prefix, *scale)),
            Loaded::Concept(concept) => shown.push((concept, *scale)),
        }
    }
    if request.concept_image.is_some() && shown.is_empty() {
        let cause = "needs a concept among the adapters, which it shows".into();
        return Err(ServeError::Invalid { field: "concept_image", cause });
    }
    pipeline.put_before(&before)?;
    pipeline.adapt(&on, false)?;
    pipeline.show(&shown, request.concept_image.as_ref())?;
    for (one, scale) in &loaded {
        used.adapters.push(one.used(*scale));
        used.owe(one.card());
    }
    Ok(())
}

/// Teaches the model the request's words, in place of the last request's. Names them.
fn learn(
    bundle: &Bundle,
    pipeline: &mut Pipeline,
    request: &GenerateRequest,
    used: &mut Used,
) -> Result<(), ServeError> {
    let loaded = open_embeddings(request)?;
    for embedding in &loaded {
        embedding.check(&bundle.card().weights_sha256)?;
    }
    pipeline.learn(&loaded.iter().collect::<Vec<_>>())?;
    for embedding in &loaded {
        used.embeddings.push(EmbeddingUse {
            token: embedding.token().to_owned(),
            sha256: embedding.sha256().to_owned(),
        });
        used.owe(embedding.card());
    }
    Ok(())
}

/// The files of an image.
fn finish(
    bundle: &Bundle,
    pipeline: &Pipeline,
    request: &GenerateRequest,
    order: &Request,
    used: &Used,
    frame: Frame,
) -> Result<GeneratedImage, ServeError> {
    let card = bundle.card();
    let marked = request.watermark.as_ref().and_then(|key| Some((embed(&frame, key)?, key)));
    let (frame, watermark) = match marked {
        Some((marked, key)) => (marked, Some(watermark_use(key))),
        None => (frame, None),
    };
    let scheduler = request.scheduler.as_ref().unwrap_or(pipeline.scheduler());
    let provenance = Provenance {
        program: "Skiagraph".into(),
        version: crate::VERSION.into(),
        model: format!("{} {}", card.name, card.version).trim_end().to_owned(),
        model_sha256: card.weights_sha256.clone(),
        licence: used.owed.licence(),
        attribution: used.owed.attribution(),
        weights: weights_name(bundle.weight_form()),
        adapters: used.adapters.clone(),
        embeddings: used.embeddings.clone(),
        seed: order.seed,
        random_generator: RANDOM_GENERATOR.into(),
        steps: request.options.steps(order.steps) as u32,
        guidance_scale: request.guidance_scale,
        guidance_rescale: request.guidance_rescale,
        scheduler: scheduler.class_name().to_owned(),
        scheduler_config: scheduler.to_json(),
        negative_prompt: order.negative.clone(),
        width: frame.width,
        height: frame.height,
        strength: strength(&request.start),
        options: options_json(&request.options),
        inputs: inputs(request, pipeline.control_hashes(), pipeline.image_reader_hash()),
        watermark,
    };
    let description = SyntheticDescription {
        age_group: request.prompt.age_group,
        sex: request.prompt.sex,
        view_position: request.prompt.view_position.clone(),
        findings: request.prompt.findings.clone(),
        prompt: order.prompt.clone(),
        provenance,
    };
    Ok(GeneratedImage {
        seed: order.seed,
        png: png_with_provenance(&frame, &description)?,
        dicom: write_synthetic_as(&frame, &description, request.object)?,
        frame,
        provenance: description.provenance,
    })
}
