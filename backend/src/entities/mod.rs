//! The tables, column by column; generated from the schema.
#![allow(missing_docs)]

pub mod audit_events;
pub mod audit_head;
pub mod dataset_uploads;
pub mod datasets;
pub mod destinations;
pub mod generations;
pub mod image_identifiers;
pub mod images;
pub mod instances;
pub mod radiographs;
pub mod refresh_tokens;
pub mod reviews;
pub mod run_metrics;
pub mod runs;
pub mod transfers;
pub mod uploads;
pub mod user_roles;
pub mod users;
