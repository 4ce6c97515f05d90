//! The tables, column by column; generated from the schema.
#![allow(missing_docs)]

pub mod audit_events;
pub mod audit_head;
pub mod refresh_tokens;
pub mod user_roles;
pub mod users;
