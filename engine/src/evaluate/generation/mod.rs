//! How good a generating model is: whether its images show what was asked for, follow the lung mask that was asked
//! for, and are new.

mod asked;
mod figures;
mod judged;
mod looks;
mod made;
mod pictures;
mod room;
mod said;
mod sheet;

use std::path::{Path, PathBuf};

use candle_core::Device;

use self::figures::Neighbours;
use self::judged::Verdicts;
use self::looks::Looks;
use self::made::{Made, Recipe, make};
use self::pictures::Pictures;
use self::room::Room;
use self::said::{notes, settings};
use super::report::evaluate;
use super::{EvaluateError, Report};
use crate::control::ControlKind;
use crate::data::{Dataset, Sample, Split};
use crate::device::CancelToken;
use crate::dicom::Frame;
use crate::sample::{Control, MOST_STEPS};

/// What images a model is measured by, and with what.
#[derive(Debug, Clone, Default)]
pub struct Generation {
    /// Images from a prompt alone.
    pub prompts: usize,
    /// Images that are led by a held-out lung mask.
    pub masks: usize,
    /// Findings that are asked for; where there are none, those that the judge tells apart on real radiographs.
    pub findings: Vec<String>,
    /// The classifier's folder; absent, `judge` below the model.
    pub judge: Option<PathBuf>,
    /// The segmenter's folder; absent, `segmenter` below the model.
    pub segmenter: Option<PathBuf>,
    /// The folder of the control network that follows lung masks; absent, `controlnet_lungmask` below the model.
    pub control_network: Option<PathBuf>,
    /// Adapters on the model, each with its scale.
    pub adapters: Vec<(PathBuf, f32)>,
    /// Concepts that the model sees, each with its scale.
    pub concepts: Vec<(PathBuf, f32)>,
    /// Denoising steps; absent, the card's.
    pub steps: Option<usize>,
    /// Strength of guidance; absent, the card's.
    pub guidance_scale: Option<f64>,
    /// Seed of the first image; the n-th has the n-th after it.
    pub seed: u64,
    /// Prompts and masks that stand on sheets of pictures; 0 makes none.
    pub sheet: usize,
}

/// Hears what is counted, how much of it is done, and how much there is.
pub type OnProgress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

/// Images that were made for some samples, and what they look like.
struct Group<'a> {
    name: &'static str,
    samples: Vec<&'a Sample>,
    frames: Vec<Frame>,
    looks: Looks,
    seconds: Option<f64>,
}

/// What real radiographs look like.
struct Real {
    held_out: Looks,
    training: Looks,
}

impl Room {
    /// An image of the caption of each of `samples`, led by the condition of its place where there are some.
    fn make<'a>(
        &self,
        name: &'static str,
        samples: Vec<&'a Sample>,
        conditions: Option<&[Frame]>,
        out: &Path,
        hear: &mut OnProgress,
        cancel: &CancelToken,
    ) -> Result<Group<'a>, EvaluateError> {
        let control = |place: usize| {
            conditions.and_then(|conditions| conditions.get(place)).map(|image| Control {
                network: self.mask_network,
                image: image.clone(),
                weight: 1.0,
                start: 0.0,
                end: 1.0,
            })
        };
        let recipe = Recipe {
            model: &self.card,
            adapters: self.adapters.clone(),
            steps: self.steps,
            guidance_scale: self.guidance_scale,
        };
        let order = |(place, sample): (usize, &&Sample)| {
            let seed = self.seed.wrapping_add(place as u64);
            recipe.order(&self.pipeline, sample, seed, control(place))
        };
        let orders = samples.iter().enumerate().map(order).collect::<Result<Vec<_>, _>>()?;
        let total = orders.len() as u64;
        let folder = out.join("images").join(name);
        let mut on_made = |made| hear(name, made, total);
        let Made { frames, seconds } =
            make(&self.pipeline, &orders, &folder, &mut on_made, cancel)?;
        let looks = Looks::of_frames(self.classifier(), &frames, &self.device)?;
        Ok(Group { name, samples, frames, looks, seconds })
    }
}

