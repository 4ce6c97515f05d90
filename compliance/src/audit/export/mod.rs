//! How the log leaves: a form a file, each a function of one event, so that a log of years streams.
//!
//! ```text
//! csv        comma-separated values, RFC 4180
//! jsonl      JSON lines
//! atna_xml   DICOM PS3.15 A.5 (IHE ATNA), in both spellings of its codes
//! balp       FHIR R4 AuditEvent by IHE BALP, newline-delimited
//! ```
//!
//! Every form has one line a row (a quoted line end of a CSV cell apart) and carries every column: the
//! two of the standards, in which columns have no place of their own, hold the row as JSON beside their
//! fields. So all of them can be verified without the database ([`super::ExportVerifier`]): a row is
//! read, its line made anew, and the two compared.

mod atna_xml;
mod balp;
mod codes;
mod csv;
mod jsonl;
mod text;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

use serde_json::Value;

use super::Event;
use super::checkpoint::PublicKey;
use text::Scanned;

pub use atna_xml::Spelling;
pub use csv::COLUMNS as CSV_COLUMNS;

/// What the row is called where a standard's form carries it as a whole.
const ROW: &str = "urn:x-skiagraph:audit-row:1";

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values.
    Csv,
    /// JSON lines.
    JsonLines,
    /// XML by PS3.15 A.5.
    AtnaXml(Spelling),
    /// FHIR R4 AuditEvent by IHE BALP, newline-delimited.
    Balp,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 5] = [
        Self::Csv,
        Self::JsonLines,
        Self::AtnaXml(Spelling::Current),
        Self::AtnaXml(Spelling::Early),
        Self::Balp,
    ];

    /// The word on the wire and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::AtnaXml(Spelling::Current) => "atna-xml",
            Self::AtnaXml(Spelling::Early) => "atna-xml-early",
            Self::Balp => "balp",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }

    /// Media type of the file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
            Self::AtnaXml(_) => "application/xml",
            Self::Balp => "application/fhir+ndjson",
        }
    }

    /// End of the file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::AtnaXml(_) => "xml",
            Self::Balp => "ndjson",
        }
    }
}

/// Which installation reports, as the forms of the standards name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(String);

impl Source {
    /// The installation whose log this key signs: whoever holds the key can make its exports anew.
    pub fn of(key: &PublicKey) -> Self {
        Self(format!("skiagraph-{}", key.fingerprint()))
    }

    /// Audit Source ID of PS3.15 A.5.
    pub fn id(&self) -> &str {
        &self.0
    }
}

/// Writes a log in a form, a piece at a time.
#[derive(Debug, Clone)]
pub struct Exporter {
    form: Form,
    source: Source,
}

impl Exporter {
    /// Writes `form`, as this installation.
    pub fn new(form: Form, source: Source) -> Self {
        Self { form, source }
    }

    /// What it writes.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// What stands before the first event.
    ///
    /// # Errors
    /// The sink's own, here and below.
    pub fn begin(&self, out: &mut impl Write) -> fmt::Result {
        match self.form {
            Form::Csv => csv::header(out),
            Form::AtnaXml(spelling) => atna_xml::begin(out, spelling),
            Form::JsonLines | Form::Balp => Ok(()),
        }
    }

    /// The line of an event, with its line end.
    pub fn event(&self, out: &mut impl Write, event: &Event) -> fmt::Result {
        match self.form {
            Form::Csv => csv::event(out, event),
            Form::JsonLines => jsonl::event(out, event),
            Form::AtnaXml(spelling) => atna_xml::event(out, event, &self.source, spelling),
            Form::Balp => balp::event(out, event, &self.source),
        }
    }

    /// What stands after the last event.
    pub fn end(&self, out: &mut impl Write) -> fmt::Result {
        match self.form {
            Form::AtnaXml(_) => atna_xml::end(out),
            Form::Csv | Form::JsonLines | Form::Balp => Ok(()),
        }
    }

    /// Whether this is the event's line, its line end apart.
    pub(super) fn writes(&self, event: &Event, line: &str) -> bool {
        let mut anew = String::new();
        if self.event(&mut anew, event).is_err() {
            return false;
        }
        let anew = anew.trim_end_matches(['\r', '\n']);
        match self.form {
            Form::Csv | Form::AtnaXml(_) => anew == line,
            // The members of an object have no order. One that stands twice makes the line longer.
            Form::JsonLines | Form::Balp => {
                let value = |text| serde_json::from_str::<Value>(text).ok();
                anew.len() == line.len() && value(anew).is_some_and(|it| value(line) == Some(it))
            }
        }
    }

    /// What a line of an export of this form is.
    pub(super) fn scan(&self, line: &str) -> Scanned {
        match self.form {
            Form::Csv => csv::scan(line),
            Form::JsonLines => jsonl::scan(line),
            Form::AtnaXml(spelling) => atna_xml::scan(line, spelling),
            Form::Balp => balp::scan(line),
        }
    }
}

/// The form whose exports begin with this line.
pub(super) fn form_of(first_line: &str) -> Option<Form> {
    let line = first_line.trim_start_matches('\u{feff}');
    if line.starts_with("sequence,") {
        return Some(Form::Csv);
    }
    if line.starts_with("<?xml") {
        return [Spelling::Current, Spelling::Early]
            .into_iter()
            .find(|spelling| line.contains(spelling.namespace()))
            .map(Form::AtnaXml);
    }
    if line.starts_with('{') {
        let fhir = line.starts_with(balp::BEGINNING);
        return Some(if fhir { Form::Balp } else { Form::JsonLines });
    }
    None
}

pub(super) use text::Scanned as ScannedLine;
