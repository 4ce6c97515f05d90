//! What was done to a folder of objects: for programs as JSON, and as a page that a person can sign.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use skiagraph_compliance::deidentification::{BASIC_PROFILE, Policy, SCHEME};

use super::{Change, ObjectReport};

/// What was done to a folder of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The program that did it.
    pub program: String,
    /// The edition of PS3.15 whose table counted.
    pub edition: &'static str,
    /// Codes and meanings of profile and options (CID 7050).
    pub methods: Vec<(String, String)>,
    /// Objects that are clean.
    pub clean: u64,
    /// Objects that are put aside.
    pub quarantined: u64,
    /// Objects that came twice.
    pub duplicates: u64,
    /// Files beside them that are no DICOM objects, and were left where they are.
    pub other_files: u64,
    /// Every object by its number, in the order of the sources' paths.
    pub objects: Vec<Entry>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number.
    pub number: usize,
    /// Why it was put aside; absent where it is clean.
    pub quarantine: Option<String>,
    /// What was done to it.
    #[serde(flatten)]
    pub report: ObjectReport,
}

impl Summary {
    pub(super) fn new(policy: &Policy) -> Self {
        let (code, meaning) = BASIC_PROFILE;
        let options = policy.options().map(|option| (option.code(), option.meaning()));
        let methods = std::iter::once((code, meaning)).chain(options);
        Self {
            program: format!("Skiagraph {}", crate::VERSION),
            edition: policy.edition().name(),
            methods: methods.map(|(code, meaning)| (code.into(), meaning.into())).collect(),
            clean: 0,
            quarantined: 0,
            duplicates: 0,
            other_files: 0,
            objects: Vec::new(),
        }
    }

    pub(super) fn clean(&mut self, number: usize, report: ObjectReport) {
        self.clean += 1;
        self.objects.push(Entry { number, quarantine: None, report });
    }

    pub(super) fn quarantined(&mut self, number: usize, reason: String, report: ObjectReport) {
        self.quarantined += 1;
        self.objects.push(Entry { number, quarantine: Some(reason), report });
    }

    pub(super) fn duplicate(&mut self) {
        self.duplicates += 1;
    }

    /// The page that a person reads and signs, in Markdown. No value of any attribute stands in it.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        // A String takes whatever is written to it.
        let _ = self.write_page(&mut page);
        page
    }

    fn write_page(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "# De-identification\n")?;
        writeln!(page, "{}, by Table E.1-1 of DICOM PS3.15 {}.\n", self.program, self.edition)?;
        writeln!(page, "| code | scheme | profile or option |\n|---|---|---|")?;
        for (code, meaning) in &self.methods {
            writeln!(page, "| {code} | {SCHEME} | {meaning} |")?;
        }
        let blanked: usize = self.objects.iter().map(|entry| entry.report.regions.len()).sum();
        let touched = self.objects.iter().filter(|entry| !entry.report.regions.is_empty()).count();
        writeln!(page, "\n| | |\n|---|---|")?;
        for (what, count) in [
            ("objects that are clean", self.clean),
            ("objects in quarantine", self.quarantined),
            ("objects that came twice", self.duplicates),
            ("other files, left where they are", self.other_files),
            ("objects with text blanked in their pixels", touched as u64),
            ("parts of pictures that were blanked", blanked as u64),
        ] {
            writeln!(page, "| {what} | {count} |")?;
        }
        writeln!(page, "\n## What was done to which attribute\n")?;
        writeln!(
            page,
            "D replaced by a dummy, Z emptied or replaced, X removed, K kept, C cleaned, U replaced by \
             another UID.\n\n| attribute | keyword | action | objects | times |\n|---|---|---|---|---|"
        )?;
        let mut sums: BTreeMap<(&str, &str), (Option<&str>, u64, u64)> = BTreeMap::new();
        let clean = self.objects.iter().filter(|entry| entry.quarantine.is_none());
        for Change { path, keyword, action, count } in clean.flat_map(|entry| &entry.report.changes)
        {
            let sum = sums.entry((path, action)).or_insert((*keyword, 0, 0));
            sum.1 += 1;
            sum.2 += u64::from(*count);
        }
        for ((path, action), (keyword, objects, times)) in sums {
            let keyword = keyword.unwrap_or("");
            writeln!(page, "| {path} | {keyword} | {action} | {objects} | {times} |")?;
        }
        writeln!(page, "\n## Quarantine\n")?;
        if self.quarantined == 0 {
            writeln!(page, "Nothing was put aside.")?;
        } else {
            writeln!(page, "| object | why |\n|---|---|")?;
        }
        for entry in &self.objects {
            if let Some(reason) = &entry.quarantine {
                writeln!(page, "| {:06} | {} |", entry.number, reason.replace('|', "/"))?;
            }
        }
        writeln!(
            page,
            "\n## Signature\n\nI have looked at this page and at a sample of the objects.\n\n\
             Name: ______________________  Date: ______________  Signature: ______________________"
        )
    }
}
