//! Which place and which severity belong to which finding.

use super::items::{Item, Meaning};
use super::modifiers::{BARRIERS, TIES};
use super::words::{Pause, Word};
use crate::terms::{DescribedFinding, NORMAL, Place, Severity, place};

/// Other words between a description and the finding after it: "left, small, loculated".
const BETWEEN: usize = 4;

/// A finding that was named, and what was said of it.
struct Named {
    slug: &'static str,
    /// Its item.
    item: usize,
    places: Vec<(&'static str, usize)>,
    severity: Option<(Severity, usize)>,
}

/// The findings of `items` that are not denied, each once at each place. Words that they hold become
/// `taken`; a second severity, or one of nothing, is not.
pub(super) fn described(
    words: &[Word],
    items: &[Item],
    taken: &mut [bool],
) -> Vec<DescribedFinding> {
    let mut named: Vec<Named> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Meaning::Finding(slug) = item.meaning
            && !item.denied
            && slug != NORMAL
        {
            named.push(Named { slug, item: index, places: Vec::new(), severity: None });
        }
    }
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.denied) {
        if !matches!(item.meaning, Meaning::Place(_) | Meaning::Severity(Some(_))) {
            continue;
        }
        let Some(owner) = owner(words, items, index, &named) else { continue };
        let Some(finding) = named.iter_mut().find(|finding| finding.item == owner) else {
            continue;
        };
        match item.meaning {
            Meaning::Place(slug) => finding.places.push((slug, index)),
            Meaning::Severity(Some(severity)) if finding.severity.is_none() => {
                finding.severity = Some((severity, index));
            }
            _ => (),
        }
    }
    let mut take = |item: usize| taken[items[item].own.clone()].fill(true);
    let mut described: Vec<DescribedFinding> = Vec::new();
    for finding in named {
        let severity = finding.severity.map(|(severity, _)| severity);
        let places: Vec<Option<&str>> = if finding.places.is_empty() {
            vec![None]
        } else {
            finding.places.iter().map(|(place, _)| Some(*place)).collect()
        };
        let fits =
            places.into_iter().all(|place| add(&mut described, finding.slug, place, severity));
        // What contradicts an earlier mention stays in the text, as a whole.
        if fits {
            take(finding.item);
            finding.places.iter().for_each(|(_, item)| take(*item));
            finding.severity.iter().for_each(|(_, item)| take(*item));
        }
    }
    described
}

/// Adds a mention, or joins it to an earlier one that it says more of; false where the two contradict.
fn add(
    described: &mut Vec<DescribedFinding>,
    slug: &'static str,
    place: Option<&str>,
    severity: Option<Severity>,
) -> bool {
    let severity = severity.map(|severity| severity.word().to_owned());
    let earlier = described
        .iter_mut()
        .filter(|known| known.finding == slug)
        .find(|known| place.is_none() || known.place.is_none() || known.place.as_deref() == place);
    let Some(known) = earlier else {
        let (finding, place) = (slug.to_owned(), place.map(str::to_owned));
        described.push(DescribedFinding { finding, place, severity, weight: None });
        return true;
    };
    if known.severity.is_some() && severity.is_some() && known.severity != severity {
        return false;
    }
    known.severity = known.severity.take().or(severity);
    known.place = known.place.take().or(place.map(str::to_owned));
    true
}

/// The finding that the place or severity `index` belongs to, by its item; it may be a denied one.
fn owner(words: &[Word], items: &[Item], index: usize, named: &[Named]) -> Option<usize> {
    let before = before(words, items, index);
    let tied = tied(words, items[index].own.start);
    let has_place = |finding: usize| {
        named.iter().any(|named| named.item == finding && !named.places.is_empty())
    };
    // "Effusion on the left": what a word ties to the finding before it.
    if tied
        && let Some(finding) = before
        && !has_place(finding)
    {
        return before;
    }
    if let Some(finding) = after(words, items, index) {
        return Some(finding);
    }
    // "The left heart border" is no place of the finding before it.
    let bare = match items[index].meaning {
        Meaning::Place(slug) => place(slug).is_some_and(Place::is_side),
        _ => true,
    };
    let next = items[index].own.end;
    let ends = words.get(next).is_none_or(|word| {
        word.pause != Pause::None
            || BARRIERS.contains(&word.text.as_str())
            || items.iter().any(|item| item.own.start == next)
    });
    before.filter(|_| !bare || ends)
}

/// The finding after item `index` whose description it begins: nothing but other words of a description
/// stands between.
fn after(words: &[Word], items: &[Item], index: usize) -> Option<usize> {
    let mut at = items[index].own.end;
    let mut between = 0;
    for (offset, item) in items[index + 1..].iter().enumerate() {
        for word in &words[at..item.own.start] {
            between += 1;
            if word.pause != Pause::None || BARRIERS.contains(&word.text.as_str()) {
                return None;
            }
        }
        if between > BETWEEN || words[item.own.start].pause != Pause::None {
            return None;
        }
        match item.meaning {
            Meaning::Finding(_) => return Some(index + 1 + offset),
            Meaning::Place(_) | Meaning::Severity(_) => at = item.own.end,
            _ => return None,
        }
    }
    None
}

/// The last finding before item `index` in its sentence; not across a view, which has sides of its own.
fn before(words: &[Word], items: &[Item], index: usize) -> Option<usize> {
    let mut end = items[index].own.start;
    for (earlier, item) in items[..index].iter().enumerate().rev() {
        let apart = words[item.own.end..=end].iter().any(|word| word.pause == Pause::Sentence);
        if apart || matches!(item.meaning, Meaning::View(_)) {
            return None;
        }
        if matches!(item.meaning, Meaning::Finding(_)) {
            return Some(earlier);
        }
        end = item.own.start;
    }
    None
}

/// Whether the words before word `start` tie a place to what was named before: `in the`, `at`.
fn tied(words: &[Word], start: usize) -> bool {
    let before =
        words[..start].iter().rev().find(|word| !matches!(word.text.as_str(), "the" | "a"));
    before.is_some_and(|word| TIES.contains(&word.text.as_str()))
        && words.get(start).is_some_and(|word| word.pause == Pause::None)
}
