//! A finding with its place, its severity and its weight, as requests write it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Finding, NORMAL, Place, Severity, finding, findings, place, places};

/// The largest weight of a finding; 1 is as named.
const LARGEST_WEIGHT: f32 = 2.0;

/// A finding as somebody names it: in JSON its word alone, or an object where more is said,
/// `{"finding": "pneumonia", "place": "right_lower_lobe", "severity": "severe", "weight": 1.2}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribedFinding {
    /// The finding by slug, name or synonym; [`findings`] lists them.
    pub finding: String,
    /// Where it lies, by slug or synonym; [`places`] lists them.
    pub place: Option<String>,
    /// `mild`, `moderate` or `severe`.
    pub severity: Option<String>,
    /// How much it counts in the prompt, above 0 and up to 2; 1 where it is absent.
    pub weight: Option<f32>,
}

/// What of a described finding is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} {cause}")]
pub struct DescriptionFault {
    /// The part: `finding`, `place`, `severity` or `weight`.
    pub part: &'static str,
    /// Why, and what is known instead; repeats no input.
    pub cause: String,
}

/// A described finding whose every word is of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Described {
    /// The finding.
    pub finding: &'static Finding,
    /// Where it lies.
    pub place: Option<&'static Place>,
    /// How severe it is.
    pub severity: Option<Severity>,
    /// How much it counts in the prompt.
    pub weight: f32,
}

impl DescribedFinding {
    /// Looks every word up.
    ///
    /// # Errors
    /// [`DescriptionFault`] names the part: a word that is not of the vocabulary, a weight out of
    /// range, or a place or severity of `normal`, which has neither.
    pub fn resolve(&self) -> Result<Described, DescriptionFault> {
        let fault = |part, cause: String| DescriptionFault { part, cause };
        let known = |slugs: Vec<&str>| format!("is not known; known are {}", slugs.join(", "));
        let found = finding(&self.finding).ok_or_else(|| {
            let slugs = findings().iter().map(|finding| finding.slug).collect();
            fault("finding", known(slugs))
        })?;
        let place = match &self.place {
            None => None,
            Some(word) => Some(place(word).ok_or_else(|| {
                fault("place", known(places().iter().map(|place| place.slug).collect()))
            })?),
        };
        let severity = match &self.severity {
            None => None,
            Some(word) => Some(Severity::parse(word).ok_or_else(|| {
                fault("severity", known(Severity::ALL.iter().map(|one| one.word()).collect()))
            })?),
        };
        let weight = self.weight.unwrap_or(1.0);
        if !(weight > 0.0 && weight <= LARGEST_WEIGHT) {
            let cause = format!("must lie above 0 and at most at {LARGEST_WEIGHT}");
            return Err(fault("weight", cause));
        }
        if found.slug == NORMAL && place.is_some() {
            return Err(fault("place", "does not go with normal".to_owned()));
        }
        if found.slug == NORMAL && severity.is_some() {
            return Err(fault("severity", "does not go with normal".to_owned()));
        }
        Ok(Described { finding: found, place, severity, weight })
    }
}

impl Described {
    /// The words in captions: `severe pneumonia in the right lower lobe`, `mild left effusion`;
    /// the finding's name alone where nothing more is said.
    pub fn words(&self) -> String {
        let severity = self.severity.map(Severity::word);
        let (side, region) = match self.place {
            Some(place) if place.is_side() => (Some(place.caption), None),
            Some(place) => (None, Some(place.caption)),
            None => (None, None),
        };
        let parts = [severity, side, Some(self.finding.name), region];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The finding in the words of the vocabulary, as it is stored and sent.
    pub fn named(&self) -> DescribedFinding {
        DescribedFinding {
            finding: self.finding.slug.to_owned(),
            place: self.place.map(|place| place.slug.to_owned()),
            severity: self.severity.map(|severity| severity.word().to_owned()),
            weight: ((self.weight - 1.0).abs() > f32::EPSILON).then_some(self.weight),
        }
    }
}

impl From<&'static Finding> for Described {
    fn from(finding: &'static Finding) -> Self {
        Self { finding, place: None, severity: None, weight: 1.0 }
    }
}

impl From<&str> for DescribedFinding {
    fn from(word: &str) -> Self {
        Self { finding: word.to_owned(), ..Self::default() }
    }
}

impl From<String> for DescribedFinding {
    fn from(finding: String) -> Self {
        Self { finding, ..Self::default() }
    }
}

/// The object form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    finding: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<f32>,
}

impl Serialize for DescribedFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { finding, place, severity, weight } = self.clone();
        if place.is_none() && severity.is_none() && weight.is_none() {
            return serializer.serialize_str(&finding);
        }
        Object { finding, place, severity, weight }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DescribedFinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

/// Reads a word or an object; not by serde's untagged form, whose errors name no field.
struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = DescribedFinding;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("the word for a finding, or an object that describes one")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(word.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Object { finding, place, severity, weight } =
            Object::deserialize(MapAccessDeserializer::new(map))?;
        Ok(DescribedFinding { finding, place, severity, weight })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> DescribedFinding {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_word_and_an_object_are_read_and_written_as_they_came() {
        for (value, words) in [
            (json!("effusion"), "effusion"),
            (json!({ "finding": "effusion", "place": "left" }), "left effusion"),
            (
                json!({ "finding": "Pneumonia", "place": "RLL", "severity": "severe" }),
                "severe pneumonia in the right lower lobe",
            ),
            (json!({ "finding": "edema", "severity": "mild", "weight": 1.5 }), "mild edema"),
        ] {
            let described = read(value.clone());
            assert_eq!(serde_json::to_value(&described).unwrap(), value);
            let resolved = described.resolve().unwrap();
            assert_eq!(resolved.words(), words);
            assert_eq!(resolved.named().resolve().unwrap(), resolved);
        }
        assert_eq!(read(json!({ "finding": "mass" })), "mass".into());
        for wrong in [json!(1), json!(["mass"]), json!({}), json!({ "finding": "mass", "x": 1 })] {
            assert!(serde_json::from_value::<DescribedFinding>(wrong).is_err());
        }
    }

    #[test]
    fn faults_name_the_part_and_repeat_no_input() {
        for (value, part, known) in [
            (json!("dragon"), "finding", "effusion"),
            (json!({ "finding": "mass", "place": "dragon" }), "place", "right_lower_lobe"),
            (json!({ "finding": "mass", "severity": "dragon" }), "severity", "moderate"),
            (json!({ "finding": "mass", "weight": 0.0 }), "weight", "above 0"),
            (json!({ "finding": "mass", "weight": 2.5 }), "weight", "at most at 2"),
            (json!({ "finding": "normal", "place": "left" }), "place", "normal"),
            (json!({ "finding": "no finding", "severity": "mild" }), "severity", "normal"),
        ] {
            let fault = read(value).resolve().unwrap_err();
            assert_eq!(fault.part, part);
            assert!(fault.cause.contains(known) && !fault.cause.contains("dragon"), "{fault}");
        }
        let weight = Some(f32::NAN);
        let nan = DescribedFinding { finding: "mass".into(), weight, ..Default::default() };
        assert_eq!(nan.resolve().unwrap_err().part, "weight");
    }
}
