//! The log as comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! A cell that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a
//! tabulator or a carriage return) gets an apostrophe before it. So does a cell that begins with an
//! apostrophe: taking one leading apostrophe away gives every cell back as it was.

use super::{Action, Event};

/// The columns, in their order, and what stands in them.
pub const CSV_COLUMNS: [(&str, &str); 18] = [
    ("sequence", "number of the row, from 1, without gaps"),
    ("recorded_at", "when it was written, RFC 3339, UTC"),
    ("actor_id", "identifier of the user; empty when unknown"),
    ("actor_name", "the name that was given"),
    ("actor_roles", "the user's roles, joined by commas"),
    ("action", "what was done, Skiagraph's word"),
    ("event_id", "DICOM Event ID, CID 400, code"),
    ("event_id_meaning", "DICOM Event ID, CID 400, meaning"),
    ("event_type", "DICOM Event Type Code, CID 401, code; empty when there is none"),
    ("event_action", "DICOM Event Action Code: C, R, U, D or E"),
    ("object_type", "what it was done to"),
    ("object_id", "identifier of the object; empty for a list"),
    ("outcome", "success, refused or failure"),
    ("outcome_indicator", "DICOM Event Outcome Indicator: 0, 4 or 8"),
    ("detail", "more, as JSON"),
    ("source_address", "the client's network address"),
    ("previous_hash", "hash of the row before"),
    ("hash", "hash of this row"),
];

/// A record cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the CSV form of an audit event cannot be written: {0}")]
pub struct CsvError(String);

/// The line of column names, with its line end.
pub fn csv_header() -> Result<Vec<u8>, CsvError> {
    line(CSV_COLUMNS.iter().map(|(name, _)| (*name).to_owned()))
}

/// The line of an event, with its line end.
pub fn csv_record(event: &Event) -> Result<Vec<u8>, CsvError> {
    let action = Action::parse(&event.action);
    let outcome = super::Outcome::parse(&event.outcome);
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    line(
        [
            event.sequence.to_string(),
            event.recorded_at.clone(),
            optional(&event.actor_id),
            event.actor_name.clone(),
            event.actor_roles.clone(),
            event.action.clone(),
            action.map_or("", |action| action.event_id().value).to_owned(),
            action.map_or("", |action| action.event_id().meaning).to_owned(),
            action.and_then(Action::event_type).map_or("", |code| code.value).to_owned(),
            action.map(|action| action.event_action().to_string()).unwrap_or_default(),
            event.object_type.clone(),
            optional(&event.object_id),
            event.outcome.clone(),
            outcome.map(|outcome| outcome.indicator().to_string()).unwrap_or_default(),
            event.detail.clone(),
            optional(&event.source_address),
            event.previous_hash.clone(),
            event.hash.clone(),
        ]
        .into_iter(),
    )
}

fn line(cells: impl Iterator<Item = String>) -> Result<Vec<u8>, CsvError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: &dyn std::fmt::Display| CsvError(error.to_string());
    writer.write_record(cells.map(harmless)).map_err(|error| failed(&error))?;
    writer.into_inner().map_err(|error| failed(&error))
}

fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) { format!("'{cell}") } else { cell }
}
