//! Skiagraph tested from outside: the API by its URLs, whole flows, golden numbers, the walls.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod api;
mod flows;
mod fuzz;
mod golden;
mod harness;
mod layers;
mod standards;
