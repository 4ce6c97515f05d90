//! Files of a bundle, read with bounds and written whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::{DType, Tensor, Var};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::error::ModelError;
use crate::files;
use crate::kernel::header_length;

/// Bytes of a configuration, an index or a vocabulary, at most.
const LONGEST_TEXT: u64 = 16 << 20;

/// The bytes of a text file of a bundle.
///
/// # Errors
/// Where it is no file (a folder, a pipe, a link in a circle), or has more than 16 MiB.
pub fn read_text(path: &Path) -> Result<Vec<u8>, ModelError> {
    let fault = |cause| ModelError::file(path, cause);
    // Asked first: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(fault)?.is_file() {
        return Err(ModelError::file(path, "is no file"));
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(fault)?.take(LONGEST_TEXT + 1);
    file.read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > LONGEST_TEXT {
        let cause = format!("is longer than {LONGEST_TEXT} bytes, which no configuration is");
        return Err(ModelError::file(path, cause));
    }
    Ok(bytes)
}

/// Reads a JSON file; the error names the file. What is nested deeper than 128 levels is refused.
///
/// # Errors
/// As [`read_text`], and where it is no JSON or not of this form.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read_text(path)?).map_err(|cause| ModelError::file(path, cause))
}

/// Writes a value as readable JSON, atomically.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|cause| ModelError::file(path, cause))?;
    files::replace(path, format!("{text}\n").as_bytes())
        .map_err(|cause| ModelError::file(path, cause))
}

/// Writes `weights` as safetensors in `dtype`, atomically.
///
/// # Errors
/// Where the file cannot be written.
pub fn save_weights(
    path: &Path,
    weights: &BTreeMap<String, Tensor>,
    dtype: DType,
) -> Result<(), ModelError> {
    let converted = weights
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(dtype)?.contiguous()?)))
        .collect::<candle_core::Result<Vec<_>>>()?;
    let bytes =
        safetensors::serialize(converted, None).map_err(|cause| ModelError::file(path, cause))?;
    files::replace(path, &bytes).map_err(|cause| ModelError::file(path, cause))
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// Where the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, ModelError> {
    let fault = |cause| ModelError::file(path, cause);
    let mut file = File::open(path).map_err(fault)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(fault)?;
    Ok(hex::encode(hash.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The metadata in the header of a safetensors file.
///
/// # Errors
/// Where the file cannot be read, or its header is longer than it or is no such JSON.
pub fn safetensors_metadata(path: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let fault = |cause: String| ModelError::file(path, cause);
    let words = |cause: std::io::Error| ModelError::file(path, cause);
    let mut file = File::open(path).map_err(words)?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(8).read_to_end(&mut start).map_err(words)?;
    let length = header_length(&start, file.metadata().map_err(words)?.len()).map_err(fault)?;
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(words)?;
    metadata_of(&header).map_err(fault)
}

/// The metadata in the JSON of a safetensors header.
///
/// # Errors
/// Where it is no JSON, or its metadata holds what is no text.
pub fn metadata_of(header: &[u8]) -> Result<BTreeMap<String, String>, String> {
    #[derive(serde::Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: Option<BTreeMap<String, String>>,
    }
    let header: Header = serde_json::from_slice(header).map_err(|cause| cause.to_string())?;
    Ok(header.metadata.unwrap_or_default())
}

/// The variables' values, detached, by name.
pub fn values(variables: &BTreeMap<String, Var>) -> BTreeMap<String, Tensor> {
    variables.iter().map(|(name, variable)| (name.clone(), variable.as_detached_tensor())).collect()
}
