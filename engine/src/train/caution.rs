//! What speaks against a data set before a run begins.

use rayon::prelude::*;

use super::config::{Task, TrainConfig};
use super::error::TrainError;
use crate::data::{DataError, Dataset, Sample, Split};
use crate::evaluate::truths;
use crate::model::Bundle;
use crate::quality::Fingerprint;
use crate::terms::finding;

/// Images below which a task repeats its data rather than learns from it.
///
/// For the ways of adapting it is the last column of the table in `docs/starter.md`, "How few are too few", which
/// `scripts/few-patients.sh` measures; a test holds the two together. As long as the table has no row for one, its
/// number rests on what is said here and on no measurement, as those of the others do.
fn fewest(task: Task) -> usize {
    match task {
        // Users of other trainers report noise from 50.
        Task::Lora => 100,
        // What is trained whole, and not only adapted, has more weights than it has images: an order of magnitude.
        Task::Controlnet | Task::Vae | Task::Judge | Task::Clip => 500,
        Task::Base => 1_000,
        // Three to five pictures teach a word (Gal et al., arXiv 2208.01618), and what is learned beside a frozen model
        // by as few weights is taken to need hardly more.
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

/// The warnings that a data set deserves: too small, without an image of what is to be learned, or with held-out
/// images that are also trained on. The same patient on both sides is an error already, when the set is opened.
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
    found.extend(alike(config, &train));
    found.extend(unseen(config, &train)?);
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

/// The labels of a classifier that the images to train on do not tell apart.
fn alike(config: &TrainConfig, train: &[&Sample]) -> Option<String> {
    let sizes =
        config.judge.as_ref().filter(|_| config.task == Task::Judge)?.classifier.as_ref()?;
    let labels = sizes.labels();
    let truths: Vec<_> = train.iter().map(|sample| truths(&labels, sample)).collect();
    let says = |column: usize, is: bool| truths.iter().any(|truths| truths[column] == Some(is));
    let alike: Vec<String> = (0..labels.len())
        .filter(|column| !says(*column, true) || !says(*column, false))
        .map(|column| labels[column].to_string())
        .collect();
    (!alike.is_empty()).then(|| {
        format!(
            "the images to train on are all alike, or say nothing, in {}: the judge learns nothing of it",
            alike.join(", ")
        )
    })
}

/// The findings that sample pictures are asked for, and neither the model nor an image to train on knows.
fn unseen(config: &TrainConfig, train: &[&Sample]) -> Result<Option<String>, TrainError> {
    if config.sample_prompts.is_empty() {
        return Ok(None);
    }
    let model = Bundle::open(&config.model)?;
    let known = |slug: &str| {
        let shown = train.iter().flat_map(|sample| &sample.findings);
        shown.chain(&model.card().findings).any(|known| known == slug)
    };
    let asked = config.sample_prompts.iter().flat_map(|prompt| prompt.split(','));
    let mut unseen: Vec<&str> = asked
        .filter_map(finding)
        .filter(|finding| !known(finding.slug))
        .map(|finding| finding.name)
        .collect();
    unseen.sort_unstable();
    unseen.dedup();
    Ok((!unseen.is_empty()).then(|| {
        format!(
            "sample_prompts ask for {}, which no image to train on shows: their pictures will not either",
            unseen.join(", ")
        )
    }))
}

fn prints(dataset: &Dataset, samples: &[&Sample]) -> Result<Vec<Fingerprint>, DataError> {
    samples.par_iter().map(|sample| Ok(Fingerprint::of(&dataset.frame(sample)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// Method and fewest images of every row of the table under "How few are too few".
    fn measured(page: &str) -> Vec<(Task, usize)> {
        let section = page.split("\n## ").find(|part| part.starts_with("How few are too few"));
        let rows = section.unwrap().lines().filter(|line| line.starts_with("| "));
        let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect());
        cells
            .filter(|cells: &Vec<&str>| cells[0] != "method")
            .map(|cells| {
                let task = serde_json::from_value(cells[0].into());
                let task = task.unwrap_or_else(|_| panic!("{} is no method", cells[0]));
                let fewest = cells[cells.len() - 1].parse();
                (task, fewest.unwrap_or_else(|_| panic!("{} has no fewest images", cells[0])))
            })
            .collect()
    }

    #[test]
    fn a_table_is_read_by_its_last_column() {
        let page = "# A\n\n## How few are too few\n\n| method | 8 | fewest images |\n|---|---|---|\n\
                    | lora | 12 % | 96 |\n| textual_inversion | 90 % | 12 |\n\n## B\n\n| x | y |\n";
        assert_eq!(measured(page), [(Task::Lora, 96), (Task::TextualInversion, 12)]);
    }

    #[test]
    fn what_is_warned_of_is_what_was_measured() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/starter.md");
        let measured = measured(&std::fs::read_to_string(path).unwrap());
        if measured.is_empty() {
            eprintln!("SKIPPED: docs/starter.md holds no table yet of how few are too few");
        }
        for (task, images) in measured {
            assert_eq!(fewest(task), images, "{task:?}");
        }
    }
}
