#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod damaged;
mod display;
mod exchange;
mod fixtures;
mod judges;
mod reading;
mod real;
mod served;
mod syntaxes;
mod wrapping;
mod writing;
