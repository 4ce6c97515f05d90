//! The log as JSON lines: an object a row, every column by its name, and its DICOM codes.
//!
//! `detail` is the JSON text that was stored, as a text: the hash is over its letters.

use std::fmt::{self, Write};

use serde::Serialize;

use super::super::{Action, Event, Outcome};
use super::text::Scanned;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    /// Event ID of CID 400.
    event_id: Option<&'static str>,
    /// Event Type Code of CID 401.
    event_type: Option<&'static str>,
    /// Event Action Code.
    event_action: Option<char>,
    /// Event Outcome Indicator.
    outcome_indicator: Option<u8>,
}

/// The line of an event, with its line end.
pub(super) fn event(out: &mut impl Write, event: &Event) -> fmt::Result {
    let action = Action::parse(&event.action);
    let line = Line {
        event,
        event_id: action.map(|action| action.event_id().value),
        event_type: action.and_then(Action::event_type).map(|code| code.value),
        event_action: action.map(Action::event_action),
        outcome_indicator: Outcome::parse(&event.outcome).map(Outcome::indicator),
    };
    let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
    writeln!(out, "{line}")
}

/// What a line is.
pub(super) fn scan(line: &str) -> Scanned {
    serde_json::from_str(line).map_or(Scanned::Unreadable, |row| Scanned::Row(Box::new(row)))
}
