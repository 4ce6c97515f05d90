//! What was done to an object, by tag and action and never by value.

use std::collections::BTreeMap;
use std::fmt::Write;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde::Serialize;

use crate::dicom::Header;

/// What was done to an attribute, as often as it stands at one place of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The tags from the top level down: `(0040,0275)(0040,0007)`.
    pub path: String,
    /// The keyword of PS3.6; none for what it does not know.
    pub keyword: Option<&'static str>,
    /// The action of PS3.15 Table E.1-1a: D, Z, X, K, C or U.
    pub action: &'static str,
    /// How often.
    pub count: u32,
}

/// A part of a frame in which text was burned in, in pixels from the top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Region {
    /// The frame, from 1.
    pub frame: u32,
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// What was done to an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// Its new SOP Instance UID; empty where it was quarantined.
    pub sop_instance_uid: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// Columns.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Frames.
    pub frames: u32,
    /// What was done to attributes, in the order of their paths.
    pub changes: Vec<Change>,
    /// What was blanked.
    pub regions: Vec<Region>,
}

impl ObjectReport {
    pub(super) fn new(header: &Header) -> Self {
        Self {
            sop_class_uid: header.sop_class_uid.clone(),
            columns: header.columns,
            rows: header.rows,
            frames: header.frames,
            ..Self::default()
        }
    }
}

/// Changes while they are made, by path and action.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<(Vec<Tag>, &'static str), u32>);

impl Changes {
    pub(super) fn add(&mut self, path: &[Tag], action: &'static str) {
        *self.0.entry((path.to_vec(), action)).or_default() += 1;
    }

    pub(super) fn into_list(self) -> Vec<Change> {
        let changes = self.0.into_iter().map(|((path, action), count)| {
            let mut words = String::new();
            for tag in &path {
                // A String takes whatever is written to it.
                let _ = write!(words, "({:04X},{:04X})", tag.0, tag.1);
            }
            let entry = path.last().and_then(|tag| StandardDataDictionary.by_tag(*tag));
            Change { path: words, keyword: entry.map(DataDictionaryEntry::alias), action, count }
        });
        changes.collect()
    }
}
