//! Figures of generated images beside real ones.

use candle_core::Device;

use super::looks::{Looks, Nearest, images};
use super::{Group, Real};
use crate::data::{Dataset, Images, Masks};
use crate::evaluate::segmenter::overlap;
use crate::evaluate::{BATCH, EvaluateError, Figures};
use crate::metric::{frechet_distance, quantile};
use crate::model::Segmenter;

/// An image keeps to its mask where the two overlap by this or more.
const KEPT_TO: f64 = 0.9;
/// The share of real radiographs that are nearer to a training image than what counts as near.
pub(super) const NEAR: f64 = 0.01;

/// How far generated images keep to the masks that were asked for: Dice's coefficient of each mask with the lungs
/// that the segmenter finds in its image, `mask_dice` in the mean, and in a few quantiles; of the mask with the image
/// of the next, by which lungs are alike whatever is asked for; and of the masks with the radiographs that they are of.
pub(super) fn overlaps(
    segmenter: &Segmenter,
    set: &Dataset,
    group: &Group,
    device: &Device,
) -> Result<Figures, EvaluateError> {
    let size = segmenter.config().sample_size;
    let (masks, radiographs) =
        (Masks::of(set, &group.samples, size)?, Images::of(set, &group.samples, size)?);
    let count = group.samples.len();
    let places: Vec<usize> = (0..count).collect();
    let (mut led, mut of_another, mut real) = (Vec::new(), Vec::new(), Vec::new());
    for places in places.chunks(BATCH) {
        let frames = &group.frames[places[0]..=places[places.len() - 1]];
        let asked = masks.tensor(places, device)?;
        let found = segmenter.forward(&images(frames, size, device)?)?;
        led.extend(overlap(&found, &asked)?);
        let next: Vec<usize> = places.iter().map(|place| (place + 1) % count).collect();
        of_another.extend(overlap(&found, &masks.tensor(&next, device)?)?);
        let found = segmenter.forward(&radiographs.tensor(places, device)?)?;
        real.extend(overlap(&found, &asked)?);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let kept = led.iter().filter(|dice| **dice >= KEPT_TO).count() as f64;
    let mut figures = Figures::from([
        ("mask_dice".to_owned(), mean(&led)),
        ("mask_dice_below_0.9".to_owned(), 1.0 - kept / count as f64),
        ("mask_dice_of_another".to_owned(), mean(&of_another)),
        ("real_mask_dice".to_owned(), mean(&real)),
    ]);
    for share in [0.05, 0.25, 0.5] {
        figures.insert(format!("mask_dice_quantile_{share}"), quantile(&led, share)?);
    }
    Ok(figures)
}

/// Squared Fréchet distances to held-out radiographs, in the judge's features: of each group of images, and, to
/// compare with, of as many training radiographs as there are held-out ones. Nothing without a judge.
pub(super) fn frechet(real: &Real, groups: &[Group]) -> Result<Figures, EvaluateError> {
    let mut figures = Figures::new();
    let count = real.held_out.len();
    // A single image has no spread.
    if count < 2 {
        return Ok(figures);
    }
    let others = groups.iter().map(|group| (group.name, &group.looks, usize::MAX));
    for (name, looks, limit) in others.chain([("training", &real.training, count)]) {
        if looks.len() < 2 {
            continue;
        }
        if let Some((own, held_out)) = looks.gaussian(limit)?.zip(real.held_out.gaussian(count)?) {
            figures.insert(format!("frechet_{name}"), frechet_distance(&own, &held_out)?);
        }
    }
    Ok(figures)
}

/// The nearest training image of each of some images, by their pixels and by the judge's features.
pub(super) struct Neighbours {
    pub(super) by_pixels: Vec<Nearest>,
    pub(super) by_features: Option<Vec<Nearest>>,
}

impl Neighbours {
    pub(super) fn of(looks: &Looks, training: &Looks) -> Result<Self, EvaluateError> {
        Ok(Self {
            by_pixels: looks.nearest_by_pixels(training)?,
            by_features: looks.nearest_by_features(training)?,
        })
    }

    /// By the judge's features, where there is a judge.
    pub(super) fn best(&self) -> &[Nearest] {
        self.by_features.as_deref().unwrap_or(&self.by_pixels)
    }
}

/// How near generated images are to training images, and held-out radiographs to these: `nearest_…` are medians of
/// the distances to the nearest; `memorised_…` is the share of generated images that are nearer to a training image
/// than all but the share [`NEAR`] of held-out radiographs are.
pub(super) fn nearness(
    generated: &[Neighbours],
    real: &Neighbours,
) -> Result<Figures, EvaluateError> {
    type Of = fn(&Neighbours) -> &[Nearest];
    let kinds: [(&str, Of); 2] = [
        ("pixels", |neighbours| &neighbours.by_pixels),
        ("features", |neighbours| neighbours.by_features.as_deref().unwrap_or_default()),
    ];
    let mut figures = Figures::new();
    for (kind, of) in kinds {
        let distances = |all: &[Nearest]| all.iter().map(|one| one.distance).collect::<Vec<_>>();
        let of_real = distances(of(real));
        let of_generated: Vec<f64> =
            generated.iter().flat_map(|group| distances(of(group))).collect();
        if of_real.is_empty() || of_generated.is_empty() {
            continue;
        }
        let near = quantile(&of_real, NEAR)?;
        let nearer = of_generated.iter().filter(|distance| **distance < near).count();
        let median = |values: &[f64]| quantile(values, 0.5);
        figures.insert(format!("nearest_generated_{kind}"), median(&of_generated)?);
        figures.insert(format!("nearest_real_{kind}"), median(&of_real)?);
        let share = nearer as f64 / of_generated.len() as f64;
        figures.insert(format!("memorised_{kind}"), share);
    }
    Ok(figures)
}

/// What is still recognised with what was put on the model, as a share of what is without it, 1 at most:
/// `kept_recognised…` of every `without_recognised…`.
pub(super) fn kept(figures: &mut Figures) {
    let shares: Vec<(String, f64)> = figures
        .iter()
        .filter_map(|(name, before)| {
            let name =
                name.strip_prefix("without_").filter(|name| name.starts_with("recognised"))?;
            let after = figures.get(name)?;
            (*before > 0.0).then(|| (format!("kept_{name}"), (after / before).min(1.0)))
        })
        .collect();
    figures.extend(shares);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_image_is_memorised_that_is_nearer_than_real_ones_are() {
        let at = |distances: &[f64]| Neighbours {
            by_pixels: distances.iter().map(|d| Nearest { place: 0, distance: *d }).collect(),
            by_features: None,
        };
        let real: Vec<f64> = (0..=100).map(|n| 0.1 + 0.01 * f64::from(n)).collect();
        // One in a hundred of the real ones is nearer than 0.11.
        let figures = nearness(&[at(&[0.05, 0.3]), at(&[0.5, 0.12])], &at(&real)).unwrap();
        assert_eq!(figures.len(), 3, "{figures:?}");
        assert!((figures["memorised_pixels"] - 0.25).abs() < 1e-12, "{figures:?}");
        assert!((figures["nearest_real_pixels"] - 0.6).abs() < 1e-9, "{figures:?}");
        assert!((figures["nearest_generated_pixels"] - 0.21).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn what_is_kept_is_what_is_still_recognised() {
        let mut figures = Figures::from(
            [("recognised", 0.6), ("without_recognised", 0.8), ("recognised_normal", 0.9)]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        figures.insert("without_recognised_normal".into(), 0.5);
        figures.insert("without_recognised_edema".into(), 0.5);
        figures.insert("without_agreement_adult".into(), 0.5);
        kept(&mut figures);
        assert!((figures["kept_recognised"] - 0.75).abs() < 1e-12);
        assert!((figures["kept_recognised_normal"] - 1.0).abs() < 1e-12);
        assert_eq!(figures.len(), 8, "{figures:?}");
    }
}
