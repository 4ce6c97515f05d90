//! A prompt in parts, and the one sentence it becomes.

use serde::{Deserialize, Serialize};

use super::strip_marks;
use crate::terms::{AgeGroup, NORMAL, Sex, finding, findings, view_position, view_positions};

/// Characters of free text that a prompt may hold.
pub const LONGEST_TEXT: usize = 2_000;

/// What a radiograph shows, in parts. Parts that are absent are left out of the sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StructuredPrompt {
    /// Findings by slug, name or synonym; [`findings`] lists them.
    pub findings: Vec<String>,
    /// Child or adult.
    pub age_group: Option<AgeGroup>,
    /// The patient's sex.
    pub sex: Option<Sex>,
    /// A code of View Position (0018,5101); [`view_positions`] lists them.
    pub view_position: Option<String>,
    /// Anything more, in free words.
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
    /// Findings stand in the order of the vocabulary, each once; free text comes last, without
    /// its de-identification marks.
    ///
    /// # Errors
    /// [`PromptError`] names the field: an unknown finding or view position, `normal` beside
    /// another finding, or free text of more than [`LONGEST_TEXT`] characters.
    pub fn sentence(&self) -> Result<String, PromptError> {
        let mut parts = vec!["chest radiograph".to_owned()];
        if let Some(code) = &self.view_position {
            parts.push(view_words(code)?.to_owned());
        }
        if let Some(age_group) = self.age_group {
            parts.push(age_group.word().to_owned());
        }
        if let Some(word) = self.sex.and_then(Sex::word) {
            parts.push(word.to_owned());
        }
        parts.extend(finding_names(&self.findings)?.into_iter().map(str::to_owned));
        if let Some(text) = &self.text {
            // Counted before any work: a text may be megabytes long.
            if text.chars().nth(LONGEST_TEXT).is_some() {
                return Err(PromptError {
                    field: "text",
                    cause: format!("longer than {LONGEST_TEXT} characters"),
                });
            }
            let text = strip_marks(text);
            if !text.is_empty() {
                parts.push(text);
            }
        }
        Ok(parts.join(", "))
    }
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

fn finding_names(words: &[String]) -> Result<Vec<&'static str>, PromptError> {
    let error = |cause| PromptError { field: "findings", cause };
    let mut wanted = Vec::with_capacity(words.len().min(findings().len()));
    for (index, word) in words.iter().enumerate() {
        let entry = finding(word).ok_or_else(|| {
            error(format!(
                "entry {} is not a known finding; known are {}",
                index + 1,
                findings().iter().map(|finding| finding.slug).collect::<Vec<_>>().join(", ")
            ))
        })?;
        if !wanted.contains(&entry.slug) {
            wanted.push(entry.slug);
        }
    }
    if wanted.len() > 1 && wanted.contains(&NORMAL) {
        return Err(error("normal excludes every other finding".to_owned()));
    }
    Ok(findings()
        .iter()
        .filter(|entry| wanted.contains(&entry.slug))
        .map(|entry| entry.name)
        .collect())
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
