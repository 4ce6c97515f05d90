//! Making an image again from what its file says of it.

use super::error::ServeError;
use super::request::{AdapterRef, EmbeddingRef, GenerateRequest};
use crate::adapter::{Embedding, weights_sha256};
use crate::dicom::{
    ControlUse, EmbeddingUse, Frame, InputUse, SyntheticDescription, WatermarkUse, WriteOptions,
};
use crate::model::ModelCard;
use crate::nn::WeightForm;
use crate::noise::SchedulerConfig;
use crate::prompt::StructuredPrompt;
use crate::sample::{Control, ImagePrompt, RANDOM_GENERATOR, SamplingOptions, Start};
use crate::watermark::{Key, SCHEME};

/// What an image's file names and does not hold.
#[derive(Debug, Default)]
pub struct Given {
    /// The folders of its adapters, in any order.
    pub adapters: Vec<std::path::PathBuf>,
    /// The files of its embeddings, in any order.
    pub embeddings: Vec<std::path::PathBuf>,
    /// The image that it started from.
    pub init: Option<Frame>,
    /// The mask of what was made anew.
    pub mask: Option<Frame>,
    /// The picture that showed its concepts.
    pub concept_image: Option<Frame>,
    /// Its condition images, in any order.
    pub controls: Vec<Frame>,
    /// Its image prompts, in any order.
    pub image_prompts: Vec<Frame>,
    /// [`Service::image_reader`](super::Service::image_reader), where there is one.
    pub image_reader: Option<String>,
    /// [`Service::weight_form`](super::Service::weight_form).
    pub weights: WeightForm,
    /// The key of its mark, where it is not the public one.
    pub watermark: Option<Key>,
}

/// The request that makes the image of `description` again, with the model of `card` and the control
/// networks whose weights have the hashes `networks`.
///
/// # Errors
/// [`ServeError::Invalid`] names what is missing, or is not what the image was made with; everything is
/// known by its hash.
pub fn replay(
    description: &SyntheticDescription,
    card: &ModelCard,
    networks: &[String],
    given: &Given,
) -> Result<GenerateRequest, ServeError> {
    let made = &description.provenance;
    let fault = |field: &'static str, cause: String| ServeError::Invalid { field, cause };
    if made.model_sha256 != card.weights_sha256 {
        return Err(fault(
            "model",
            format!("the image was made by {} with other weights than these", made.model),
        ));
    }
    if made.weights != weights_name(given.weights) {
        let wanted = made.weights.as_deref().unwrap_or(WeightForm::Full.name());
        return Err(fault(
            "weights",
            format!("the image was made with weights in the form {wanted}"),
        ));
    }
    if made.random_generator != RANDOM_GENERATOR {
        return Err(fault(
            "random_generator",
            format!(
                "the image's noise is of {}, this is {RANDOM_GENERATOR}",
                made.random_generator
            ),
        ));
    }
    let mut adapters = Vec::new();
    for used in &made.adapters {
        let mut found = None;
        for path in &given.adapters {
            if weights_sha256(path)? == used.sha256 {
                found = Some(AdapterRef { path: path.clone(), scale: used.scale });
            }
        }
        adapters.push(found.ok_or_else(|| {
            let cause =
                format!("the adapter {} is needed, with weights {}", used.name, used.sha256);
            fault("adapters", cause)
        })?);
    }
    let embeddings = made.embeddings.iter().map(|used| embedding(used, given));
    let embeddings = embeddings.collect::<Result<_, _>>()?;
    let picture = |role: &'static str, wanted: &str, among: &[Frame]| {
        among.iter().find(|frame| InputUse::hash(frame) == wanted).cloned().ok_or_else(|| {
            fault(role, format!("the picture is needed whose pixels have the hash {wanted}"))
        })
    };
    let (mut init, mut mask, mut concept_image) = (None, None, None);
    let (mut controls, mut image_prompts) = (Vec::new(), Vec::new());
    for input in &made.inputs {
        match input.role.as_str() {
            INIT => init = Some(picture("init", &input.sha256, given.init.as_slice())?),
            MASK => mask = Some(picture("mask", &input.sha256, given.mask.as_slice())?),
            CONCEPT_IMAGE => {
                let among = given.concept_image.as_slice();
                concept_image = Some(picture("concept_image", &input.sha256, among)?);
            }
            CONTROL => {
                let image = picture("control", &input.sha256, &given.controls)?;
                let Some(used) = &input.control else {
                    return Err(fault("inputs", "a control does not say how it acted".into()));
                };
                let network = networks.iter().position(|hash| *hash == used.network_sha256);
                let Some(network) = network else {
                    let hash = &used.network_sha256;
                    let cause =
                        format!("the control network is needed whose weights have the hash {hash}");
                    return Err(fault("control", cause));
                };
                let ControlUse { weight, start, end, .. } = *used;
                controls.push(Control { network, image, weight, start, end });
            }
            IMAGE_PROMPT => {
                let image = picture("image_prompt", &input.sha256, &given.image_prompts)?;
                let Some(used) = &input.control else {
                    let cause = "an image prompt does not say how it acted";
                    return Err(fault("inputs", cause.into()));
                };
                if given.image_reader.as_deref() != Some(used.network_sha256.as_str()) {
                    let hash = &used.network_sha256;
                    let cause = format!(
                        "the IP-Adapter and image encoder are needed whose weights have the hash {hash}"
                    );
                    return Err(fault("image_prompt", cause));
                }
                image_prompts.push(ImagePrompt { image, scale: used.weight });
            }
            _ => return Err(fault("inputs", "this version does not know such an input".into())),
        }
    }
    let strength = made.strength.unwrap_or(1.0);
    let start = match (init, mask) {
        (None, None) => Start::Noise,
        (Some(image), None) => Start::Image { image, strength },
        (Some(image), Some(mask)) => Start::Inpaint { image, mask, strength },
        (None, Some(_)) => {
            return Err(fault("inputs", "the provenance names a mask without an image".into()));
        }
    };
    let scheduler = serde_json::to_vec(&made.scheduler_config)
        .map_err(|cause| fault("scheduler_config", cause.to_string()))
        .and_then(|text| {
            SchedulerConfig::parse(&text).map_err(|cause| fault("scheduler_config", cause))
        })?;
    Ok(GenerateRequest {
        prompt: StructuredPrompt {
            findings: description.findings.clone(),
            age_group: description.age_group,
            sex: description.sex,
            view_position: description.view_position.clone(),
            style: None,
            text: None,
        },
        negative: (!made.negative_prompt.is_empty()).then(|| made.negative_prompt.clone()),
        seed: made.seed,
        steps: made.steps,
        guidance_scale: made.guidance_scale,
        count: 1,
        adapters,
        concept_image,
        embeddings,
        options: serde_json::from_value(made.options.clone())
            .map_err(|cause| fault("options", cause.to_string()))?,
        guidance_rescale: made.guidance_rescale,
        size: Some((made.height, made.width)),
        scheduler: Some(scheduler),
        start,
        controls,
        image_prompts,
        sentence: Some(description.prompt.clone()),
        object: WriteOptions::default(),
        watermark: watermark(made.watermark.as_ref(), given)?,
    })
}

