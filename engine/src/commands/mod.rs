//! One file a group of subcommands.

pub(crate) mod dataset;
pub(crate) mod dicom;
mod output;
pub(crate) mod train;

pub(crate) use output::Output;
