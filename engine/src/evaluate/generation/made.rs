//! The images of an evaluation: made in batches, kept on the disk, and taken from there where they were made before.

use std::path::Path;
use std::time::Instant;

use crate::control::read_picture;
use crate::data::Sample;
use crate::device::CancelToken;
use crate::dicom::{
    AdapterUse, Frame, Provenance, SyntheticDescription, png_with_provenance, read_provenance,
};
use crate::evaluate::EvaluateError;
use crate::files;
use crate::model::ModelCard;
use crate::prompt::strip_marks;
use crate::sample::{
    Control, Pipeline, RANDOM_GENERATOR, Request, SampleError, generate, generate_together,
};

/// Pixels of the images that are made together.
const BATCH_PIXELS: usize = 8 * 256 * 256;

/// How images are made.
pub(super) struct Recipe<'a> {
    pub(super) model: &'a ModelCard,
    pub(super) adapters: Vec<AdapterUse>,
    pub(super) steps: usize,
    pub(super) guidance_scale: f64,
}

/// An image that is to be made, and what its file will say of it.
pub(super) struct Order {
    request: Request,
    description: SyntheticDescription,
    /// The description as the file gives it back: JSON may not keep every number to its last bit.
    read_back: SyntheticDescription,
}

impl Recipe<'_> {
    /// An image of the caption of `sample` from `seed`, led by `control`.
    pub(super) fn order(
        &self,
        pipeline: &Pipeline,
        sample: &Sample,
        seed: u64,
        control: Option<Control>,
    ) -> Result<Order, EvaluateError> {
        let prompt = strip_marks(&sample.caption);
        let inputs = control.iter().map(|control| pipeline.control_use(control)).collect();
        let side = pipeline.image_size() as u32;
        let scheduler = pipeline.scheduler();
        let provenance = Provenance {
            program: "Skiagraph".into(),
            version: crate::VERSION.into(),
            model: format!("{} {}", self.model.name, self.model.version).trim_end().to_owned(),
            model_sha256: self.model.weights_sha256.clone(),
            adapters: self.adapters.clone(),
            seed,
            random_generator: RANDOM_GENERATOR.into(),
            steps: self.steps as u32,
            guidance_scale: self.guidance_scale as f32,
            scheduler: scheduler.class_name().to_owned(),
            scheduler_config: scheduler.to_json(),
            width: side,
            height: side,
            options: serde_json::json!({}),
            inputs,
            ..Provenance::default()
        };
        let description = SyntheticDescription {
            age_group: sample.age_group,
            sex: sample.sex,
            view_position: sample.view_position.clone(),
            findings: sample.findings.iter().map(|slug| slug.as_str().into()).collect(),
            prompt: prompt.clone(),
            provenance,
        };
        let request = Request {
            prompt,
            seed,
            steps: self.steps,
            guidance_scale: self.guidance_scale,
            controls: control.into_iter().collect(),
            ..Request::default()
        };
        Ok(Order { request, read_back: read_back(&description)?, description })
    }
}

fn read_back(description: &SyntheticDescription) -> Result<SyntheticDescription, EvaluateError> {
    let fault =
        |cause: serde_json::Error| crate::dicom::DicomError::Write { cause: cause.to_string() };
    let text = serde_json::to_string(description).map_err(fault)?;
    Ok(serde_json::from_str(&text).map_err(fault)?)
}

/// Images as their files hold them.
pub(super) struct Made {
    pub(super) frames: Vec<Frame>,
    /// Seconds that one took; none where all were there.
    pub(super) seconds: Option<f64>,
}

/// The images of `orders`, the n-th in the file `n.png` of `folder`. Those that are there are taken, where they say
/// that they were made in the same way. `on_made` hears how many there are.
pub(super) fn make(
    pipeline: &Pipeline,
    orders: &[Order],
    folder: &Path,
    on_made: &mut dyn FnMut(u64),
    cancel: &CancelToken,
) -> Result<Made, EvaluateError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        |source| EvaluateError::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(fault(folder))?;
    let file = |number: usize| folder.join(format!("{number:05}.png"));
    let mut frames: Vec<Option<Frame>> = orders
        .iter()
        .enumerate()
        .map(|(number, order)| kept(&file(number), &order.read_back))
        .collect();
    let missing: Vec<usize> =
        (0..orders.len()).filter(|number| frames[*number].is_none()).collect();
    let mut done = (orders.len() - missing.len()) as u64;
    on_made(done);
    let begun = Instant::now();
    let batch = (BATCH_PIXELS / pipeline.image_size().pow(2).max(1)).clamp(1, 16);
    for numbers in missing.chunks(batch) {
        let requests: Vec<Request> =
            numbers.iter().map(|number| orders[*number].request.clone()).collect();
        for (number, frame) in numbers.iter().zip(together(pipeline, &requests, cancel)?) {
            let path = file(*number);
            let png = png_with_provenance(&frame, &orders[*number].description)?;
            files::replace(&path, &png).map_err(fault(&path))?;
            frames[*number] = Some(seen(&path, &png)?);
        }
        done += numbers.len() as u64;
        on_made(done);
    }
    let seconds = begun.elapsed().as_secs_f64() / missing.len() as f64;
    let seconds = (!missing.is_empty()).then_some(seconds);
    Ok(Made { frames: frames.into_iter().flatten().collect(), seconds })
}

/// The image that a file holds, where it was made as `wanted` says.
fn kept(path: &Path, wanted: &SyntheticDescription) -> Option<Frame> {
    let bytes = std::fs::read(path).ok()?;
    let found = read_provenance(&bytes).ok()?;
    if found == *wanted { read_picture(&bytes).ok() } else { None }
}

/// What a file shows: 256 greys, as whoever opens it sees them.
fn seen(path: &Path, png: &[u8]) -> Result<Frame, EvaluateError> {
    read_picture(png).map_err(|cause| EvaluateError::File {
        path: path.to_owned(),
        source: std::io::Error::other(cause.to_string()),
    })
}

fn together(
    pipeline: &Pipeline,
    requests: &[Request],
    cancel: &CancelToken,
) -> Result<Vec<Frame>, EvaluateError> {
    match generate_together(pipeline, requests, &mut |_| (), cancel) {
        // Captions may be of different lengths, beyond the text encoder's window.
        Err(SampleError::Invalid { field: "prompt", .. }) => {
            let one = |request| generate(pipeline, request, 0, &mut |_| (), cancel);
            Ok(requests.iter().map(one).collect::<Result<_, _>>()?)
        }
        made => Ok(made?),
    }
}
