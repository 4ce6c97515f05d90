//! What the forms have in common: text that any of them can hold, and rows read back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::Event;

/// What a line of an export turned out to be.
#[derive(Debug)]
pub(in super::super) enum Scanned {
    /// A row.
    Row(Box<Event>),
    /// What stands before the first row or after the last.
    Frame,
    /// The beginning of a record that goes on in the next line.
    Unfinished,
    /// Nothing that an export of this form holds.
    Unreadable,
}

/// The text without what XML 1.0 cannot hold and FHIR's strings must not: a control character becomes
/// a space, which is what an XML reader makes of a line end in an attribute.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            control if control.is_control() => ' ',
            other => other,
        })
        .collect()
}

/// The bytes of a text in base 64.
pub(super) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// The whole row in base 64.
pub(super) fn encode_row(event: &Event) -> String {
    encode(&serde_json::to_string(event).unwrap_or_default())
}

/// The row that [`encode_row`] wrote.
pub(super) fn decode_row(text: &str) -> Option<Event> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}
