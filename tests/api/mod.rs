//! The API by its URLs.

mod auth;
mod datasets;
mod description;
mod endpoints;
mod generations;
mod tokens;
mod uploads;
mod users;
mod verify;
