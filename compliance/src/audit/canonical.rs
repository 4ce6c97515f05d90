//! The canonical form of an event, and the hash over it.
//!
//! Every column stands with its length in bytes, so that no two events share a form whatever their
//! columns hold: `actor_name 5:alice\n`; a column without a value is `object_id -\n`.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Event;

/// What stands in for the hash before the first row.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Begins every form; a new form gets a new number.
const VERSION: &str = "skiagraph-audit-1";

/// Hash of an event: SHA-256 over its canonical form, which holds the hash before. 64 lower-case
/// hexadecimal digits. The event's own `hash` is not looked at.
pub fn hash(event: &Event) -> String {
    hash_as(event, event.sequence)
}

/// The hash that the event would have at another place.
pub(super) fn hash_as(event: &Event, sequence: i64) -> String {
    hex::encode(Sha256::digest(form(event, sequence)))
}

fn form(event: &Event, sequence: i64) -> String {
    let number = sequence.to_string();
    let columns = [
        ("previous_hash", Some(event.previous_hash.as_str())),
        ("sequence", Some(number.as_str())),
        ("recorded_at", Some(event.recorded_at.as_str())),
        ("actor_id", event.actor_id.as_deref()),
        ("actor_name", Some(event.actor_name.as_str())),
        ("actor_roles", Some(event.actor_roles.as_str())),
        ("action", Some(event.action.as_str())),
        ("object_type", Some(event.object_type.as_str())),
        ("object_id", event.object_id.as_deref()),
        ("outcome", Some(event.outcome.as_str())),
        ("detail", Some(event.detail.as_str())),
        ("source_address", event.source_address.as_deref()),
    ];
    let mut form = format!("{VERSION}\n");
    for (name, value) in columns {
        // Writing to a string cannot fail.
        let _ = match value {
            Some(value) => writeln!(form, "{name} {}:{value}", value.len()),
            None => writeln!(form, "{name} -"),
        };
    }
    form
}
