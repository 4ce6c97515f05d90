#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod companions;
mod compressed;
mod damaged;
mod display;
mod exchange;
mod fixtures;
mod fragments;
mod htj2k;
mod judges;
mod odd;
mod peers;
mod reading;
mod real;
mod served;
mod syntaxes;
mod tables;
mod wrapping;
mod writing;
