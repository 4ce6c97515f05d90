//! ZIP files, which may be hostile.
//!
//! The names in an archive never become paths: an entry is written under a number. A name that
//! would leave its folder still refuses the upload, because nobody makes such a file by accident.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use zip::read::ZipArchive;
use zip::result::ZipError;

use super::{Fault, IntakeError, Limits, ReceivedFile, Scratch};

/// Signature of an entry in the central directory (APPNOTE 4.3.12).
const CENTRAL_ENTRY: [u8; 4] = *b"PK\x01\x02";
/// The signature may stand in compressed data by chance: once in four billion bytes.
const CHANCE: usize = 16;
const CHUNK: usize = 1 << 16;

/// What the ZIPs of one upload may still use.
#[derive(Debug)]
pub(super) struct Budget {
    entries: usize,
    bytes: u64,
    /// Numbers the files in the scratch folder.
    next: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits, files: usize) -> Self {
        Self { entries: limits.files.saturating_sub(files), bytes: limits.expanded_bytes, next: 0 }
    }
}

/// An entry on disk with its label, or what is wrong with it.
type Entry = Result<(String, PathBuf), Fault>;

/// Whether the walk over an upload goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    On,
    Stop,
}

/// Expands an archive into the scratch folder and hands every file to `visit`.
///
/// # Errors
/// `TooLarge` when there are more entries than the upload may have; `visit`'s errors. Everything
/// else about the archive is a fault that `visit` gets.
pub(super) fn expand(
    file: &ReceivedFile,
    scratch: &Scratch,
    limits: &Limits,
    budget: &mut Budget,
    visit: &mut dyn FnMut(Entry) -> Result<Walk, IntakeError>,
) -> Result<(), IntakeError> {
    // Parsing the directory takes memory for every entry, so they are counted before.
    if count_central_entries(File::open(&file.path)?)? > budget.entries + CHANCE {
        return Err(too_many(file, limits));
    }
    let mut archive = match ZipArchive::new(BufReader::new(File::open(&file.path)?)) {
        Ok(archive) => archive,
        Err(error) => {
            visit(Err(Fault::new(file.label.as_str(), zip_cause(&error))))?;
            return Ok(());
        }
    };
    if archive.len() > budget.entries {
        return Err(too_many(file, limits));
    }
    budget.entries -= archive.len();
    if !matches!(archive.has_overlapping_entries(), Ok(false)) {
        visit(Err(Fault::new(file.label.as_str(), "entries of the ZIP overlap")))?;
        return Ok(());
    }
    for index in 0..archive.len() {
        let label = format!("{}/entry {index}", file.label);
        let compressed = match examine(&archive, index) {
            Ok(Some(compressed)) => compressed,
            Ok(None) => continue,
            Err(cause) => {
                if visit(Err(Fault::new(label, cause)))? == Walk::Stop {
                    return Ok(());
                }
                continue;
            }
        };
        let path = scratch.file("entry", budget.next);
        budget.next += 1;
        let mut target = BufWriter::new(File::create(&path)?);
        let copied = match archive.by_index(index) {
            Ok(entry) => copy(entry, compressed, &mut target, limits, budget)?,
            Err(error) => Err(Stop::Entry(zip_cause(&error))),
        };
        target.flush()?;
        let walk = match copied {
            Ok(()) => visit(Ok((label, path)))?,
            Err(Stop::Entry(cause)) => visit(Err(Fault::new(label, cause)))?,
            Err(Stop::Archive(cause)) => {
                visit(Err(Fault::new(label, cause)))?;
                return Ok(());
            }
        };
        if walk == Walk::Stop {
            return Ok(());
        }
    }
    Ok(())
}

fn too_many(file: &ReceivedFile, limits: &Limits) -> IntakeError {
    let cause = format!("more than {} files in one upload", limits.files);
    IntakeError::too_large(file.label.as_str(), cause)
}

