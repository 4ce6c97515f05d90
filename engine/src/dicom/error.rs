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
    /// An element says that it is longer than what is left of the bytes.
    #[error("truncated: element ({tag}) says {length} bytes and {left} are left")]
    Truncated {
        /// The tag as `gggg,eeee`.
        tag: String,
        /// What the element says.
        length: u64,
        /// What there is.
        left: u64,
    },
    /// The data elements cannot be parsed.
    #[error("damaged data set: {cause}")]
    Damaged {
        /// What the parser said.
        cause: String,
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
    /// The object cannot be put together.
    #[error("cannot write the object: {cause}")]
    Write {
        /// What the writer said.
        cause: String,
    },
    /// Reading or writing failed below DICOM.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}

impl DicomError {
    /// An [`DicomError::Attribute`] in one line.
    pub(crate) fn attribute(
        keyword: &'static str,
        tag: &'static str,
        cause: impl Into<String>,
    ) -> Self {
        Self::Attribute { keyword, tag, cause: cause.into() }
    }
}
