//! The Skiagraph platform: REST API, records, audit log, pages.
//!
//! ```text
//! main → commands → router → controllers/<noun>/<verb> → auth (guards) → models/<table> → entities
//!                                                      ↘ views        ↘ audit → compliance
//! ```
//!
//! A handler reaches the database only through its guard, which has written the audit event:
//! [`auth::Access`].

pub mod audit;
pub mod auth;
pub mod commands;
pub mod config;
pub mod controllers;
pub mod database;
pub mod destinations;
pub mod entities;
pub mod error;
pub mod exchange;
pub mod intake;
pub mod jobs;
pub mod marking;
pub mod models;
pub mod router;
pub mod secrets;
pub mod state;
pub mod storage;
pub mod telemetry;
pub mod views;

#[cfg(test)]
mod testing;
