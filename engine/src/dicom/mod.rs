//! Radiographs as DICOM objects: the only room that names dicom-rs.
//!
//! [`read`] and [`inspect`] take any radiograph in, [`wrap`] turns images and a label table into
//! DX objects, [`write_synthetic`] gives a generated image out, marked as what it is;
//! [`write_segmentation`] and [`write_report`] put its mask and a verdict on it beside it.

mod attributes;
mod class;
mod codec;
mod companion;
mod deflated;
mod deidentify;
mod dx;
mod equipment;
mod error;
pub mod exchange;
mod find;
mod frames;
mod header;
mod identity;
mod json;
mod lookup;
mod meta;
mod pixels;
mod png;
mod provenance;
mod radiograph;
mod read;
mod report;
mod scan;
mod segmentation;
mod show;
mod source;
mod syntax;
mod synthetic;
mod transform;
mod uid;
mod unknown;
mod wrap;

#[cfg(test)]
mod tests;

pub use crate::terms::{AgeGroup, Sex};
pub use deidentify::{
    Change, Deidentified, Deidentifier, DeidentifyFault, DeidentifyOptions, ObjectReport, Region,
    Shown, Summary, deidentify_folder,
};
pub use equipment::{Equipment, synthesizing_equipment};
pub use error::DicomError;
pub use find::dicom_files;
pub use frames::{StoredFrame, native_frame, stored_frame, uncompressed};
pub use identity::{Identity, identify};
pub use json::{Described, attribute_tag, bulk_value, describe};
pub use png::{TRAINED_ALGORITHMIC_MEDIA, png_with_provenance, render_png};
pub use provenance::{
    AdapterUse, ControlUse, EmbeddingUse, InputUse, Provenance, SyntheticDescription, WatermarkUse,
    read_provenance,
};
pub use radiograph::{Frame, Header, Radiograph};
pub use read::{ReadOptions, inspect, inspect_from, read, read_file, read_from};
pub use report::{Review, Verdict, write_report};
pub use scan::is_dicom;
pub use segmentation::write_segmentation;
pub use show::{DisplayWindow, Picture, Show, WindowFunction, show};
pub use syntax::{TransferSyntax, WriteOptions};
pub use synthetic::{write_synthetic, write_synthetic_as};
pub use uid::is_valid as is_valid_uid;
pub use wrap::{Columns, WrapError, WrapOptions, WrapSummary, wrap};
