//! Weights mapped from disk.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::safetensors::MmapedSafetensors;

use super::fault::Fault;

/// Bytes of a safetensors header, at most. The header of Stable Diffusion XL in one file has half a
/// megabyte; what is longer is no header, and would ask for memory before a tensor is read.
pub const LONGEST_HEADER: u64 = 16 << 20;

/// Maps a safetensors file into memory: tensors are read from the page cache when they are asked
/// for, and nothing is copied before.
///
/// # Errors
/// Where the file is none, its header is longer than the file or than [`LONGEST_HEADER`], or the
/// header lies: offsets that overlap, leave holes or lie outside, sizes that are not those of shape
/// and number type.
pub fn map_weights(path: &Path) -> Result<MmapedSafetensors, Fault> {
    check(path)?;
    // SAFETY: the mapping is read-only. Bundles are written under a temporary name and renamed, so
    // a file that is mapped is never truncated or written in place by this program; whoever edits
    // a model file in place under a running server breaks the contract of the bundle folder.
    #[allow(unsafe_code)]
    let mapped = unsafe { MmapedSafetensors::new(path) };
    Ok(mapped?)
}

/// Maps the files of a model that was cut into several, as one.
///
/// # Errors
/// As [`map_weights`]; where there are several, the file is named.
pub fn map_shards<P: AsRef<Path>>(paths: &[P]) -> Result<MmapedSafetensors, Fault> {
    if let [one] = paths {
        return map_weights(one.as_ref());
    }
    for path in paths.iter().map(AsRef::as_ref) {
        let name = path.file_name().unwrap_or_default().display();
        // Each by itself first, so that the damaged one is named.
        map_weights(path).map_err(|cause| Fault::new(format!("{name}: {cause}")))?;
    }
    // SAFETY: as in `map_weights`.
    #[allow(unsafe_code)]
    let mapped = unsafe { MmapedSafetensors::multi(paths) };
    Ok(mapped?)
}

/// Takes a mapped tensor out of this process's memory: what is read of it again comes from the page cache. Whoever has
/// copied a weight would hold it twice otherwise. Where the system has no such thing, nothing happens.
pub fn release(files: &MmapedSafetensors, name: &str) {
    #[cfg(unix)]
    if let Ok(view) = files.get(name) {
        const PAGE: usize = 4096;
        let bytes = view.data();
        // Whole pages inside the tensor; where pages are larger the call fails, and all stays as it was.
        let start = bytes.as_ptr().addr().next_multiple_of(PAGE);
        let end = (bytes.as_ptr().addr() + bytes.len()) / PAGE * PAGE;
        if start < end {
            let first = bytes.as_ptr().with_addr(start).cast_mut().cast();
            // SAFETY: the pages belong to a mapping of a file that is only read, so that they come back as they were.
            #[allow(unsafe_code)]
            unsafe {
                libc::madvise(first, end - start, libc::MADV_DONTNEED);
            }
        }
    }
    #[cfg(not(unix))]
    let _ = (files, name);
}

/// Looks at a file's first eight bytes before anything is mapped.
fn check(path: &Path) -> Result<(), Fault> {
    // Asked first: opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Fault::new("is no file"));
    }
    let mut file = File::open(path)?;
    let mut start = Vec::with_capacity(8);
    Read::by_ref(&mut file).take(8).read_to_end(&mut start)?;
    header_length(&start, file.metadata()?.len()).map(drop).map_err(Fault::new)
}

/// The length of the header of a safetensors file of `length` bytes that begins with `start`.
///
/// # Errors
/// Where the header cannot be as long as it says.
pub fn header_length(start: &[u8], length: u64) -> Result<u64, String> {
    let Some(count) = start.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return Err("is too short to be a safetensors file".into());
    };
    if count > length.saturating_sub(8) {
        return Err(format!(
            "is no safetensors file, or a truncated one: its header should have {count} bytes, and \
             the file has {length}"
        ));
    }
    if count > LONGEST_HEADER {
        return Err(format!("its header has {count} bytes, and {LONGEST_HEADER} are read at most"));
    }
    Ok(count)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::safetensors::save;
    use candle_core::{DType, Device, Tensor};

    use super::*;

    /// Bytes of a mapped file that lie in this process's memory.
    fn resident(path: &Path) -> usize {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mapping = maps.split_once(path.to_str().unwrap()).unwrap().1;
        let size = mapping.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
        size.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
    }

    #[test]
    fn a_tensor_that_was_released_leaves_memory_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.safetensors");
        let values = Tensor::arange(0f32, 1e6, &Device::Cpu).unwrap();
        let tensors = [("large".to_owned(), values.clone()), ("other".to_owned(), values)];
        save(&tensors.into_iter().collect(), &path).unwrap();
        let files = map_weights(&path).unwrap();
        let read = |name: &str| {
            let view = files.get(name).unwrap();
            Tensor::from_raw_buffer(view.data(), DType::F32, &[1_000_000], &Device::Cpu).unwrap()
        };
        let (first, _) = (read("large"), read("other"));
        assert!(resident(&path) >= 8_000_000, "{} bytes", resident(&path));
        release(&files, "large");
        let left = resident(&path);
        assert!((4_000_000..4_100_000).contains(&left), "the other alone: {left} bytes");
        release(&files, "nobody");
        let again = read("large");
        assert_eq!(first.to_vec1::<f32>().unwrap(), again.to_vec1::<f32>().unwrap());
    }
}
