//! From a request as somebody speaks it to its parts.
//!
//! Rules and no model: what was recognised can be told from the words alone, and whoever spoke sees the
//! filled form before anything is made. What is not sure stays in the free text, where it is seen: a
//! view without its direction, a severity between two, a finding that is denied.

mod describe;
mod items;
mod modifiers;
mod phrases;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::weights::escape;
use super::{LONGEST_TEXT, StructuredPrompt, strip_marks};
use crate::terms::{AgeGroup, NORMAL, findings};
use items::Meaning;
use modifiers::EXPECTED_CHINESE;
use phrases::FRAME;
use words::{Word, words};

/// Reads findings with place and severity, view position, style, age group and sex from what was said,
/// in English or Chinese; the rest becomes the free text. Whatever was said, the result is a prompt that
/// [`StructuredPrompt::sentence`] takes.
pub fn spoken(transcript: &str) -> StructuredPrompt {
    let words = words(transcript);
    let items = items::items(&words);
    let mut prompt = StructuredPrompt::default();
    // Words that the form's fields hold now, and that the free text need not repeat.
    let mut taken = vec![false; words.len()];
    let mut normal = None;
    for item in items.iter().filter(|item| !item.denied) {
        match item.meaning {
            Meaning::Finding(NORMAL) => {
                normal.get_or_insert(item.own.clone());
                continue;
            }
            // The age itself stays in the text: the field knows the group alone.
            Meaning::Age(years) => {
                prompt.age_group = prompt.age_group.or(Some(AgeGroup::of_years(years)));
                continue;
            }
            Meaning::Patient(age_group, sex) => {
                // Of two that contradict each other, the first is the field's; both can be read.
                let contradicts = prompt
                    .age_group
                    .is_some_and(|known| age_group.is_some_and(|said| said != known))
                    || prompt.sex.is_some_and(|known| sex.is_some_and(|said| said != known));
                if contradicts {
                    continue;
                }
                prompt.age_group = prompt.age_group.or(age_group);
                prompt.sex = prompt.sex.or(sex);
            }
            Meaning::View(code) => {
                if prompt.view_position.as_deref().is_some_and(|known| known != code) {
                    continue;
                }
                prompt.view_position = Some(code.to_owned());
            }
            Meaning::Style(slug) => {
                if prompt.style.as_deref().is_some_and(|known| known != slug) {
                    continue;
                }
                prompt.style = Some(slug.to_owned());
            }
            Meaning::Finding(_)
            | Meaning::Place(_)
            | Meaning::Severity(_)
            | Meaning::Denial
            | Meaning::DenialAfter => continue,
        }
        taken[item.own.clone()].fill(true);
    }
    prompt.findings = describe::described(&words, &items, &mut taken);
    // "Normal" excludes every other finding: beside one it speaks of something else, the heart's size.
    if let Some(own) = normal
        && prompt.findings.is_empty()
    {
        prompt.findings.push(NORMAL.into());
        taken[own].fill(true);
    }
    prompt
        .findings
        .sort_by_key(|said| findings().iter().position(|finding| finding.slug == said.finding));
    // A word that says something frames nothing: the last of "no pneumothorax" in Chinese is "chest".
    let framing: Vec<bool> = (0..words.len())
        .map(|index| {
            FRAME.contains(&words[index].text.as_str())
                && !items.iter().any(|item| item.own.contains(&index))
        })
        .collect();
    prompt.text = free_text(transcript, &words, &taken, &framing);
    prompt
}

/// Words that a request is likely to hold, by language, in sentences as somebody would say them: what
/// a speech model takes as said before, so that it hears "pleural" and not "plural".
pub fn expected_words() -> BTreeMap<&'static str, String> {
    let names: Vec<&str> = findings().iter().map(|finding| finding.name).collect();
    let english = format!(
        "Portable chest radiograph of a child, AP view. PA view of an adult. Findings: {}. Mild left pleural \
         effusion, severe pneumonia in the right lower lobe, no pneumothorax.",
        names.join(", ")
    );
    BTreeMap::from([("en", english), ("zh", EXPECTED_CHINESE.to_owned())])
}

/// What no field holds, without the words that frame a request.
fn free_text(transcript: &str, words: &[Word], taken: &[bool], framing: &[bool]) -> Option<String> {
    let framing = |index: &usize| framing[*index];
    let mut parts: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let run = at + taken[at..].iter().take_while(|taken| !**taken).count();
        let indices: Vec<usize> = (at..run).skip_while(framing).collect::<Vec<_>>();
        let ends = indices.iter().rev().skip_while(|index| framing(index)).count();
        if let (Some(first), Some(last)) =
            (indices.first(), ends.checked_sub(1).and_then(|end| indices.get(end)))
        {
            parts.push(&transcript[words[*first].place.start..words[*last].place.end]);
        }
        at = run.max(at + 1);
        while taken.get(at).copied().unwrap_or(false) {
            at += 1;
        }
    }
    // Nobody speaks emphasis: a bracket is a bracket.
    let text: String = escape(&strip_marks(&parts.join(", "))).chars().take(LONGEST_TEXT).collect();
    (!text.is_empty()).then_some(text)
}
