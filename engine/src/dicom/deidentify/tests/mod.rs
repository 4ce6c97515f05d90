#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod attributes;
mod burned;
mod folder;
mod names;
mod planted;
mod shown;
mod writing;
