//! From a request as somebody speaks it to its parts.
//!
//! Rules and no model: what was recognised can be told from the words alone, and whoever spoke sees the
//! filled form before anything is made. What is not sure stays in the free text, where it is seen: a
//! view without its direction, a side that is not said, a finding that is denied.

mod phrases;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::{LONGEST_TEXT, StructuredPrompt, strip_marks};
use crate::terms::{AgeGroup, NORMAL, Sex, findings};
use phrases::{AFTER_DENIAL, CHINESE_FINDINGS, DENIALS, FRAME, PATIENTS, VIEWS};

/// What a stretch of words says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Finding(&'static str),
    Denial,
    Patient(Option<AgeGroup>, Option<Sex>),
    View(&'static str),
}

/// A word, or a Chinese character, and where it stands.
struct Word {
    text: String,
    place: Range<usize>,
}

/// Reads findings, view position, age group and sex from what was said, in English or Chinese; the
/// rest becomes the free text. Whatever was said, the result is a prompt that
/// [`StructuredPrompt::sentence`] takes.
pub fn spoken(transcript: &str) -> StructuredPrompt {
    let words = words(transcript);
    let mut prompt = StructuredPrompt::default();
    // Words that the form's fields hold now, and that the free text need not repeat.
    let mut taken = vec![false; words.len()];
    let mut normal = None;
    let mut denied = false;
    let mut at = 0;
    while at < words.len() {
        if ends_sentence(transcript, &words, at) {
            denied = false;
        }
        if let Some((years, length)) = age(&words[at..]) {
            if prompt.age_group.is_none() {
                prompt.age_group = Some(AgeGroup::of_years(years));
            }
            // The age itself stays in the text: the field knows the group alone.
            at += length;
            continue;
        }
        let Some((meaning, length)) = longest(&words[at..]) else {
            denied = denied && AFTER_DENIAL.contains(&words[at].text.as_str());
            at += 1;
            continue;
        };
        let own = at..at + length;
        at += length;
        match meaning {
            Meaning::Denial => {
                denied = true;
                continue;
            }
            Meaning::Finding(_) if denied => continue,
            Meaning::Finding(NORMAL) => {
                normal.get_or_insert(own);
                continue;
            }
            Meaning::Finding(slug) => {
                if !prompt.findings.iter().any(|known| known.finding == slug) {
                    prompt.findings.push(slug.to_owned().into());
                }
            }
            Meaning::Patient(age_group, sex) => {
                denied = false;
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
                denied = false;
                if prompt.view_position.as_deref().is_some_and(|known| known != code) {
                    continue;
                }
                prompt.view_position = Some(code.to_owned());
            }
        }
        taken[own].fill(true);
    }
    // "Normal" excludes every other finding: beside one it speaks of something else, the heart's size.
    if let Some(own) = normal
        && prompt.findings.is_empty()
    {
        prompt.findings.push(NORMAL.to_owned().into());
        taken[own].fill(true);
    }
    prompt
        .findings
        .sort_by_key(|said| findings().iter().position(|finding| finding.slug == said.finding));
    prompt.text = free_text(transcript, &words, &taken);
    prompt
}

/// Words in lower case; every Chinese character is one of its own.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    for (index, character) in text.char_indices() {
        let place = index..index + character.len_utf8();
        if is_chinese(character) {
            words.push(Word { text: character.to_string(), place });
            open = false;
        } else if character.is_alphanumeric() || matches!(character, '\'' | '’') && open {
            match words.last_mut().filter(|_| open) {
                Some(word) => {
                    word.text.extend(character.to_lowercase());
                    word.place.end = place.end;
                }
                None => {
                    words.push(Word { text: character.to_lowercase().collect(), place });
                }
            }
            open = true;
        } else {
            open = false;
        }
    }
    words
}

fn is_chinese(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9FFF}')
}

/// Whether something between the word at `at` and the one before ends what is denied.
fn ends_sentence(text: &str, words: &[Word], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| words.get(before)) else { return true };
    text[before.place.end..words[at].place.start]
        .contains(['.', ';', '!', '?', '。', '；', '！', '？', '，'])
}

/// Whether `words` begin with `phrase`; an English finding may stand in the plural.
fn begins(words: &[Word], phrase: &str, plural: bool) -> Option<usize> {
    let mut length = 0;
    for part in self::words(phrase) {
        let word = words.get(length)?;
        length += 1;
        if word.text != part.text {
            let singular = || {
                let stem = word.text.strip_prefix(part.text.as_str())?;
                matches!(stem, "s" | "es").then_some(())
            };
            if !plural || singular().is_none() {
                return None;
            }
        }
    }
    (length > 0).then_some(length)
}

/// The longest phrase that `words` begin with.
fn longest(words: &[Word]) -> Option<(Meaning, usize)> {
    let named = findings().iter().flat_map(|finding| {
        finding.words().map(|word| (word, Meaning::Finding(finding.slug), true))
    });
    let chinese =
        CHINESE_FINDINGS.iter().map(|(word, slug)| (*word, Meaning::Finding(slug), false));
    let denials = DENIALS.iter().map(|word| (*word, Meaning::Denial, false));
    let patients =
        PATIENTS.iter().map(|(word, age, sex)| (*word, Meaning::Patient(*age, *sex), false));
    let views = VIEWS.iter().map(|(word, code)| (*word, Meaning::View(code), false));
    named
        .chain(chinese)
        .chain(denials)
        .chain(patients)
        .chain(views)
        .filter_map(|(phrase, meaning, plural)| Some((meaning, begins(words, phrase, plural)?)))
        .max_by_key(|(_, length)| *length)
}

/// An age at the beginning of `words`, in years, and how many words say it: `5 year old`, `5岁`.
fn age(words: &[Word]) -> Option<(f32, usize)> {
    let text = |index: usize| words.get(index).map(|word| word.text.as_str());
    let number = phrases::number(text(0)?)?;
    let (years, length) = match text(1)? {
        "year" | "years" => (number, 2),
        "month" | "months" => (number / 12.0, 2),
        "week" | "weeks" => (number / 52.0, 2),
        "day" | "days" => (number / 365.0, 2),
        "岁" | "歲" => return Some((number, 2)),
        "个" | "個" if text(2)? == "月" => return Some((number / 12.0, 3)),
        _ => return None,
    };
    // "For two weeks" is no age.
    (text(2)? == "old" || text(2)? == "of" && text(3)? == "age")
        .then_some((years, if text(2)? == "old" { length + 1 } else { length + 2 }))
}

/// What no field holds, without the words that frame a request.
fn free_text(transcript: &str, words: &[Word], taken: &[bool]) -> Option<String> {
    let framing = |index: &usize| FRAME.contains(&words[*index].text.as_str());
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
    let text: String = strip_marks(&parts.join(", ")).chars().take(LONGEST_TEXT).collect();
    (!text.is_empty()).then_some(text)
}
