//! The last look: does an identifier that was taken out still stand somewhere else?
//!
//! A name that somebody typed into a field where no table looks for it is found by what the object
//! itself called an identifier.

use std::collections::BTreeSet;

use dicom_core::{DataElement, Tag, VR};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use skiagraph_compliance::deidentification::cleaned;

use super::report::Changes;
use super::values::{REMOVED, emptied};
use crate::dicom::dx::OWN_SCHEME;

/// Letters of the shortest name, and characters of the shortest identifier, that are looked for:
/// shorter ones stand in other words by chance.
const SHORTEST: usize = 4;

/// What was taken out of an object, in lower case.
#[derive(Debug, Default)]
pub(super) struct Removed(BTreeSet<String>);

impl Removed {
    /// Notes what an element holds that identifies: names word by word, identifiers whole.
    pub(super) fn note(&mut self, element: &InMemElement) {
        if let Some(items) = element.items() {
            for inner in items.iter().flatten_elements() {
                self.note(inner);
            }
            return;
        }
        let Ok(values) = element.to_multi_str() else { return };
        for value in values.iter() {
            match element.vr() {
                VR::PN => {
                    for word in value.split(|c: char| !c.is_alphanumeric()) {
                        self.add(word);
                    }
                }
                VR::LO | VR::SH | VR::UC | VR::AE => {
                    self.add(value);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, text: &str) {
        let text = text.trim_matches([' ', '\0']).to_lowercase();
        // What stands in place of something else identifies nobody.
        let ours = [REMOVED, OWN_SCHEME].map(str::to_lowercase);
        // A word of the clinic identifies nobody, whoever is called so.
        let clinical = cleaned(&text, &|_| false).is_some_and(|kept| kept.len() == text.len());
        if text.chars().count() >= SHORTEST && !clinical && !ours.contains(&text) {
            self.0.insert(text);
        }
    }

    /// Whether a text holds one of them, not as a part of a longer word.
    fn stand_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let part_of_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        self.0.iter().any(|identifier| {
            text.match_indices(identifier.as_str()).any(|(at, _)| {
                !part_of_word(text[..at].chars().next_back())
                    && !part_of_word(text[at + identifier.len()..].chars().next())
            })
        })
    }
}

/// The elements of several items.
trait FlattenElements<'a> {
    fn flatten_elements(self) -> impl Iterator<Item = &'a InMemElement>;
}

impl<'a, I: Iterator<Item = &'a InMemDicomObject>> FlattenElements<'a> for I {
    fn flatten_elements(self) -> impl Iterator<Item = &'a InMemElement> {
        self.flat_map(IntoIterator::into_iter)
    }
}

/// Empties every text that still holds something of what was taken out.
pub(super) fn empty(set: &mut InMemDicomObject, removed: &Removed, changes: &mut Changes) {
    visit(set, removed, changes, &mut Vec::new());
}

fn visit(
    set: &mut InMemDicomObject,
    removed: &Removed,
    changes: &mut Changes,
    path: &mut Vec<Tag>,
) {
    let elements: Vec<Tag> = set.tags().collect();
    for tag in elements {
        // Group 0028 says how pixels are to be read, in the standard's own terms.
        let Some(element) = set.get(tag).filter(|_| tag.0 != 0x0028) else { continue };
        path.push(tag);
        if element.vr() == VR::SQ {
            let mut items = element.items().unwrap_or_default().to_vec();
            for item in &mut items {
                visit(item, removed, changes, path);
            }
            let items = dicom_core::value::DataSetSequence::from(items);
            set.put(DataElement::new(tag, VR::SQ, items));
        } else if is_text(element.vr())
            && element.to_str().is_ok_and(|text| removed.stand_in(&text))
        {
            changes.add(path, "Z");
            let after = emptied(element);
            set.put(after);
        }
        path.pop();
    }
}

fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::CS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::ST
            | VR::UC
            | VR::UR
            | VR::UT
            | VR::UN
    )
}
