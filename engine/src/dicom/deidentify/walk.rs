//! The table applied to a data set, at any depth.

use dicom_core::dictionary::DataDictionary;
use dicom_core::value::{DataSetSequence, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use skiagraph_compliance::deidentification::{
    Action, AttributeType, Image, Policy, ProfileOption, Pseudonyms, Table, safe_private,
};

use super::clean;
use super::report::Changes;
use super::residue::Removed;
use super::values::{dummy, emptied, moved, pseudonym, uid_of, with_uids};
use crate::dicom::attributes::text;

/// Attributes that say how an object was de-identified; they are written anew at the end.
const OWN: [Tag; 4] = [
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
];

/// One way through an object.
pub(super) struct Walk<'a> {
    policy: &'a Policy,
    table: &'static Table,
    pseudonyms: &'a Pseudonyms,
    image: Image,
    /// The object is one of ours under this key: its UIDs and dates have been replaced.
    again: bool,
    patient: String,
    days: u64,
    pub(super) changes: Changes,
    pub(super) removed: Removed,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        pseudonyms: &'a Pseudonyms,
        image: Image,
        again: bool,
    ) -> Self {
        Self {
            table: policy.edition().table(),
            policy,
            pseudonyms,
            image,
            again,
            patient: String::new(),
            days: 0,
            changes: Changes::default(),
            removed: Removed::default(),
        }
    }

    /// Finds out whose object it is: all of a patient's share pseudonym and span. Without an identifier
    /// those of a study do.
    pub(super) fn patient(&mut self, set: &InMemDicomObject) {
        let id = text(set, tags::PATIENT_ID);
        if self.again {
            self.patient = id.unwrap_or_default();
            return;
        }
        let issuer = text(set, tags::ISSUER_OF_PATIENT_ID).unwrap_or_default();
        let whose = match id {
            Some(id) => format!("{issuer}\\{id}"),
            None => text(set, tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        };
        self.patient = self.pseudonyms.patient(&whose);
        self.days = self.pseudonyms.days(&whose);
    }

    /// The data set or item, treated; `path` leads to it.
    pub(super) fn data_set(
        &mut self,
        set: InMemDicomObject,
        path: &mut Vec<Tag>,
    ) -> InMemDicomObject {
        let mut treated = InMemDicomObject::new_empty();
        let safe = self.safe_blocks(&set);
        for element in set {
            let tag = element.header().tag;
            path.push(tag);
            let after = if tag.0 % 2 == 1 {
                self.private(element, &safe, path)
            } else {
                self.element(element, path)
            };
            if let Some(after) = after {
                treated.put(after);
            }
            path.pop();
        }
        treated
    }

    fn element(&mut self, element: InMemElement, path: &mut Vec<Tag>) -> Option<InMemElement> {
        let tag = element.header().tag;
        // Lengths of groups are out of date (PS3.5 7.2), methods are written anew; curves and overlays go
        // with what describes them, for bits cannot be shown clean.
        let graphics = matches!(tag.0, 0x5000..=0x50FF | 0x6000..=0x60FF);
        let unknown = StandardDataDictionary.by_tag(tag).is_none();
        let text_object = tag == tags::TEXT_OBJECT_SEQUENCE;
        if tag.1 == 0 || OWN.contains(&tag) || graphics || unknown || text_object {
            self.changes.add(path, Action::Remove.letter());
            return None;
        }
        let of = if path.len() == 1 {
            self.image.attribute_type((tag.0, tag.1))
        } else {
            AttributeType::Unknown
        };
        match self.table.action((tag.0, tag.1), self.policy, of) {
            Some(action) => self.apply(action, element, of, path),
            None => Some(self.unlisted(element, path)),
        }
    }

    fn apply(
        &mut self,
        action: Action,
        element: InMemElement,
        of: AttributeType,
        path: &mut Vec<Tag>,
    ) -> Option<InMemElement> {
        let tag = element.header().tag;
        let uid = uid_of(self.pseudonyms, self.again);
        let whose = matches!(tag, tags::PATIENT_ID | tags::PATIENT_NAME) && path.len() == 1;
        // The pseudonym of an earlier run is no identifier.
        let stays = matches!(action, Action::Keep | Action::Uid) || (whose && self.again);
        if !stays {
            self.removed.note(&element);
        }
        if whose && matches!(action, Action::Dummy | Action::Empty) {
            self.changes.add(path, action.letter());
            return Some(pseudonym(&element, &self.patient));
        }
        let after = match action {
            Action::Remove => None,
            Action::Dummy => Some(dummy(element, &uid)),
            Action::Keep => Some(self.kept(element, path)),
            Action::Uid if element.vr() == VR::UI => Some(with_uids(&element, &uid)),
            // U* of the table: a sequence stays, and the UIDs in it are replaced.
            Action::Uid if element.vr() == VR::SQ => Some(self.kept(element, path)),
            Action::Empty | Action::Uid => Some(emptied(&element)),
            Action::Clean => {
                let Some(cleaned) = self.cleaned(&element, path) else {
                    let basic = self.table.basic((tag.0, tag.1), of).unwrap_or(Action::Remove);
                    return self.apply(basic, element, of, path);
                };
                Some(cleaned)
            }
        };
        self.changes.add(path, action.letter());
        after
    }

    /// An attribute that the table does not name: it stays, but for a name, a date, or a UID that is not
    /// the standard's, which no table can know all of.
    fn unlisted(&mut self, element: InMemElement, path: &mut Vec<Tag>) -> InMemElement {
        let keeps = |option| self.policy.has(option);
        let action = match element.vr() {
            VR::PN => Action::Empty,
            VR::UI if !keeps(ProfileOption::RetainUids) => {
                let after = with_uids(&element, &uid_of(self.pseudonyms, self.again));
                if after.value() != element.value() {
                    self.changes.add(path, Action::Uid.letter());
                }
                return after;
            }
            VR::DA | VR::DT if keeps(ProfileOption::RetainModifiedDates) => Action::Clean,
            VR::DA | VR::DT if !keeps(ProfileOption::RetainFullDates) => Action::Empty,
            _ => return self.kept(element, path),
        };
        self.removed.note(&element);
        self.changes.add(path, action.letter());
        if action == Action::Clean
            && let Some(after) = moved(&element, self.days)
        {
            return after;
        }
        emptied(&element)
    }

    /// An element that stays; the items of a sequence are treated each.
    fn kept(&mut self, element: InMemElement, path: &mut Vec<Tag>) -> InMemElement {
        let (tag, vr) = (element.header().tag, element.vr());
        if vr != VR::SQ {
            return element;
        }
        let items = element.into_value().into_items().into_iter().flatten();
        let items: Vec<_> = items.map(|item| self.data_set(item, path)).collect();
        DataElement::new(tag, vr, Value::from(DataSetSequence::from(items)))
    }

    /// An element cleaned (action C), or `None` where that leaves nothing.
    fn cleaned(&mut self, element: &InMemElement, path: &mut Vec<Tag>) -> Option<InMemElement> {
        match element.vr() {
            VR::DA | VR::DT | VR::TM => moved(element, self.days),
            VR::SQ => {
                let items = clean::items(element.items()?)?;
                let items: Vec<_> =
                    items.into_iter().map(|item| self.data_set(item, path)).collect();
                let items = Value::from(DataSetSequence::from(items));
                Some(DataElement::new(element.header().tag, VR::SQ, items))
            }
            _ => clean::text(element),
        }
    }

    /// The private blocks of a data set that hold something safe: group, block, creator.
    fn safe_blocks(&self, set: &InMemDicomObject) -> Vec<(u16, u16, String)> {
        if !self.policy.has(ProfileOption::RetainSafePrivate) {
            return Vec::new();
        }
        let is_creator = |tag: Tag| tag.0 % 2 == 1 && (0x10..=0xFF).contains(&tag.1);
        let creators = set.tags().filter(|tag| is_creator(*tag));
        let mut blocks: Vec<_> =
            creators.filter_map(|tag| Some((tag.0, tag.1, text(set, tag)?))).collect();
        let safe = |(group, block, creator): &(u16, u16, String)| {
            set.iter().any(|element| {
                let tag = element.header().tag;
                (tag.0, tag.1 >> 8) == (*group, *block)
                    && safe_private(creator, *group, tag.1 as u8)
                        .is_some_and(|safe| values_read_as(element, safe.representation))
            })
        };
        blocks.retain(safe);
        blocks
    }

    fn private(
        &mut self,
        element: InMemElement,
        blocks: &[(u16, u16, String)],
        path: &[Tag],
    ) -> Option<InMemElement> {
        let tag = element.header().tag;
        let stays = blocks.iter().any(|(group, block, creator)| {
            let of_block = tag.0 == *group && tag.1 >> 8 == *block;
            (tag.0 == *group && tag.1 == *block)
                || (of_block
                    && safe_private(creator, *group, tag.1 as u8)
                        .is_some_and(|safe| values_read_as(&element, safe.representation)))
        });
        let action = if stays { Action::Keep } else { Action::Remove };
        if !stays {
            self.removed.note(&element);
        }
        self.changes.add(path, action.letter());
        stays.then_some(element)
    }
}

/// Whether every value reads as a number, or as a code of few capitals.
fn values_read_as(element: &InMemElement, representation: &str) -> bool {
    let text = match element.value().primitive() {
        Some(value) if element.vr() == VR::UN => {
            String::from_utf8_lossy(&value.to_bytes()).into_owned()
        }
        Some(value) => value.to_str().into_owned(),
        None => return false,
    };
    text.trim_matches([' ', '\0']).split('\\').map(str::trim).all(|value| match representation {
        "IS" => value.len() <= 12 && value.parse::<i64>().is_ok(),
        "DS" => value.len() <= 16 && value.parse::<f64>().is_ok(),
        _ => {
            value.len() <= 8 && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        }
    })
}
