//! What can be wrong with a DICOM object.

/// An error of reading or writing a DICOM object.
///
/// The message names the attribute and the cause, and never an attribute's value: values may be
/// patient data.
#[derive(Debug, thiserror::Error)]
pub enum DicomError {
    /// The bytes are not a DICOM Part 10 file.
    #[error("not a DICOM file: {cause}")]
    NotDicom {
        /// What was missing.
        cause: &'static str,
    },
    /// An attribute is absent or unusable.
    #[error("{keyword} ({tag}): {cause}")]
    Attribute {
        /// The keyword of PS3.6, for example `Rows`.
        keyword: &'static str,
        /// The tag as `gggg,eeee`.
        tag: &'static str,
        /// Why it cannot be used.
        cause: String,
    },
    /// The object is well formed and not one that the engine reads.
    #[error("unsupported object: {cause}")]
    Unsupported {
        /// What is not supported.
        cause: String,
    },
    /// The pixel data cannot be decoded.
    #[error("PixelData (7FE0,0010): {cause}")]
    PixelData {
        /// What the decoder said.
        cause: String,
    },
    /// Reading or writing failed below DICOM.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}
