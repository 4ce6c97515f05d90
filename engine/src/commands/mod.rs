//! One file a group of subcommands.

pub(crate) mod adapter;
pub(crate) mod bench;
pub(crate) mod bring;
mod check;
pub(crate) mod companions;
pub(crate) mod compare;
pub(crate) mod dataset;
pub(crate) mod deidentify;
pub(crate) mod dicom;
pub(crate) mod evaluate;
pub(crate) mod exchange;
pub(crate) mod generate;
pub(crate) mod model;
mod output;
pub(crate) mod search;
pub(crate) mod train;
pub(crate) mod transcribe;
pub(crate) mod verify;

pub(crate) use output::Output;
