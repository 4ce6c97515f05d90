//! The log as comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! A cell that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a
//! tabulator or a carriage return) gets an apostrophe before it. So does a cell that begins with an
//! apostrophe: taking one leading apostrophe away gives every cell back as it was.

use std::fmt::{self, Write};

use super::super::{Action, Event, Outcome};
use super::text::Scanned;

/// The columns, in their order, and what stands in them.
pub const COLUMNS: [(&str, &str); 18] = [
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

/// The line of column names, with its line end.
pub(super) fn header(out: &mut impl Write) -> fmt::Result {
    line(out, COLUMNS.iter().map(|(name, _)| (*name).to_owned()))
}

/// The line of an event, with its line end.
pub(super) fn event(out: &mut impl Write, event: &Event) -> fmt::Result {
    let action = Action::parse(&event.action);
    let outcome = Outcome::parse(&event.outcome);
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
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
    ];
    line(out, cells.into_iter())
}

/// What a line, or several that hang together by a quoted line end, is. A cell that is empty where
/// nothing may stand reads as nothing.
pub(super) fn scan(record: &str) -> Scanned {
    if record.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
        return Scanned::Unfinished;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record.as_bytes());
    let mut records = reader.records();
    let (Some(Ok(cells)), None) = (records.next(), records.next()) else {
        return Scanned::Unreadable;
    };
    if cells.iter().eq(COLUMNS.iter().map(|(name, _)| *name)) {
        return Scanned::Frame;
    }
    let cell = |name: &str| {
        let place = COLUMNS.iter().position(|(column, _)| *column == name)?;
        let text = cells.get(place)?;
        Some(text.strip_prefix('\'').unwrap_or(text).to_owned())
    };
    let optional = |name: &str| cell(name).filter(|text| !text.is_empty());
    let row = || {
        Some(Event {
            sequence: cell("sequence")?.parse().ok()?,
            recorded_at: cell("recorded_at")?,
            actor_id: optional("actor_id"),
            actor_name: cell("actor_name")?,
            actor_roles: cell("actor_roles")?,
            action: cell("action")?,
            object_type: cell("object_type")?,
            object_id: optional("object_id"),
            outcome: cell("outcome")?,
            detail: cell("detail")?,
            source_address: optional("source_address"),
            previous_hash: cell("previous_hash")?,
            hash: cell("hash")?,
        })
    };
    row().map_or(Scanned::Unreadable, |row| Scanned::Row(Box::new(row)))
}

fn line(out: &mut impl Write, cells: impl Iterator<Item = String>) -> fmt::Result {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(cells.map(harmless)).map_err(|_| fmt::Error)?;
    let bytes = writer.into_inner().map_err(|_| fmt::Error)?;
    out.write_str(&String::from_utf8(bytes).map_err(|_| fmt::Error)?)
}

fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) { format!("'{cell}") } else { cell }
}
