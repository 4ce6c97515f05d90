//! A part of a data set as a data set of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::Utc;

use super::build::{pending, write_texts};
use super::split::keyed;
use super::{Card, Counts, DataError, Dataset, Sample, Split};

/// Copies the samples of `dataset` that `keep` says into the new folder `out`, under the name `name`. Each keeps its
/// patient's side of the split, so that nobody who is held out of the one is trained on in the other.
///
/// # Errors
/// Where `out` holds something, the name is empty, a file cannot be copied, or one side of the split is left without
/// a sample; no folder is left then.
pub fn select(
    dataset: &Dataset,
    name: &str,
    keep: &dyn Fn(&Sample) -> bool,
    out: &Path,
) -> Result<Card, DataError> {
    if name.trim().is_empty() {
        return Err(DataError::Option { option: "name", cause: "empty".to_owned() });
    }
    let samples: Vec<Sample> =
        dataset.all().iter().filter(|sample| keep(sample)).cloned().collect();
    for (split, word) in [(Split::Train, "train on"), (Split::Validation, "validate with")] {
        if !samples.iter().any(|sample| sample.split == split) {
            let cause = format!("no sample to {word} is as wanted");
            return Err(DataError::Sources { cause });
        }
    }
    let folder = pending(out)?;
    let copy = |inside: &str, sample: &Sample, what| {
        let file = Path::new(inside).join(format!("{}.png", sample.id));
        fs::copy(dataset.folder().join(&file), folder.path().join(&file))
            .map(drop)
            .map_err(DataError::io(what))
    };
    let masks = samples.iter().any(|sample| sample.mask_sha256.is_some()).then_some("masks");
    for inside in ["frames"].into_iter().chain(masks) {
        fs::create_dir(folder.path().join(inside))
            .map_err(DataError::io("a folder of pictures"))?;
    }
    for sample in &samples {
        copy("frames", sample, "a frame")?;
        if sample.mask_sha256.is_some() {
            copy("masks", sample, "a mask")?;
        }
    }
    let mut card = Card {
        name: name.trim().to_owned(),
        created: Utc::now(),
        engine_version: crate::VERSION.to_owned(),
        synthetic: false,
        samples: Counts::default(),
        patients: Counts::default(),
        findings: [].into(),
        age_groups: [].into(),
        sexes: [].into(),
        view_positions: [].into(),
        masks: Counts::default(),
        ..dataset.card().clone()
    };
    card.count(&samples);
    write_texts(folder.path(), &card, &samples).map_err(DataError::io("card and manifest"))?;
    folder.publish().map_err(DataError::io("the data set's folder"))?;
    Ok(card)
}

/// `count` of the patients to train on of whom `keep` keeps a sample, drawn by `seed`; fewer are among more.
///
/// # Errors
/// Where there are not so many, or none are wanted.
pub fn some_patients(
    dataset: &Dataset,
    keep: &dyn Fn(&Sample) -> bool,
    count: usize,
    seed: u64,
) -> Result<BTreeSet<String>, DataError> {
    let samples = dataset.samples(Split::Train).into_iter().filter(|sample| keep(sample));
    let order: BTreeMap<[u8; 32], &String> =
        samples.map(|sample| (keyed(seed, &sample.patient), &sample.patient)).collect();
    if !(1..=order.len()).contains(&count) {
        let cause = format!("must lie between 1 and {}, the patients to train on", order.len());
        return Err(DataError::Option { option: "patients", cause });
    }
    Ok(order.into_values().take(count).cloned().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::tests::small_set_with_masks;
    use crate::terms::AgeGroup;

    #[test]
    fn a_part_keeps_its_pictures_and_its_side_of_the_split() {
        let (keep, folder) = small_set_with_masks();
        let whole = Dataset::open(folder).unwrap();
        let out = keep.path().join("children");
        let child = |sample: &Sample| sample.age_group == Some(AgeGroup::Child);
        let card = select(&whole, "children", &child, &out).unwrap();
        let part = Dataset::open(&out).unwrap();
        assert_eq!(part.card(), &card);
        assert_eq!(card.name, "children");
        assert_eq!((card.licence.as_str(), card.attribution.as_str()), ("CC0", "nobody"));
        assert_eq!((card.samples.total(), card.masks.total()), (8, 8));
        assert_eq!(card.age_groups.keys().collect::<Vec<_>>(), ["child"]);
        for split in [Split::Train, Split::Validation] {
            let expected: Vec<&Sample> =
                whole.samples(split).into_iter().filter(|sample| child(sample)).collect();
            assert_eq!(part.samples(split), expected);
            for sample in expected {
                assert_eq!(part.frame(sample).unwrap(), whole.frame(sample).unwrap());
                assert_eq!(part.mask(sample).unwrap(), whole.mask(sample).unwrap());
            }
        }
        let none = keep.path().join("none");
        let error = select(&whole, "none", &|_| false, &none).unwrap_err().to_string();
        assert!(error.contains("no sample to train on"), "{error}");
        assert!(select(&whole, " ", &child, &none).is_err() && !none.exists());
        assert!(select(&whole, "again", &child, &out).is_err());
    }

    #[test]
    fn fewer_patients_are_among_more() {
        let (_keep, folder) = small_set_with_masks();
        let whole = Dataset::open(folder).unwrap();
        let some = |count, seed| some_patients(&whole, &|_| true, count, seed);
        let patients: BTreeSet<&String> =
            whole.samples(Split::Train).into_iter().map(|sample| &sample.patient).collect();
        let all = patients.len();
        assert!(all > 3);
        for count in 1..=all {
            let drawn = some(count, 1).unwrap();
            assert_eq!(drawn.len(), count);
            assert!(drawn.iter().all(|patient| patients.contains(patient)));
            assert!(count == all || drawn.is_subset(&some(count + 1, 1).unwrap()));
        }
        assert!((2..9).any(|seed| some(2, seed).unwrap() != some(2, 1).unwrap()));
        for count in [0, all + 1] {
            assert!(some(count, 1).unwrap_err().to_string().starts_with("patients: "), "{count}");
        }
        let none = some_patients(&whole, &|_| false, 1, 1).unwrap_err().to_string();
        assert!(none.starts_with("patients: "), "{none}");
    }
}
