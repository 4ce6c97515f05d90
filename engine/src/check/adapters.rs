//! The adapters that a reference file names.

use std::path::PathBuf;

use serde::Deserialize;

use super::error::CheckError;
use super::reference::Reference;
use crate::adapter::Adapter;

/// A path and how strongly it acts, in the file's metadata.
#[derive(Deserialize)]
struct Named {
    path: PathBuf,
    #[serde(default = "whole")]
    scale: f32,
}

fn whole() -> f32 {
    1.0
}

/// One, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    One(Named),
    Several(Vec<Named>),
}

/// The adapters of the entry `lora`, with their scales: `{"path": …, "scale": …}`, a list of such, or
/// `path:scale`. A path is looked for beside the reference file, then where it stands.
///
/// # Errors
/// Where the entry cannot be read, or an adapter cannot.
pub(super) fn adapters(reference: &Reference) -> Result<Vec<(Adapter, f32)>, CheckError> {
    let Some(text) = reference.entry("lora") else { return Ok(Vec::new()) };
    let named = match serde_json::from_str(text) {
        Ok(Entry::One(one)) => vec![one],
        Ok(Entry::Several(several)) => several,
        Err(_) => {
            let scaled = text.rsplit_once(':').and_then(|(path, scale)| {
                Some(Named { path: path.into(), scale: scale.parse().ok()? })
            });
            vec![scaled.unwrap_or_else(|| Named { path: text.into(), scale: 1.0 })]
        }
    };
    named
        .into_iter()
        .map(|Named { path, scale }| {
            let beside = reference.folder().join(&path);
            let path = if beside.exists() { beside } else { path };
            let adapter = Adapter::open(&path)
                .map_err(|cause| CheckError::reference("lora", cause.to_string()))?;
            Ok((adapter, scale))
        })
        .collect()
}
