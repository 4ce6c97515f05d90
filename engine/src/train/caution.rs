//! What speaks against a data set before a run begins.

use rayon::prelude::*;

use super::config::{Task, TrainConfig};
use super::error::TrainError;
use crate::data::{DataError, Dataset, Sample, Split};
use crate::quality::Fingerprint;

/// Images below which a task repeats its data rather than learns from it.
fn fewest(task: Task) -> usize {
    match task {
        Task::Base => 1_000,
        // Users of other trainers report noise from 50.
        Task::Lora => 100,
        Task::Vae | Task::Judge | Task::Controlnet | Task::Clip => 500,
        // A concept, a style or a word is learned from a few pictures.
        Task::Concept | Task::Prefix | Task::TextualInversion => 10,
    }
}

/// Refuses a data set without a word for what learns from words.
///
/// # Errors
/// Where it has images to train on, none of them with a caption.
pub(super) fn check_captions(dataset: &Dataset) -> Result<(), TrainError> {
    let samples = dataset.samples(Split::Train);
    if samples.is_empty() || samples.iter().any(|sample| !sample.caption.trim().is_empty()) {
        return Ok(());
    }
    Err(TrainError::Config {
        field: "dataset",
        cause: "no image has a caption, and there is nothing to learn from".into(),
    })
}

/// The warnings that a data set deserves: too small, or held-out images that are also trained on. The same
/// patient on both sides is an error already, when the set is opened.
///
/// # Errors
/// Where a frame does not load.
pub(super) fn cautions(config: &TrainConfig) -> Result<Vec<String>, TrainError> {
    let dataset = Dataset::open(&config.dataset)?;
    let (train, held_out) = (dataset.samples(Split::Train), dataset.samples(Split::Validation));
    let mut found = Vec::new();
    let fewest = fewest(config.task);
    if train.len() < fewest {
        found.push(format!(
            "{} images to train on are few: below {fewest} such a training learns them by heart, or nothing",
            train.len()
        ));
    }
    let patients = |samples: &[&Sample]| {
        let mut all: Vec<&str> = samples.iter().map(|sample| sample.patient.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    if patients(&train) == 1 {
        found.push("all images to train on are of one patient: every image will be of them".into());
    }
    let (train, held_out) = (prints(&dataset, &train)?, prints(&dataset, &held_out)?);
    let twice =
        held_out.par_iter().filter(|print| train.iter().any(|other| print.is_near(other))).count();
    if twice > 0 {
        found.push(format!(
            "{twice} of {} held-out images are also trained on, or nearly: the loss on them will be too good",
            held_out.len()
        ));
    }
    Ok(found)
}

fn prints(dataset: &Dataset, samples: &[&Sample]) -> Result<Vec<Fingerprint>, DataError> {
    samples.par_iter().map(|sample| Ok(Fingerprint::of(&dataset.frame(sample)?))).collect()
}
