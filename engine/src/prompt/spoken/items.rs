//! What the words of a transcript mean, stretch by stretch, and which of it is denied.

use std::ops::Range;
use std::sync::LazyLock;

use super::modifiers::{PLACES, SEVERITIES, STYLES};
use super::phrases::{
    DENIAL_ENDS, DENIALS, DENIALS_AFTER, PATIENTS, SPOKEN_FINDINGS, VIEWS, number,
};
use super::words::{Pause, Word, words};
use crate::terms::{AgeGroup, Severity, Sex, findings, places, styles};

/// What a stretch of words says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    Finding(&'static str),
    /// Of what is named with it.
    Place(&'static str),
    /// `None` for a range, which is none of the three.
    Severity(Option<Severity>),
    /// Of what comes after it.
    Denial,
    /// Of what comes before it.
    DenialAfter,
    Patient(Option<AgeGroup>, Option<Sex>),
    /// In years.
    Age(f32),
    View(&'static str),
    Style(&'static str),
}

/// A stretch of words that says something.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) meaning: Meaning,
    /// Which words.
    pub(super) own: Range<usize>,
    /// Whether it is said not to be there.
    pub(super) denied: bool,
}

/// A phrase of the tables, as its words.
struct Phrase {
    words: Vec<String>,
    meaning: Meaning,
    /// Whether it may stand in the plural.
    plural: bool,
}

/// Every phrase; where two are equal, the first counts.
static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let named = findings()
        .iter()
        .flat_map(|finding| finding.words().map(|word| (word, Meaning::Finding(finding.slug))));
    let spoken = SPOKEN_FINDINGS.iter().map(|(word, slug)| (*word, Meaning::Finding(slug)));
    // "Both" alone may count findings as well as sides.
    let known = places().iter().flat_map(|place| {
        place.words().filter(|word| *word != "both").map(|word| (word, Meaning::Place(place.slug)))
    });
    let places = PLACES.iter().map(|(word, slug)| (*word, Meaning::Place(slug)));
    let severities = SEVERITIES.iter().map(|(word, found)| (*word, Meaning::Severity(*found)));
    let captions = styles().iter().map(|style| (style.caption, Meaning::Style(style.slug)));
    let styles = STYLES.iter().map(|(word, slug)| (*word, Meaning::Style(slug)));
    let denials = DENIALS.iter().map(|word| (*word, Meaning::Denial));
    let after = DENIALS_AFTER.iter().map(|word| (*word, Meaning::DenialAfter));
    let patients = PATIENTS.iter().map(|(word, age, sex)| (*word, Meaning::Patient(*age, *sex)));
    let views = VIEWS.iter().map(|(word, code)| (*word, Meaning::View(code)));
    let plurals = named.chain(spoken).map(|(phrase, meaning)| (phrase, meaning, true));
    let described = known.chain(places).chain(severities).chain(captions).chain(styles);
    let others = denials.chain(after).chain(patients).chain(views);
    plurals
        .chain(described.chain(others).map(|(phrase, meaning)| (phrase, meaning, false)))
        .map(|(phrase, meaning, plural)| Phrase {
            words: words(phrase).into_iter().map(|word| word.text).collect(),
            meaning,
            plural,
        })
        .collect()
});

impl Phrase {
    /// Whether `words` begin with it, without a pause inside.
    fn begins(&self, words: &[Word]) -> bool {
        words.len() >= self.words.len()
            && self.words.iter().zip(words).enumerate().all(|(index, (own, word))| {
                let plural = || {
                    let ending = word.text.strip_prefix(own.as_str());
                    self.plural && matches!(ending, Some("s" | "es"))
                };
                (index == 0 || word.pause == Pause::None) && (word.text == *own || plural())
            })
    }
}

/// What `words` say, in order.
pub(super) fn items(words: &[Word]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let found = age(&words[at..]).or_else(|| longest(&words[at..]));
        let Some((meaning, length)) = found else {
            at += 1;
            continue;
        };
        items.push(Item { meaning, own: at..at + length, denied: false });
        at += length;
    }
    deny(words, &mut items);
    items
}

/// The longest phrase that `words` begin with, the first of several.
fn longest(words: &[Word]) -> Option<(Meaning, usize)> {
    let mut best: Option<&Phrase> = None;
    for phrase in PHRASES.iter().filter(|phrase| phrase.begins(words)) {
        if best.is_none_or(|best| phrase.words.len() > best.words.len()) {
            best = Some(phrase);
        }
    }
    best.map(|phrase| (phrase.meaning, phrase.words.len()))
}

