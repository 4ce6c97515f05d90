//! Which files under a folder are DICOM objects.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::is_dicom;

/// The DICOM files under a folder, in the order of their paths, and how many other files lie beside
/// them.
///
/// A file is taken for DICOM by its extension or by what it begins with: a truncated `.dcm` is a damaged object
/// and not some other file. Links are not followed: one may lead anywhere, and in a circle.
///
/// # Errors
/// Whatever the system says of a folder or a file.
pub fn dicom_files(folder: &Path) -> io::Result<(Vec<PathBuf>, u64)> {
    let (mut found, mut others) = (Vec::new(), 0);
    walk(folder, &mut found, &mut others)?;
    found.sort();
    Ok((found, others))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>, others: &mut u64) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&path, found, others)?;
        } else if kind.is_file() && looks_so(&path)? {
            found.push(path);
        } else {
            *others += 1;
        }
    }
    Ok(())
}

fn looks_so(path: &Path) -> io::Result<bool> {
    if path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("dcm") || extension.eq_ignore_ascii_case("dicom")
    }) {
        return Ok(true);
    }
    let mut start = Vec::with_capacity(132);
    File::open(path)?.take(132).read_to_end(&mut start)?;
    Ok(is_dicom(&start))
}
