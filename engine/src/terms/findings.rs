//! The vocabulary of findings.
//!
//! It joins the fourteen words of ChestX-ray8 and its extension (Wang et al., CVPR 2017) to the two
//! kinds of pneumonia that the paediatric set of Kermany et al. tells apart, and to `normal`.

use serde::Serialize;

/// Something that a radiograph shows, or that it shows nothing amiss.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The word in programs: `bacterial_pneumonia`.
    pub slug: &'static str,
    /// The words in captions and pages: `bacterial pneumonia`.
    pub name: &'static str,
    /// SNOMED CT code, where one fits the word exactly.
    pub snomed: Option<&'static str>,
    /// SNOMED CT's own words for that code, or ours where there is none.
    pub meaning: &'static str,
    /// Other words that label tables use for the same finding, in lower case.
    #[serde(skip)]
    synonyms: &'static [&'static str],
}

const fn coded(
    slug: &'static str,
    name: &'static str,
    snomed: &'static str,
    meaning: &'static str,
    synonyms: &'static [&'static str],
) -> Finding {
    Finding { slug, name, snomed: Some(snomed), meaning, synonyms }
}

impl Finding {
    /// Every word for it, in lower case: its name, then its synonyms.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.synonyms.iter().copied())
    }
}

/// The finding that excludes every other.
pub const NORMAL: &str = "normal";

/// In the order in which captions name them.
static FINDINGS: [Finding; 17] = [
    coded(NORMAL, "normal", "17621005", "Normal", &["no finding", "no findings"]),
    coded("pneumonia", "pneumonia", "233604007", "Pneumonia", &[]),
    coded(
        "bacterial_pneumonia",
        "bacterial pneumonia",
        "53084003",
        "Bacterial pneumonia",
        &["pneumonia bacterial", "bacteria"],
    ),
    coded(
        "viral_pneumonia",
        "viral pneumonia",
        "75570004",
        "Viral pneumonia",
        &["pneumonia viral", "virus"],
    ),
    coded("atelectasis", "atelectasis", "46621007", "Atelectasis", &[]),
    coded("cardiomegaly", "cardiomegaly", "8186001", "Cardiomegaly", &[]),
    coded("effusion", "effusion", "60046008", "Pleural effusion", &["pleural effusion"]),
    coded(
        "infiltration",
        "infiltration",
        "409609008",
        "Radiologic infiltrate of lung",
        &["infiltrate", "infiltrates"],
    ),
    coded("mass", "mass", "309529002", "Lung mass", &["lung mass"]),
    coded(
        "nodule",
        "nodule",
        "786838002",
        "Pulmonary nodule",
        &["pulmonary nodule", "lung nodule"],
    ),
    coded("pneumothorax", "pneumothorax", "36118008", "Pneumothorax", &[]),
    coded(
        "consolidation",
        "consolidation",
        "95436008",
        "Lung consolidation",
        &["lung consolidation"],
    ),
    coded("edema", "edema", "19242006", "Pulmonary edema", &["oedema", "pulmonary edema"]),
    coded("emphysema", "emphysema", "87433001", "Pulmonary emphysema", &[]),
    coded("fibrosis", "fibrosis", "51615001", "Fibrosis of lung", &["pulmonary fibrosis"]),
    Finding {
        slug: "pleural_thickening",
        name: "pleural thickening",
        snomed: None,
        meaning: "Pleural thickening",
        synonyms: &[],
    },
    coded("hernia", "hernia", "39839004", "Diaphragmatic hernia", &["diaphragmatic hernia"]),
];

/// Every finding that a prompt or a label table may name, in the order of captions.
pub fn findings() -> &'static [Finding] {
    &FINDINGS
}

/// The finding of a word: its slug, its name or a synonym. Case does not matter; `_`, `-` and
/// runs of spaces are one space.
pub fn finding(word: &str) -> Option<&'static Finding> {
    let word = normalised(word);
    FINDINGS
        .iter()
        .find(|finding| finding.name == word || finding.synonyms.contains(&word.as_str()))
}

/// The finding of a SNOMED CT code.
pub fn finding_by_code(snomed: &str) -> Option<&'static Finding> {
    FINDINGS.iter().find(|finding| finding.snomed == Some(snomed))
}

/// In lower case, `_`, `-` and runs of spaces as one space.
pub(super) fn normalised(word: &str) -> String {
    word.to_lowercase()
        .split(|c: char| c.is_whitespace() || c == '_' || c == '-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_word_finds_its_finding_and_no_other() {
        let mut words = HashSet::new();
        for entry in findings() {
            for word in [entry.slug, entry.name].iter().chain(entry.synonyms) {
                assert_eq!(finding(word), Some(entry), "{word}");
            }
            assert!(words.insert(entry.slug));
            for synonym in entry.synonyms {
                assert!(words.insert(synonym), "{synonym} stands twice");
            }
            if let Some(code) = entry.snomed {
                assert_eq!(finding_by_code(code), Some(entry));
            }
        }
    }

    #[test]
    fn the_words_of_both_label_tables_are_known() {
        for (word, slug) in [
            ("No Finding", "normal"),
            ("Pleural_Thickening", "pleural_thickening"),
            ("viral pneumonia", "viral_pneumonia"),
            (" Edema ", "edema"),
        ] {
            assert_eq!(finding(word).unwrap().slug, slug);
        }
        assert_eq!(finding("broken leg"), None);
        assert_eq!(finding(""), None);
    }
}
