//! A prompt in parts, and the one sentence it becomes.

use serde::{Deserialize, Serialize};

use super::{strip_marks, weights};
use crate::terms::{
    AgeGroup, Described, DescribedFinding, NORMAL, Sex, findings, places, style, styles,
    view_position, view_positions,
};

/// Characters of free text that a prompt may hold.
pub const LONGEST_TEXT: usize = 2_000;

/// What a radiograph shows, in parts: the subject (age group and sex), the findings with place and
/// severity, the style and the projection (view position). Parts that are absent are left out of
/// the sentence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StructuredPrompt {
    /// Findings, each by its word alone or with place, severity and weight; [`findings`] lists them.
    pub findings: Vec<DescribedFinding>,
    /// Child or adult.
    pub age_group: Option<AgeGroup>,
    /// The patient's sex.
    pub sex: Option<Sex>,
    /// A code of View Position (0018,5101); [`view_positions`] lists them.
    pub view_position: Option<String>,
    /// How it was taken or recorded; [`styles`] lists what is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Anything more, in free words, with emphasis in the grammar of [`weights`].
    pub text: Option<String>,
}

/// A prompt that cannot become a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct PromptError {
    /// The field of [`StructuredPrompt`].
    pub field: &'static str,
    /// Why, and what is known instead.
    pub cause: String,
}

impl StructuredPrompt {
    /// The canonical sentence: `chest radiograph, AP view, child, male, bacterial pneumonia`.
    ///
    /// Findings stand in the order of the vocabulary, each once at each place; a finding with a
    /// weight stands in brackets with it (`(mass:1.3)`). Free text comes last, without its
    /// de-identification marks.
    ///
    /// # Errors
    /// [`PromptError`] names the field: an unknown finding, place, severity, style or view
    /// position, `normal` beside another finding, a finding described in two ways, free text of
    /// more than [`LONGEST_TEXT`] characters, or emphasis in it that cannot be read.
    pub fn sentence(&self) -> Result<String, PromptError> {
        let mut parts = vec!["chest radiograph".to_owned()];
        if let Some(code) = &self.view_position {
            parts.push(view_words(code)?.to_owned());
        }
        if let Some(word) = &self.style {
            parts.push(style_words(word)?.to_owned());
        }
        if let Some(age_group) = self.age_group {
            parts.push(age_group.word().to_owned());
        }
        if let Some(word) = self.sex.and_then(Sex::word) {
            parts.push(word.to_owned());
        }
        parts.extend(self.described()?.iter().map(finding_words));
        if let Some(text) = &self.text {
            // Counted before any work: a text may be megabytes long.
            if text.chars().nth(LONGEST_TEXT).is_some() {
                return Err(PromptError {
                    field: "text",
                    cause: format!("longer than {LONGEST_TEXT} characters"),
                });
            }
            weights::parse(text, "text")?;
            let text = strip_marks(text);
            if !text.is_empty() {
                parts.push(text);
            }
        }
        Ok(parts.join(", "))
    }

    /// The findings in the words of the vocabulary: in its order, those of one finding in the order
    /// of the places, each once.
    ///
    /// # Errors
    /// As [`Self::sentence`], of `findings`.
    pub fn described(&self) -> Result<Vec<Described>, PromptError> {
        let error = |cause| PromptError { field: "findings", cause };
        let mut wanted: Vec<Described> = Vec::new();
        for (index, entry) in self.findings.iter().enumerate() {
            let number = index + 1;
            let described = entry.resolve().map_err(|fault| {
                error(match fault.part {
                    "finding" => format!(
                        "entry {number} is not a known finding; known are {}",
                        findings()
                            .iter()
                            .map(|finding| finding.slug)
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                    _ => format!("entry {number}: {fault}"),
                })
            })?;
            let same = |other: &&Described| {
                other.finding == described.finding && other.place == described.place
            };
            match wanted.iter().find(same) {
                None => wanted.push(described),
                Some(other) if *other == described => {}
                Some(_) => {
                    return Err(error(format!(
                        "entry {number} names a finding and place that an earlier entry describes \
                         otherwise"
                    )));
                }
            }
        }
        let normal = wanted.iter().any(|described| described.finding.slug == NORMAL);
        if wanted.len() > 1 && normal {
            return Err(error("normal excludes every other finding".to_owned()));
        }
        let order = |described: &Described| {
            let of_finding = findings().iter().position(|finding| finding == described.finding);
            let of_place =
                described.place.and_then(|place| places().iter().position(|other| other == place));
            (of_finding, of_place)
        };
        wanted.sort_by_key(order);
        Ok(wanted)
    }
}

/// A finding's words, in brackets with their weight where they have one.
fn finding_words(described: &Described) -> String {
    match described.named().weight {
        None => described.words(),
        Some(weight) => format!("({}:{weight})", described.words()),
    }
}

fn style_words(word: &str) -> Result<&'static str, PromptError> {
    style(word).map(|style| style.caption).ok_or_else(|| PromptError {
        field: "style",
        cause: format!(
            "not a known style; known are {}",
            styles().iter().map(|style| style.slug).collect::<Vec<_>>().join(", ")
        ),
    })
}

