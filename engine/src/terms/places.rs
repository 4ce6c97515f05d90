//! Where a finding lies: sides, lobes and zones of the lungs.

use super::findings::normalised;

/// A side of the body (PS3.16 CID 244).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Laterality {
    /// The patient's left.
    Left,
    /// The patient's right.
    Right,
    /// Both sides.
    Bilateral,
}

impl Laterality {
    /// SNOMED CT code and meaning, as PS3.16 CID 244 has them.
    pub fn snomed(self) -> (&'static str, &'static str) {
        match self {
            Self::Left => ("7771000", "Left"),
            Self::Right => ("24028007", "Right"),
            Self::Bilateral => ("51440002", "Bilateral"),
        }
    }
}

/// A place that a finding may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The word in programs: `right_lower_lobe`.
    pub slug: &'static str,
    /// The words in captions: before the finding for a side (`left`), after it for a region
    /// (`in the right lower lobe`).
    pub caption: &'static str,
    /// The side, which every place has.
    pub laterality: Laterality,
    /// SNOMED CT code of the region with its meaning in PS3.16; `None` for a whole side, and where
    /// PS3.16 names no such region.
    pub region: Option<(&'static str, &'static str)>,
    /// Other words for the same place, in lower case.
    synonyms: &'static [&'static str],
}

impl Place {
    /// Every word for it, in lower case: its name, then its synonyms.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let name = self.caption.strip_prefix("in ").unwrap_or(self.caption);
        std::iter::once(name.strip_prefix("the ").unwrap_or(name))
            .chain(self.synonyms.iter().copied())
    }

    /// Whether the place is a whole side, whose word stands before the finding.
    pub fn is_side(&self) -> bool {
        !self.caption.starts_with("in ")
    }
}

const UPPER: Option<(&str, &str)> = Some(("45653009", "Upper lobe of lung"));
const MIDDLE: Option<(&str, &str)> = Some(("72481006", "Middle lobe of right lung"));
const LOWER: Option<(&str, &str)> = Some(("90572001", "Lower lobe of lung"));
const APEX: Option<(&str, &str)> = Some(("86598002", "Apex of Lung"));
const HILUM: Option<(&str, &str)> = Some(("46750007", "Hilum of lung"));

const fn entry(
    slug: &'static str,
    caption: &'static str,
    laterality: Laterality,
    region: Option<(&'static str, &'static str)>,
    synonyms: &'static [&'static str],
) -> Place {
    Place { slug, caption, laterality, region, synonyms }
}

use Laterality::{Bilateral, Left, Right};

/// In the order in which captions name several places of one finding.
static PLACES: [Place; 18] = [
    entry("bilateral", "bilateral", Bilateral, None, &["both", "both sides"]),
    entry("right", "right", Right, None, &["right lung"]),
    entry("left", "left", Left, None, &["left lung"]),
    entry("right_upper_lobe", "in the right upper lobe", Right, UPPER, &["rul"]),
    entry("right_middle_lobe", "in the right middle lobe", Right, MIDDLE, &["rml"]),
    entry("right_lower_lobe", "in the right lower lobe", Right, LOWER, &["rll"]),
    entry("left_upper_lobe", "in the left upper lobe", Left, UPPER, &["lul"]),
    entry("lingula", "in the lingula", Left, None, &[]),
    entry("left_lower_lobe", "in the left lower lobe", Left, LOWER, &["lll"]),
    entry("right_apex", "in the right apex", Right, APEX, &["right apical"]),
    entry("left_apex", "in the left apex", Left, APEX, &["left apical"]),
    entry("both_apices", "in both apices", Bilateral, APEX, &["biapical"]),
    entry("right_base", "in the right base", Right, None, &["right basal"]),
    entry("left_base", "in the left base", Left, None, &["left basal"]),
    entry("both_bases", "in both bases", Bilateral, None, &["bibasal", "bibasilar"]),
    entry("right_hilum", "in the right hilum", Right, HILUM, &["right hilar"]),
    entry("left_hilum", "in the left hilum", Left, HILUM, &["left hilar"]),
    entry("both_hila", "in both hila", Bilateral, HILUM, &["bihilar"]),
];

/// Every place that a finding may have.
pub fn places() -> &'static [Place] {
    &PLACES
}

/// The place of a word: its slug or a synonym. Case does not matter; `_`, `-` and runs of spaces
/// are one space.
pub fn place(word: &str) -> Option<&'static Place> {
    let word = normalised(word);
    PLACES
        .iter()
        .find(|place| normalised(place.slug) == word || place.synonyms.contains(&word.as_str()))
}

/// The place of a side's and a region's SNOMED CT codes, where they name one place and no other.
pub fn place_of(laterality: &str, region: Option<&str>) -> Option<&'static Place> {
    PLACES.iter().filter(|place| place.is_side() || place.region.is_some()).find(|place| {
        place.laterality.snomed().0 == laterality && place.region.map(|(code, _)| code) == region
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_word_finds_its_place_and_no_other() {
        let mut words = HashSet::new();
        for entry in places() {
            assert!(words.insert(entry.slug.replace('_', " ")));
            assert_eq!(place(entry.slug), Some(entry));
            assert_eq!(place(&entry.slug.to_uppercase()), Some(entry));
            for synonym in entry.synonyms {
                assert!(words.insert((*synonym).to_owned()), "{synonym} stands twice");
                assert_eq!(place(synonym), Some(entry));
            }
        }
        assert_eq!(place("left foot"), None);
        assert_eq!(place(""), None);
    }

    #[test]
    fn codes_lead_back_to_the_place() {
        for entry in places() {
            let (side, region) = (entry.laterality.snomed().0, entry.region.map(|(code, _)| code));
            let found = place_of(side, region).unwrap();
            // Without a code for its region a place is known by its side alone.
            let exact = entry.is_side() || entry.region.is_some();
            assert_eq!(found == entry, exact, "{}", entry.slug);
            assert_eq!(found.laterality, entry.laterality);
        }
        assert_eq!(place_of("24028007", Some("1")), None);
        assert_eq!(place_of("1", None), None);
    }

    #[test]
    fn codes_are_those_of_ps3_16() {
        // From pydicom 3.0's concept dictionary, which is made from PS3.16.
        for (slug, side, region) in [
            ("left", "7771000", None),
            ("bilateral", "51440002", None),
            ("right_upper_lobe", "24028007", Some("45653009")),
            ("right_middle_lobe", "24028007", Some("72481006")),
            ("left_lower_lobe", "7771000", Some("90572001")),
            ("left_apex", "7771000", Some("86598002")),
            ("right_hilum", "24028007", Some("46750007")),
        ] {
            let place = place(slug).unwrap();
            assert_eq!(place.laterality.snomed().0, side);
            assert_eq!(place.region.map(|(code, _)| code), region);
        }
    }
}
