//! The schema of Skiagraph, one file a step: expand, then contract. A step that has been released
//! is never changed.
//!
//! Identifiers are UUIDs as text, times are UTC. What belongs together is one file; the audit log's
//! triggers are the only statements that are written once for each kind of database.

// The words of the schema are made to be imported together.
#![allow(clippy::wildcard_imports)]

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod columns;
mod m0001_users;
mod m0002_uploads;
mod m0003_datasets;
mod m0004_runs;
mod m0005_generations;
mod m0006_reviews;
mod m0007_audit;
mod m0008_checks;
mod m0009_exchange;
mod m0010_registry;
mod m0011_fingerprint_parts;
mod m0012_dicomweb_destinations;

/// Every step in its order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_users::Migration),
            Box::new(m0002_uploads::Migration),
            Box::new(m0003_datasets::Migration),
            Box::new(m0004_runs::Migration),
            Box::new(m0005_generations::Migration),
            Box::new(m0006_reviews::Migration),
            Box::new(m0007_audit::Migration),
            Box::new(m0008_checks::Migration),
            Box::new(m0009_exchange::Migration),
            Box::new(m0010_registry::Migration),
            Box::new(m0011_fingerprint_parts::Migration),
            Box::new(m0012_dicomweb_destinations::Migration),
        ]
    }
}