fn view_words(code: &str) -> Result<&'static str, PromptError> {
    view_position(code).map(|view| view.caption).ok_or_else(|| PromptError {
        field: "view_position",
        cause: format!(
            "not a known view position; known are {}",
            view_positions().iter().map(|view| view.code).collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn prompt() -> StructuredPrompt {
        StructuredPrompt {
            findings: vec!["bacterial_pneumonia".into()],
            age_group: Some(AgeGroup::Child),
            sex: Some(Sex::Male),
            view_position: Some("ap".into()),
            style: None,
            text: None,
        }
    }

    #[test]
    fn the_sentence_has_one_form() {
        assert_eq!(
            prompt().sentence().unwrap(),
            "chest radiograph, AP view, child, male, bacterial pneumonia"
        );
        assert_eq!(StructuredPrompt::default().sentence().unwrap(), "chest radiograph");
        let several = StructuredPrompt {
            findings: vec!["Edema".into(), "effusion".into(), "edema".into(), "Pneumonia".into()],
            sex: Some(Sex::Other),
            text: Some(" seen on ___  today ".into()),
            ..StructuredPrompt::default()
        };
        assert_eq!(
            several.sentence().unwrap(),
            "chest radiograph, pneumonia, effusion, edema, seen on today"
        );
    }

    fn described(finding: &str, place: &str, severity: &str) -> DescribedFinding {
        let given = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        DescribedFinding {
            finding: finding.into(),
            place: given(place),
            severity: given(severity),
            weight: None,
        }
    }

    #[test]
    fn findings_have_place_severity_and_weight() {
        let heavy = DescribedFinding { weight: Some(1.3), ..described("mass", "", "") };
        let prompt = StructuredPrompt {
            findings: vec![
                described("edema", "bilateral", "mild"),
                described("nodule", "left_upper_lobe", ""),
                heavy,
                described("nodule", "RUL", ""),
                described("nodule", "RUL", ""),
            ],
            style: Some("portable".into()),
            ..prompt()
        };
        let sentence = "chest radiograph, AP view, portable technique, child, male, (mass:1.3), nodule \
                        in the right upper lobe, nodule in the left upper lobe, mild bilateral edema";
        assert_eq!(prompt.sentence().unwrap(), sentence);
        let written = serde_json::to_value(&prompt).unwrap();
        assert_eq!(serde_json::from_value::<StructuredPrompt>(written).unwrap(), prompt);

        // What was stored before there was more to say reads as it did.
        let stored = serde_json::json!({ "findings": ["edema"], "age_group": null, "text": null });
        let stored: StructuredPrompt = serde_json::from_value(stored).unwrap();
        assert_eq!(stored.findings, ["edema".into()]);
        assert_eq!(
            serde_json::to_value(&stored).unwrap()["findings"],
            serde_json::json!(["edema"])
        );
    }

    #[test]
    fn errors_of_the_new_parts_name_their_field() {
        let of = |findings| StructuredPrompt { findings, ..prompt() }.sentence().unwrap_err();
        let error = of(vec!["mass".into(), described("mass", "dragon", "")]);
        assert_eq!(error.field, "findings");
        assert!(error.cause.starts_with("entry 2: place is not known"), "{error}");
        assert!(!error.cause.contains("dragon"), "{error}");
        let error =
            of(vec![described("mass", "left", "mild"), described("mass", "left", "severe")]);
        assert!(error.cause.contains("entry 2"), "{error}");
        let style = StructuredPrompt { style: Some("baroque".into()), ..prompt() };
        assert_eq!(style.sentence().unwrap_err().field, "style");
        let text = StructuredPrompt { text: Some("(opacity:99)".into()), ..prompt() };
        assert_eq!(text.sentence().unwrap_err().field, "text");
    }

    #[test]
    fn errors_name_the_field_and_what_is_known() {
        let unknown = StructuredPrompt { findings: vec!["broken leg".into()], ..prompt() };
        let error = unknown.sentence().unwrap_err();
        assert_eq!(error.field, "findings");
        assert!(error.cause.contains("pleural_thickening"), "{error}");
        assert!(!error.cause.contains("broken leg"), "an error repeats no input: {error}");

        let view = StructuredPrompt { view_position: Some("XX".into()), ..prompt() };
        let error = view.sentence().unwrap_err();
        assert_eq!((error.field, error.cause.contains("AP, PA, LL, RL")), ("view_position", true));

        let both = StructuredPrompt { findings: vec!["normal".into(), "mass".into()], ..prompt() };
        assert_eq!(both.sentence().unwrap_err().field, "findings");

        let long = StructuredPrompt { text: Some("x".repeat(LONGEST_TEXT + 1)), ..prompt() };
        assert_eq!(long.sentence().unwrap_err().field, "text");
    }
}