/// The key of an image's mark.
fn watermark(made: Option<&WatermarkUse>, given: &Given) -> Result<Option<Key>, ServeError> {
    let Some(made) = made else { return Ok(None) };
    let fault = |cause: String| Err(ServeError::Invalid { field: "watermark_key", cause });
    if made.scheme != SCHEME {
        return fault(format!("the image is marked by {}, this is {SCHEME}", made.scheme));
    }
    let keys = [given.watermark.clone(), Some(Key::public())];
    match keys.into_iter().flatten().find(|key| key.fingerprint() == made.key) {
        Some(key) => Ok(Some(key)),
        None => fault(format!("the key is needed whose fingerprint is {}", made.key)),
    }
}

/// A mark, as provenance tells of it.
pub(super) fn watermark_use(key: &Key) -> WatermarkUse {
    WatermarkUse { scheme: SCHEME.to_owned(), key: key.fingerprint() }
}

/// Which of the given embeddings was used.
fn embedding(used: &EmbeddingUse, given: &Given) -> Result<EmbeddingRef, ServeError> {
    for path in &given.embeddings {
        if Embedding::open(path, Some(&used.token))?.sha256() == used.sha256 {
            return Ok(EmbeddingRef { path: path.clone(), token: Some(used.token.clone()) });
        }
    }
    let EmbeddingUse { token, sha256 } = used;
    let cause = format!("the embedding of {token:?} is needed, with the hash {sha256}");
    Err(ServeError::Invalid { field: "embeddings", cause })
}

/// The options of a request that are not what they are without being asked for, as provenance tells of them.
pub(super) fn options_json(options: &SamplingOptions) -> serde_json::Value {
    let mut said = serde_json::to_value(options).unwrap_or_default();
    said.sort_all_objects();
    said
}

const INIT: &str = "init";
const MASK: &str = "mask";
const CONCEPT_IMAGE: &str = "concept_image";
const CONTROL: &str = "control";
const IMAGE_PROMPT: &str = "image_prompt";

/// The pictures of a request, as provenance tells of them; `networks` are the hashes of the control
/// networks' weights, `reader` that of what reads image prompts.
pub(super) fn inputs(
    request: &GenerateRequest,
    networks: &[String],
    reader: Option<&str>,
) -> Vec<InputUse> {
    let of = |role: &str, frame: &Frame| InputUse {
        role: role.to_owned(),
        sha256: InputUse::hash(frame),
        control: None,
    };
    let mut all = match &request.start {
        Start::Noise => Vec::new(),
        Start::Image { image, .. } => vec![of(INIT, image)],
        Start::Inpaint { image, mask, .. } => vec![of(INIT, image), of(MASK, mask)],
    };
    all.extend(request.concept_image.iter().map(|image| of(CONCEPT_IMAGE, image)));
    all.extend(request.controls.iter().map(|control| InputUse {
        control: Some(ControlUse {
            network_sha256: networks.get(control.network).cloned().unwrap_or_default(),
            weight: control.weight,
            start: control.start,
            end: control.end,
        }),
        ..of(CONTROL, &control.image)
    }));
    all.extend(request.image_prompts.iter().map(|prompt| InputUse {
        control: Some(ControlUse {
            network_sha256: reader.unwrap_or_default().to_owned(),
            weight: prompt.scale,
            start: 0.0,
            end: 1.0,
        }),
        ..of(IMAGE_PROMPT, &prompt.image)
    }));
    all
}

/// How weights are held, as provenance tells of it.
pub(super) fn weights_name(form: WeightForm) -> Option<String> {
    match form {
        WeightForm::Full => None,
        WeightForm::Int8 => Some(form.name().to_owned()),
    }
}

/// The share of the steps that a start leaves, where it is not noise.
pub(super) fn strength(start: &Start) -> Option<f64> {
    match start {
        Start::Noise => None,
        Start::Image { strength, .. } | Start::Inpaint { strength, .. } => Some(*strength),
    }
}
