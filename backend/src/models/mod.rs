//! Queries, a table a file. They know no HTTP.

pub mod audit;
pub mod sessions;
pub mod users;
