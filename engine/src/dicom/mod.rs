//! Radiographs as DICOM objects: the only room that names dicom-rs.

mod error;
mod radiograph;

pub use error::DicomError;
pub use radiograph::{AgeGroup, Frame, Header, Radiograph, Sex};
