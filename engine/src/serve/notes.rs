//! What a person should hear of a request before it is answered; none of it is an error.

use serde::Serialize;

use super::error::ServeError;
use super::request::{GenerateRequest, PromptNote};
use crate::dicom::Frame;
use crate::noise::SchedulerConfig;
use crate::sample::{SampleError, SamplingOptions, Start, TextReader};

/// Something about a field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestNote {
    /// The field.
    pub field: &'static str,
    /// What is to be known of it.
    pub note: String,
}

/// What of a sentence and of a negative prompt the model will not see, or not know.
pub(super) fn of_texts(
    reader: &TextReader,
    sentence: &str,
    negative: Option<&str>,
) -> Result<Vec<PromptNote>, ServeError> {
    let mut notes = Vec::new();
    for (field, text) in [("prompt", Some(sentence)), ("negative", negative)] {
        let Some(text) = text else { continue };
        let found = reader.notes(text).map_err(SampleError::from)?;
        notes.extend(PromptNote::of(field, found));
    }
    Ok(notes)
}

/// Brackets of a sentence and of a negative prompt that mean nothing, though they look it.
pub(super) fn of_brackets(
    reader: &TextReader,
    sentence: &str,
    negative: Option<&str>,
) -> Vec<RequestNote> {
    let of = |field| move |note| RequestNote { field, note };
    let negative = negative.map(|text| reader.plain_brackets(text)).unwrap_or_default();
    let sentence = reader.plain_brackets(sentence).into_iter().map(of("prompt"));
    sentence.chain(negative.into_iter().map(of("negative"))).collect()
}

/// That sizes are given to a model that is told of none.
pub(super) fn of_sizes(options: &SamplingOptions) -> Vec<RequestNote> {
    let negative = options.negative_sizes.unwrap_or_default();
    let given = [
        ("original_size", options.sizes.original),
        ("crop", options.sizes.crop),
        ("target_size", options.sizes.target),
        ("negative_original_size", negative.original),
        ("negative_crop", negative.crop),
        ("negative_target_size", negative.target),
    ];
    let note = "Stable Diffusion XL alone is told of sizes, and this model is none: it is left out";
    let given = given.into_iter().filter(|(_, size)| size.is_some());
    given.map(|(field, _)| RequestNote { field, note: note.to_owned() }).collect()
}

/// The notes on a request whose images are `own` pixels high and wide unless it asks for another size.
pub(super) fn of_request(
    request: &GenerateRequest,
    texts: Vec<PromptNote>,
    own: (u32, u32),
    scheduler: &SchedulerConfig,
) -> Vec<RequestNote> {
    let mut notes = Vec::new();
    for PromptNote { field, unknown, beyond } in texts {
        if !unknown.is_empty() {
            let words = unknown.join(", ");
            let note = format!("not in the model's vocabulary, and so without meaning: {words}");
            notes.push(RequestNote { field, note });
        }
        if !beyond.is_empty() {
            let note = format!("the model has no room for its end: {beyond}");
            notes.push(RequestNote { field, note });
        }
    }
    let size = request.size.unwrap_or(own);
    let (init, mask) = match &request.start {
        Start::Noise => (None, None),
        Start::Image { image, .. } => (Some(image), None),
        Start::Inpaint { image, mask, .. } => (Some(image), Some(mask)),
    };
    let controls = request.controls.iter().map(|control| ("control", &control.image));
    let pictures = init.map(|init| ("init", init)).into_iter();
    let pictures = pictures.chain(mask.map(|mask| ("mask", mask))).chain(controls);
    notes.extend(pictures.filter_map(|(field, frame)| resized(field, frame, size)));
    let scheduler = request.scheduler.as_ref().unwrap_or(scheduler).class_name();
    if request.options.eta > 0.0 && scheduler != "DDIMScheduler" {
        let note = format!("{scheduler} has no η: it is left out");
        notes.push(RequestNote { field: "eta", note });
    }
    if request.options.guess_mode && request.controls.is_empty() {
        let note = "there is no control that it could act on".to_owned();
        notes.push(RequestNote { field: "guess_mode", note });
    }
    notes
}

/// That a picture is brought to the image's size.
fn resized(field: &'static str, frame: &Frame, (height, width): (u32, u32)) -> Option<RequestNote> {
    if (frame.width, frame.height) == (width, height) {
        return None;
    }
    let kept =
        u64::from(frame.width) * u64::from(height) == u64::from(frame.height) * u64::from(width);
    let proportions = if kept { "" } else { ", and its proportions change" };
    let note = format!(
        "resized from {} × {} to the image's {width} × {height} pixels{proportions}",
        frame.width, frame.height
    );
    Some(RequestNote { field, note })
}
