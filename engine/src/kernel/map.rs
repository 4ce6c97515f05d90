//! Weights mapped from disk.

use std::path::Path;

use candle_core::Result;
use candle_core::safetensors::MmapedSafetensors;

/// Maps a safetensors file into memory: tensors are read from the page cache when they are asked
/// for, and nothing is copied before.
pub fn map_weights(path: &Path) -> Result<MmapedSafetensors> {
    // SAFETY: the mapping is read-only. Bundles are written under a temporary name and renamed, so
    // a file that is mapped is never truncated or written in place by this program; whoever edits
    // a model file in place under a running server breaks the contract of the bundle folder.
    #[allow(unsafe_code)]
    unsafe {
        MmapedSafetensors::new(path)
    }
}
