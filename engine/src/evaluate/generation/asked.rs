//! What a model is asked for: prompts, and lung masks to follow.

use std::collections::BTreeMap;

use crate::data::{Dataset, Sample, Split};
use crate::evaluate::classifier::shows;
use crate::terms::{AgeGroup, Sex};

/// Radiographs of a kind in the data set below which a model can hardly have learned it.
pub(super) const LEAST_OF_A_KIND: usize = 20;

/// By what kinds of radiographs differ, beside the finding.
const KINDS: [fn(&Sample) -> String; 3] = [
    |sample| sample.age_group.map(AgeGroup::word).unwrap_or_default().to_owned(),
    |sample| sample.sex.and_then(Sex::word).unwrap_or_default().to_owned(),
    |sample| sample.view_position.clone().unwrap_or_default(),
];

/// Samples of the data set whose captions are asked for, `count` of them: each of `findings` as often, within a
/// finding each age group, within that each sex, within that each view; within a kind, captions are as frequent as
/// in the data set. The first are the same for every `count`.
///
/// A kind of fewer than [`LEAST_OF_A_KIND`] radiographs is left out, where the finding has a larger one.
pub(super) fn prompts<'a>(
    dataset: &'a Dataset,
    findings: &[String],
    count: usize,
) -> Vec<&'a Sample> {
    let all = || [Split::Train, Split::Validation].into_iter().flat_map(|s| dataset.samples(s));
    let of_finding = |slug: &String| {
        let shown: Vec<&Sample> =
            all().filter(|sample| shows(sample, slug) == Some(true)).collect();
        let kind = |sample: &Sample| KINDS.map(|of| of(sample));
        let mut sizes: BTreeMap<[String; 3], usize> = BTreeMap::new();
        for sample in &shown {
            *sizes.entry(kind(sample)).or_default() += 1;
        }
        let common = |sample: &&&Sample| sizes[&kind(sample)] >= LEAST_OF_A_KIND;
        let kept: Vec<&Sample> = shown.iter().filter(common).copied().collect();
        dealt(if kept.is_empty() { shown } else { kept }, &KINDS)
    };
    let hand = Hand::Among(findings.iter().filter_map(of_finding).collect());
    (0..count).filter_map(|number| hand.at(number)).collect()
}

/// Samples of held-out patients whose lung masks are asked for, `count` at most.
pub(super) fn masks(dataset: &Dataset, count: usize) -> Vec<&Sample> {
    let with_mask = |sample: &&Sample| sample.mask_sha256.is_some();
    dataset.samples(Split::Validation).into_iter().filter(with_mask).take(count).collect()
}

/// Samples that are dealt in turns.
enum Hand<'a> {
    Samples(Vec<&'a Sample>),
    Among(Vec<Hand<'a>>),
}

impl<'a> Hand<'a> {
    /// The sample in turn `number`, counted from 0; over and over again.
    fn at(&self, number: usize) -> Option<&'a Sample> {
        match self {
            Self::Samples(samples) => samples.get(number.checked_rem(samples.len())?).copied(),
            Self::Among(hands) => {
                let hand = hands.get(number.checked_rem(hands.len())?)?;
                hand.at(number / hands.len())
            }
        }
    }
}

/// `samples` by the first of `kinds`, within each by the next; none where there are no samples.
fn dealt<'a>(samples: Vec<&'a Sample>, kinds: &[fn(&Sample) -> String]) -> Option<Hand<'a>> {
    if samples.is_empty() {
        return None;
    }
    let Some((kind, rest)) = kinds.split_first() else { return Some(Hand::Samples(samples)) };
    let mut groups: BTreeMap<String, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        groups.entry(kind(sample)).or_default().push(sample);
    }
    Some(Hand::Among(groups.into_values().filter_map(|group| dealt(group, rest)).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::tests::small_set;

    #[test]
    fn prompts_are_dealt_by_finding() {
        let (_keep, folder) = small_set();
        let dataset = Dataset::open(folder).unwrap();
        let findings = ["normal", "effusion"].map(str::to_owned);
        let asked = prompts(&dataset, &findings, 16);
        assert_eq!(asked.len(), 16);
        for (number, sample) in asked.iter().enumerate() {
            assert_eq!(shows(sample, &findings[number % 2]), Some(true), "{number}");
        }
        let ids = |asked: &[&Sample]| asked.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&prompts(&dataset, &findings, 5)), ids(&asked)[..5]);
        assert!(prompts(&dataset, &["hernia".to_owned()], 3).is_empty());
        assert!(masks(&dataset, 3).is_empty());
    }

    #[test]
    fn within_a_finding_kinds_take_turns_however_many_there_are_of_each() {
        let of = |patient: &str, age_group, sex| Sample {
            id: "00".into(),
            caption: String::new(),
            split: Split::Train,
            patient: patient.into(),
            findings: vec!["normal".into()],
            age_group: Some(age_group),
            age_years: None,
            sex,
            view_position: None,
            width: 1,
            height: 1,
            synthetic: false,
            sha256: String::new(),
            mask_sha256: None,
        };
        let (adult, child) = (AgeGroup::Adult, AgeGroup::Child);
        let mut all: Vec<Sample> = (0..9).map(|n| of(&format!("c{n}"), child, None)).collect();
        all.push(of("f", adult, Some(Sex::Female)));
        all.push(of("m", adult, Some(Sex::Male)));
        let hand = dealt(all.iter().collect(), &KINDS).unwrap();
        let order: Vec<&str> = (0..8).map(|turn| hand.at(turn).unwrap().patient.as_str()).collect();
        assert_eq!(order, ["f", "c0", "m", "c1", "f", "c2", "m", "c3"]);
        assert!(dealt(Vec::new(), &KINDS).is_none());
    }
}
