//! What a report says beside its figures: with what it was measured, and what the figures mean.

use std::collections::BTreeMap;

use super::Group;
use super::asked::LEAST_OF_A_KIND;
use super::figures::NEAR;
use super::judged::{LEAST_AREA, LEAST_RADIOGRAPHS, Verdicts};
use super::looks::SIDE;
use super::room::Room;
use crate::data::Dataset;
use crate::evaluate::classifier::shows;
use crate::model::ModelCard;

/// With what images were made and measured.
pub(super) fn settings(room: &Room, groups: &[Group]) -> BTreeMap<String, String> {
    let named = |card: &ModelCard| format!("{} ({})", card.name, card.weights_sha256);
    let mut settings = BTreeMap::from([
        ("steps".to_owned(), room.steps.to_string()),
        ("guidance scale".to_owned(), room.guidance_scale.to_string()),
        ("scheduler".to_owned(), room.pipeline.scheduler().class_name().to_owned()),
        ("first seed".to_owned(), room.seed.to_string()),
    ]);
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    if let Some((_, card)) = &room.judge {
        set("judge", named(card));
    }
    if let Some((_, card)) = &room.segmenter {
        set("segmenter", named(card));
        let hashes = room.pipeline.control_hashes();
        set("control network", hashes.get(room.mask_network).cloned().unwrap_or_default());
    }
    for adapter in &room.adapters {
        let words = format!("scale {} ({})", adapter.scale, adapter.sha256);
        set(&format!("adapter {}", adapter.name), words);
    }
    for group in groups {
        set(group.name, group.frames.len().to_string());
        if let Some(seconds) = group.seconds {
            set(&format!("seconds an image, {}", group.name), format!("{seconds:.2}"));
        }
    }
    settings
}

/// What the figures mean.
pub(super) fn notes(set: &Dataset, verdicts: Option<&Verdicts>, groups: &[Group]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(verdicts) = verdicts {
        let asked: Vec<String> = verdicts.findings();
        let counts = asked.iter().map(|slug| {
            let of = |group: &&Group| group.name == "prompts";
            let samples = groups.iter().filter(of).flat_map(|group| &group.samples);
            let count = samples.filter(|sample| shows(sample, slug) == Some(true)).count();
            format!("{slug} ({count} prompts)")
        });
        let counts = counts.collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "asked for: {counts}. Each finding equally often, within it each age group, sex and view that \
             {LEAST_OF_A_KIND} radiographs of the data set or more have. Unless findings are named, they are those \
             that the judge parts on held-out radiographs with an area under the curve of {LEAST_AREA} or more, \
             over {LEAST_RADIOGRAPHS} or more of either side."
        ));
        notes.push(
            "recognised: the share of images in which the judge sees every finding asked for. It sees one where its \
             logit lies above the threshold that parts held-out radiographs best (Youden's index). real_… is the \
             same of held-out radiographs: what the judge itself can do. agreement_… is the share in which it sees \
             the age group, the sex or the view asked for. generated_auroc_… are areas under the curve over the \
             images, by what was asked for."
                .into(),
        );
    }
    if groups.iter().any(|group| group.name == "masks") {
        notes.push(
            "mask_dice: Dice's coefficient of the lung mask asked for and the lungs that the segmenter finds in the \
             image, which is made from the caption and the mask of a held-out radiograph. …_of_another is with the \
             mask of the next image: what lungs have in common. real_mask_dice is of the segmenter on the \
             radiographs themselves."
                .into(),
        );
    }
    notes.push(format!(
        "frechet_…: squared Fréchet distance in the judge's features to the held-out radiographs of {}; training is \
         that of as many training radiographs. Few images make it larger.",
        set.card().name
    ));
    notes.push(format!(
        "nearest_…: median distance to the nearest training radiograph, by pixels (1 − correlation at {SIDE} × \
         {SIDE}) and by the judge's features (1 − cosine). memorised_…: the share of images that are nearer to one \
         than {NEAR} of held-out radiographs are; about as much is chance."
    ));
    notes
}