/// An age at the beginning of `words`, and how many of them say it: `5 year old`, `aged 45`, `5岁`.
fn age(words: &[Word]) -> Option<(Meaning, usize)> {
    let text = |index: usize| words.get(index).map_or("", |word| word.text.as_str());
    if text(0) == "aged" || text(0) == "age" {
        let (years, length) = number(words.get(1..)?)?;
        return Some((Meaning::Age(years), length + 1));
    }
    let (number, length) = number(words)?;
    let (years, chinese) = match text(length) {
        "year" | "years" => (number, false),
        "month" | "months" => (number / 12.0, false),
        "week" | "weeks" => (number / 52.0, false),
        "day" | "days" => (number / 365.0, false),
        "岁" | "歲" => (number, true),
        "个" | "個" if text(length + 1) == "月" => {
            return Some((Meaning::Age(number / 12.0), length + 2));
        }
        _ => return None,
    };
    // "For two weeks" is no age.
    let more = match (text(length + 1), text(length + 2)) {
        _ if chinese => 0,
        ("old", _) => 1,
        ("of", "age") => 2,
        _ => return None,
    };
    Some((Meaning::Age(years), length + 1 + more))
}

/// Marks what is denied. Where it is not clear how far a denial goes, it goes on: what was not asked for
/// is made by no mistake, and what is left out can be read in the text.
fn deny(words: &[Word], items: &mut [Item]) {
    for index in 0..items.len() {
        let own = items[index].own.clone();
        match items[index].meaning {
            Meaning::Denial => {
                let end = reach(words, items, index);
                for item in &mut items[index + 1..] {
                    item.denied |= item.own.start < end;
                }
            }
            Meaning::DenialAfter => {
                // "Effusion and pneumothorax are absent" denies both.
                let mut start = own.start;
                for item in items[..index].iter_mut().rev() {
                    let joined = (item.own.end..start)
                        .all(|word| matches!(words[word].text.as_str(), "and" | "or"));
                    let pause = words.get(start).is_none_or(|word| word.pause != Pause::None);
                    if !joined || pause {
                        break;
                    }
                    item.denied |= matches!(item.meaning, Meaning::Finding(_));
                    start = item.own.start;
                }
            }
            _ => (),
        }
    }
}

/// The word at which the denial of item `index` ends.
fn reach(words: &[Word], items: &[Item], index: usize) -> usize {
    let own = &items[index].own;
    if words[own.start].text == "non" {
        return own.end + 1;
    }
    let item_at = |word: usize| items[index..].iter().find(|item| item.own.start == word);
    // Whether nothing but articles stands between the denial and here.
    let mut directly = true;
    let mut at = own.end;
    while at < words.len() {
        let word = &words[at];
        match word.pause {
            Pause::Sentence => return at,
            Pause::Comma if !goes_on(words, items, at) => return at,
            _ => (),
        }
        if DENIAL_ENDS.contains(&word.text.as_str()) {
            return at;
        }
        // "No effusion and pneumothorax" denies both, "no effusion and a pneumothorax" one.
        let next = item_at(at + 1).map(|item| item.meaning);
        if word.text == "and" && !matches!(next, Some(Meaning::Finding(_) | Meaning::Denial)) {
            return at;
        }
        match item_at(at) {
            // "Not a child" denies the child; "no effusion in a child" does not.
            Some(Item {
                meaning: Meaning::Patient(..) | Meaning::Age(_) | Meaning::View(_),
                ..
            }) if !directly => {
                return at;
            }
            Some(item) => {
                directly = false;
                at = item.own.end;
            }
            None => {
                directly &= matches!(word.text.as_str(), "a" | "an" | "the" | "any");
                at += 1;
            }
        }
    }
    words.len()
}

/// Whether what is denied goes on after the comma before word `at`: as a list does that ends with "or".
fn goes_on(words: &[Word], items: &[Item], at: usize) -> bool {
    if !words[at].text.is_ascii() {
        return false;
    }
    for (index, word) in words.iter().enumerate().skip(at) {
        let ends = index > at && word.pause == Pause::Sentence;
        let denial =
            items.iter().any(|item| item.meaning == Meaning::Denial && item.own.contains(&index));
        if ends || denial || word.text == "and" || DENIAL_ENDS.contains(&word.text.as_str()) {
            return word.text == "nor" && !ends;
        }
        if word.text == "or" {
            return true;
        }
    }
    false
}
