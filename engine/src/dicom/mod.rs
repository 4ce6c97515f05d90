//! Radiographs as DICOM objects: the only room that names dicom-rs.
//!
//! [`read`] and [`inspect`] take any radiograph in, [`wrap`] turns images and a label table into
//! DX objects, [`write_synthetic`] gives a generated image out, marked as what it is.

mod attributes;
mod class;
mod codec;
mod deflated;
mod deidentify;
mod dx;
mod equipment;
mod error;
mod find;
mod header;
mod lookup;
mod pixels;
mod png;
mod provenance;
mod radiograph;
mod read;
mod scan;
mod source;
mod synthetic;
mod transform;
mod uid;
mod wrap;

#[cfg(test)]
mod tests;

pub use crate::terms::{AgeGroup, Sex};
pub use deidentify::{
    Change, Deidentified, Deidentifier, DeidentifyFault, DeidentifyOptions, ObjectReport, Region,
    Summary, deidentify_folder,
};
pub use equipment::{Equipment, synthesizing_equipment};
pub use error::DicomError;
pub use find::dicom_files;
pub use png::{TRAINED_ALGORITHMIC_MEDIA, png_with_provenance, render_png};
pub use provenance::{
    AdapterUse, ControlUse, EmbeddingUse, InputUse, Provenance, SyntheticDescription, WatermarkUse,
    read_provenance,
};
pub use radiograph::{Frame, Header, Radiograph};
pub use read::{ReadOptions, inspect, inspect_from, read, read_file, read_from};
pub use synthetic::write_synthetic;
pub use wrap::{Columns, WrapError, WrapOptions, WrapSummary, wrap};