/// Measures the images that the model in the folder `model` makes, and its autoencoder. The images are kept in
/// `out/images`, and those that are there are not made again; sheets of them are `out/samples.png`, beside what was
/// asked for, and `out/samples-beside-real.png`, beside training radiographs, with `out/samples.md`.
///
/// # Errors
/// Options that cannot be used are found before any image is made.
pub fn evaluate_generation(
    model: &Path,
    dataset: &Path,
    wanted: &Generation,
    out: &Path,
    device: &Device,
    on_progress: &mut OnProgress,
    cancel: &CancelToken,
) -> Result<Report, EvaluateError> {
    let set = Dataset::open(dataset)?;
    let masked = asked::masks(&set, wanted.masks);
    check(wanted, masked.len())?;
    let mut room = Room::open(model, wanted, device)?;
    let held_out = set.samples(Split::Validation);
    let training = set.samples(Split::Train);
    let mut look = |name, samples: &[&Sample]| {
        let mut on_seen = |seen| on_progress(name, seen, samples.len() as u64);
        Looks::of_samples(room.classifier(), &set, samples, device, &mut on_seen, cancel)
    };
    let of_held_out = look("held-out radiographs", &held_out)?;
    let verdicts = match room.classifier() {
        Some(judge) if wanted.prompts > 0 => {
            let (labels, logits) = (judge.config().labels(), &of_held_out.logits);
            Some(Verdicts::new(labels, &held_out, logits, &wanted.findings)?)
        }
        _ => None,
    };
    let asked = match &verdicts {
        Some(verdicts) => asked::prompts(&set, &verdicts.findings(), wanted.prompts),
        None => Vec::new(),
    };
    if asked.is_empty() && wanted.prompts > 0 {
        return Err(EvaluateError::option("finding", "no radiograph of the data set shows it"));
    }
    let real = Real { held_out: of_held_out, training: look("training radiographs", &training)? };
    let mut report = evaluate(model, dataset, device)?;
    let mut groups = Vec::new();
    if let Some(verdicts) = &verdicts {
        let group = room.make("prompts", asked.clone(), None, out, on_progress, cancel)?;
        let (samples, logits) = (&group.samples, &group.looks.logits);
        report.figures.extend(verdicts.figures("", samples, logits));
        report.figures.extend(verdicts.areas("generated_", samples, logits)?);
        report.figures.extend(verdicts.figures("real_", &held_out, &real.held_out.logits));
        groups.push(group);
    }
    if let Some((segmenter, _)) = &room.segmenter {
        let conditions = conditions(&set, &masked, room.pipeline.image_size())?;
        let group = room.make("masks", masked, Some(&conditions), out, on_progress, cancel)?;
        report.figures.extend(figures::overlaps(segmenter, &set, &group, device)?);
        groups.push(group);
    }
    report.figures.extend(figures::frechet(&real, &groups)?);
    let neighbours = groups
        .iter()
        .map(|group| Neighbours::of(&group.looks, &real.training))
        .collect::<Result<Vec<_>, _>>()?;
    let of_real = Neighbours::of(&real.held_out, &real.training)?;
    report.figures.extend(figures::nearness(&neighbours, &of_real)?);
    if wanted.sheet > 0 {
        let pictures = Pictures { room: &room, set: &set, training: &training };
        pictures.write(&groups, &neighbours, wanted.sheet, out)?;
    }
    report.settings = settings(&room, &groups);
    report.notes = notes(&set, verdicts.as_ref(), &groups);
    if let Some(verdicts) = verdicts.filter(|_| !room.adapters.is_empty()) {
        room.take_off()?;
        let without = room.make("prompts-without", asked, None, out, on_progress, cancel)?;
        let (samples, logits) = (&without.samples, &without.looks.logits);
        report.figures.extend(verdicts.figures("without_", samples, logits));
        figures::kept(&mut report.figures);
    }
    Ok(report)
}

/// What can be said of options before anything is loaded; `masks` are there.
fn check(wanted: &Generation, masks: usize) -> Result<(), EvaluateError> {
    if wanted.masks > 0 && masks == 0 {
        let cause = "must be 0: the data set has no lung masks of held-out patients";
        return Err(EvaluateError::option("masks", cause));
    }
    if wanted.sheet > wanted.prompts.max(masks) {
        let cause = "must be as many as there are prompts or masks at most";
        return Err(EvaluateError::option("sheet", cause));
    }
    if wanted.steps.is_some_and(|steps| !(1..=MOST_STEPS).contains(&steps)) {
        return Err(EvaluateError::option("steps", "must lie between 1 and 1,000"));
    }
    Ok(())
}

/// The lung masks of `samples`, as a control network sees them.
fn conditions(
    set: &Dataset,
    samples: &[&Sample],
    side: usize,
) -> Result<Vec<Frame>, EvaluateError> {
    let side = side as u32;
    let one = |sample: &&Sample| {
        let pixels = set.mask_square(sample, side)?.unwrap_or_default();
        Ok(ControlKind::Mask.condition(&Frame { width: side, height: side, pixels }))
    };
    samples.iter().map(one).collect()
}