/// The entry's compressed size; `None` for what is no file of the sender: a folder, or what
/// systems and PACS exports add.
fn examine<R: Read + std::io::Seek>(
    archive: &ZipArchive<R>,
    index: usize,
) -> Result<Option<u64>, String> {
    let entry = archive.by_index_data(index).map_err(|error| zip_cause(&error))?;
    check_name(entry.name_raw())?;
    if entry.is_symlink() {
        return Err("a symbolic link".to_owned());
    }
    if entry.is_dir() || is_furniture(entry.name_raw()) {
        return Ok(None);
    }
    if entry.encrypted() {
        return Err("encrypted; encrypted entries are not opened".to_owned());
    }
    Ok(Some(entry.compressed_size()))
}

/// Refuses names that lead out of the folder on any system.
fn check_name(name: &[u8]) -> Result<(), String> {
    let refused = |what: &str| Err(format!("the entry's name {what}"));
    if name.is_empty() || name.contains(&0) {
        return refused("is empty or holds a zero byte");
    }
    if name.contains(&b'\\') {
        return refused("holds a backslash; ZIP names use `/`");
    }
    if name.starts_with(b"/") || name.get(1) == Some(&b':') {
        return refused("is an absolute path");
    }
    if name.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return refused("points outside its folder");
    }
    Ok(())
}

/// `DICOMDIR` is the index of a medium (PS3.10 8.6) and holds no image.
fn is_furniture(name: &[u8]) -> bool {
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    name.starts_with(b"__MACOSX/") || matches!(base, b".DS_Store" | b"Thumbs.db" | b"DICOMDIR")
}

enum Stop {
    /// This entry is bad; the next ones are looked at.
    Entry(String),
    /// Going on would be harmful.
    Archive(String),
}

/// Copies an entry and counts what really comes out: the sizes in the archive are claims.
fn copy(
    mut source: impl Read,
    compressed: u64,
    target: &mut impl Write,
    limits: &Limits,
    budget: &mut Budget,
) -> Result<Result<(), Stop>, IntakeError> {
    let mut chunk = vec![0; CHUNK];
    let mut total: u64 = 0;
    loop {
        let count = match source.read(&mut chunk) {
            Ok(0) => return Ok(Ok(())),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => {
                return Ok(Err(Stop::Entry("damaged: the entry does not decompress".to_owned())));
            }
        };
        total += count as u64;
        if total > limits.ratio_free_bytes
            && total > compressed.saturating_mul(limits.expansion_ratio)
        {
            let cause = format!("expands to more than {} times its size", limits.expansion_ratio);
            return Ok(Err(Stop::Archive(cause)));
        }
        if total > limits.file_bytes {
            let cause = format!("expands to more than {} bytes", limits.file_bytes);
            return Ok(Err(Stop::Archive(cause)));
        }
        let Some(left) = budget.bytes.checked_sub(count as u64) else {
            let cause = format!("the upload expands to more than {} bytes", limits.expanded_bytes);
            return Ok(Err(Stop::Archive(cause)));
        };
        budget.bytes = left;
        target.write_all(&chunk[..count])?;
    }
}

/// How many entries a directory in this file can have at most, whatever its end record claims.
fn count_central_entries(mut file: File) -> std::io::Result<usize> {
    let mut buffer = vec![0; 1 << 20];
    let mut kept = 0;
    let mut count = 0;
    loop {
        let read = file.read(&mut buffer[kept..])?;
        if read == 0 {
            return Ok(count);
        }
        let end = kept + read;
        count += buffer[..end].windows(4).filter(|window| *window == CENTRAL_ENTRY).count();
        // The last three bytes may be the start of a signature.
        kept = end.min(3);
        buffer.copy_within(end - kept..end, 0);
    }
}

/// The cause without anything that came from the archive.
fn zip_cause(error: &ZipError) -> String {
    match error {
        ZipError::CompressionMethodNotSupported(method) => {
            format!("compression method {method} is not read; DEFLATE and none are")
        }
        ZipError::UnsupportedArchive(cause) => format!("unsupported ZIP: {cause}"),
        _ => "a damaged ZIP".to_owned(),
    }
}
