//! How much an upload may hold.

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The limits of one upload.
///
/// They bound what a request costs before anything in it is trusted: disk while it streams,
/// memory while a file is checked, and the work behind a small ZIP.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the whole request.
    pub request_bytes: u64,
    /// Bytes of one DICOM file; a file is held in memory while it is checked.
    pub file_bytes: u64,
    /// Files of a request, and entries of all its ZIPs together.
    pub files: usize,
    /// Bytes that all ZIPs of a request may expand to.
    pub expanded_bytes: u64,
    /// How many times larger than its compressed form an entry may become.
    ///
    /// Radiographs with wide black borders reach some 50; DEFLATE itself ends at 1,032.
    pub expansion_ratio: u64,
    /// Entries up to this size are not held to the ratio: small files cost nothing.
    pub ratio_free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 2 * GIB,
            file_bytes: 256 * MIB,
            files: 20_000,
            expanded_bytes: 8 * GIB,
            expansion_ratio: 200,
            ratio_free_bytes: MIB,
        }
    }
}
