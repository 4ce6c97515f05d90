//! Queries, a table a file. They know no HTTP.

pub mod audit;
pub mod check_state;
pub mod datasets;
pub mod destinations;
pub mod generations;
pub mod images;
pub mod instances;
pub mod radiographs;
pub mod registry;
pub mod reviews;
pub mod runs;
pub mod sessions;
pub mod state;
pub mod transfers;
pub mod uploads;
pub mod users;
pub mod work;
