//! The endpoints: `<noun>/<verb>.rs`.

pub mod audit;
pub mod auth;
pub mod health;
mod refusals;
pub mod users;

pub use refusals::Refusals;
