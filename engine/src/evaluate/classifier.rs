//! How well a classifier tells radiographs apart.

use candle_core::Device;

use super::{BATCH, EvaluateError, Figures};
use crate::data::{Dataset, Images, Sample, Split};
use crate::metric;
use crate::model::{Classifier, Label};
use crate::terms::{AgeGroup, NORMAL, Sex};

/// Held-out radiographs with and without a finding that its area needs to count in the mean: of fewer it is hardly
/// more than chance.
const LEAST: usize = 5;
/// Kinds of pneumonia that one source tells apart and the other does not.
const KINDS: [&str; 2] = ["bacterial_pneumonia", "viral_pneumonia"];

/// What is known of a radiograph for each label; `None` where its source does not say.
///
/// The vocabulary joins two tables (`terms::findings`). Where a kind of pneumonia is named, the fourteen other words
/// were not asked for; where pneumonia alone is named, its kind was not.
pub fn truths(labels: &[Label], sample: &Sample) -> Vec<Option<bool>> {
    labels
        .iter()
        .map(|label| match label {
            Label::Finding(slug) => shows(sample, slug),
            Label::Adult => sample.age_group.map(|group| group == AgeGroup::Adult),
            Label::Female => match sample.sex? {
                Sex::Female => Some(true),
                Sex::Male => Some(false),
                Sex::Other => None,
            },
            Label::View(code) => sample.view_position.as_ref().map(|view| view == code),
        })
        .collect()
}

/// Whether a radiograph shows the finding `slug`; `None` where its source does not say.
pub(super) fn shows(sample: &Sample, slug: &str) -> Option<bool> {
    let named = |slug: &str| sample.findings.iter().any(|finding| finding == slug);
    let kind_is_named = KINDS.into_iter().any(named);
    if named(slug) || (slug == "pneumonia" && kind_is_named) {
        return Some(true);
    }
    if named(NORMAL) || slug == NORMAL {
        return Some(false);
    }
    if KINDS.contains(&slug) {
        // Without pneumonia there is none of its kinds.
        return (kind_is_named || !named("pneumonia")).then_some(false);
    }
    (!kind_is_named).then_some(false)
}

/// The area under the curve of each label that has radiographs on both sides, `auroc_<label>`, and the mean over
/// findings that have five or more on either side, `auroc_findings`. Of a finding that has five or more, and as many
/// that are normal, also how well it parts these two alone, `auroc_<label>_against_normal`.
///
/// `truths` and `logits` have a row for each radiograph, in the order of `labels`.
///
/// # Errors
/// Where a logit is NaN.
pub fn areas(
    labels: &[Label],
    truths: &[Vec<Option<bool>>],
    logits: &[Vec<f32>],
) -> Result<Figures, EvaluateError> {
    let mut figures = Figures::new();
    let mut counted = Vec::new();
    for (column, label) in labels.iter().enumerate() {
        let known = truths
            .iter()
            .zip(logits)
            .filter_map(|(truths, logits)| Some((*logits.get(column)?, (*truths.get(column)?)?)));
        let (scores, positive): (Vec<f32>, Vec<bool>) = known.unzip();
        if scores.is_empty() {
            continue;
        }
        let Some(area) = metric::auroc(&scores, &positive)? else { continue };
        let positives = positive.iter().filter(|positive| **positive).count();
        let fewest = positives.min(positive.len() - positives);
        if matches!(label, Label::Finding(_)) && fewest >= LEAST {
            counted.push(area);
        }
        figures.insert(format!("auroc_{label}"), area);
        if let Some(area) = against_normal(labels, column, truths, logits)? {
            figures.insert(format!("auroc_{label}_against_normal"), area);
        }
    }
    if !counted.is_empty() {
        let mean = counted.iter().sum::<f64>() / counted.len() as f64;
        figures.insert("auroc_findings".to_owned(), mean);
    }
    Ok(figures)
}

/// How well the logits of a finding part radiographs that show it from normal ones, others left out.
fn against_normal(
    labels: &[Label],
    column: usize,
    truths: &[Vec<Option<bool>>],
    logits: &[Vec<f32>],
) -> Result<Option<f64>, EvaluateError> {
    let is_normal = |label: &Label| matches!(label, Label::Finding(slug) if slug == NORMAL);
    let normal = labels.iter().position(is_normal);
    let (Some(normal), Label::Finding(_)) = (normal, &labels[column]) else { return Ok(None) };
    if normal == column {
        return Ok(None);
    }
    let (mut scores, mut positive) = (Vec::new(), Vec::new());
    for (truths, logits) in truths.iter().zip(logits) {
        let shown = truths[column] == Some(true);
        if shown || truths[normal] == Some(true) {
            scores.push(logits[column]);
            positive.push(shown);
        }
    }
    let positives = positive.iter().filter(|shown| **shown).count();
    if positives.min(positive.len() - positives) < LEAST {
        return Ok(None);
    }
    Ok(metric::auroc(&scores, &positive)?)
}

/// The figures of [`areas`] on the held-out patients of a data set.
///
/// # Errors
/// Where an image does not load, or none is held out.
pub fn classifier(
    classifier: &Classifier,
    dataset: &Dataset,
    device: &Device,
) -> Result<Figures, EvaluateError> {
    let labels = classifier.config().labels();
    let size = classifier.config().sample_size;
    let images = Images::load(dataset, Split::Validation, size, usize::MAX)?;
    let truths: Vec<_> = dataset
        .samples(Split::Validation)
        .into_iter()
        .map(|sample| truths(&labels, sample))
        .collect();
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut logits = Vec::new();
    for indices in indices.chunks(BATCH) {
        logits.extend(classifier.forward(&images.tensor(indices, device)?)?.to_vec2::<f32>()?);
    }
    areas(&labels, &truths, &logits)
}
