//! The engine of Skiagraph: everything that touches pixels and tensors.
//!
//! The rooms stand on floors. A room knows only the floors below it, never its neighbours
//! (`tests/layers.rs` holds the walls):
//!
//! | floor | rooms |
//! |---|---|
//! | 1 | [`device`], [`files`], [`kernel`], [`terms`] |
//! | 2 | [`nn`], [`noise`], [`dicom`], [`prompt`], [`hub`], [`metric`] |
//! | 3 | [`control`], [`credential`], [`model`], [`quality`], [`speech`], [`watermark`] |
//! | 4 | [`adapter`], [`data`], [`verify`] |
//! | 5 | [`sample`] |
//! | 6 | [`bench`], [`check`], [`evaluate`] |
//! | 7 | [`train`] |
//! | 8 | [`serve`] |
//! | 9 | the command line, `main` |

pub mod adapter;
pub mod bench;
pub mod check;
pub mod control;
pub mod credential;
pub mod data;
pub mod device;
pub mod dicom;
pub mod evaluate;
pub mod files;
pub mod hub;
pub mod kernel;
pub mod metric;
pub mod model;
pub mod nn;
pub mod noise;
pub mod prompt;
pub mod quality;
pub mod sample;
pub mod serve;
pub mod speech;
pub mod terms;
pub mod train;
pub mod verify;
pub mod watermark;

/// The engine's version, written into every image's provenance.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
