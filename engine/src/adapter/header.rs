//! The metadata in a safetensors file's header, which the mapped file does not hand out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use serde::Deserialize;

/// The longest header that is read, as in the safetensors library.
const LONGEST: u64 = 100_000_000;

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
}

/// The metadata of the file at `path`; none where it has none.
///
/// # Errors
/// Where the header is cut off, longer than the file, or not what it should be.
pub(super) fn metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let fault = |cause: &str| Error::new(ErrorKind::InvalidData, cause);
    if length > LONGEST || length > size.saturating_sub(8) {
        return Err(fault("the header is longer than the file, or than 100 MB"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|cause| fault(&format!("the header is no JSON of safetensors: {cause}")))?;
    Ok(header.metadata)
}
