//! A folder of images and a label table become DX objects.
//!
//! Everything is checked and encoded in a temporary folder beside the target, which is renamed in one
//! step at the end: a bad row leaves nothing behind. The same images, table and options give the
//! same bytes.

mod choose;
mod object;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::DicomError;
use crate::files::{self, PendingFolder};
use crate::terms::Sex;

/// Rows that are encoded between two reports of progress.
const BATCH: usize = 64;

/// Names of the table's columns, where they are not among the names that are known anyway.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// The image's file name: `file`, `image`, `filename`, `image index`.
    pub file: Option<String>,
    /// Findings, joined by `|`: `findings`, `finding`, `finding labels`, `label`, `labels`.
    pub findings: Option<String>,
    /// The patient's pseudonym: `patient`, `patient id`, `patient_id`, `subject_id`.
    pub patient: Option<String>,
    /// Age in years: `age`, `patient age`.
    pub age: Option<String>,
    /// `F` or `M`: `sex`, `gender`, `patient gender`.
    pub sex: Option<String>,
    /// `AP`, `PA`, `LL` or `RL`: `view`, `view position`, `view_position`.
    pub view: Option<String>,
    /// Width before the image was squashed: `original_width`.
    pub original_width: Option<String>,
    /// Height before the image was squashed: `original_height`.
    pub original_height: Option<String>,
}

/// What to wrap, and what to say where the table is silent.
#[derive(Debug, Clone, Default)]
pub struct WrapOptions {
    /// The folder of JPEG and PNG images.
    pub images: PathBuf,
    /// The label table, CSV with a header line.
    pub table: PathBuf,
    /// The folder to make; it must not exist, or be empty.
    pub out: PathBuf,
    /// Column names, where they are not known ones.
    pub columns: Columns,
    /// View position of rows that have none.
    pub default_view: Option<String>,
    /// Age in years of rows that have none: approximate, for sets of which only a range is known.
    pub default_age: Option<u16>,
    /// Sex of rows that have none.
    pub default_sex: Option<Sex>,
    /// Width over height of images that were squashed to a square and whose own size is not known.
    pub default_aspect: Option<f32>,
    /// Side of a pixel at the detector in millimetres; without it, a detector of 430 mm is shared
    /// out over the rows.
    pub pixel_spacing: Option<f32>,
    /// Wrap only so many rows, spread over labels and patients.
    pub limit: Option<usize>,
    /// Which rows a limit picks.
    pub seed: u64,
}

/// What was wrapped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WrapSummary {
    /// Objects written.
    pub objects: u64,
    /// Patients among them.
    pub patients: u64,
    /// Images whose aspect was restored.
    pub unsquashed: u64,
    /// Objects by finding.
    pub findings: BTreeMap<String, u64>,
    /// The folder.
    pub out: PathBuf,
}

/// Why nothing was wrapped.
///
/// A message names row and column, and repeats neither a cell nor a file's name: both may be
/// patient data.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// A cell of the table, or the image it names.
    #[error("row {row}, column {column}: {cause}")]
    Row {
        /// Row of the table, where the header is row 1.
        row: u64,
        /// The column's name.
        column: String,
        /// Why it cannot be used.
        cause: String,
    },
    /// The table as a whole.
    #[error("label table: {cause}")]
    Table {
        /// What is wrong.
        cause: String,
    },
    /// An option.
    #[error("{option}: {cause}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Why it cannot be used.
        cause: String,
    },
    /// An object could not be encoded.
    #[error("row {row}: {source}")]
    Encode {
        /// Row of the table.
        row: u64,
        /// What was wrong.
        source: DicomError,
    },
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Wraps images as Digital X-Ray Image Storage – For Presentation.
///
/// `progress` hears how many objects of how many are encoded.
///
/// # Errors
/// [`WrapError`]; nothing is written then.
pub fn wrap(
    options: &WrapOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<WrapSummary, WrapError> {
    let io = |what| move |source| WrapError::Io { what, source };
    let rows = table::read(options)?;
    let rows = choose::spread(rows, options.limit, options.seed);
    let folder = pending(&options.out)?;

    let mut summary = WrapSummary { out: options.out.clone(), ..WrapSummary::default() };
    let total = rows.len() as u64;
    progress(0, total);
    for batch in rows.chunks(BATCH) {
        let written: Vec<bool> = batch
            .par_iter()
            .map(|row| {
                let wrapped = object::encode_row(row, options)?;
                let path = folder.path().join(&row.object_name);
                files::write(&path, &wrapped.bytes).map_err(io("an object"))?;
                Ok(wrapped.unsquashed)
            })
            .collect::<Result<_, WrapError>>()?;
        summary.objects += written.len() as u64;
        summary.unsquashed += written.into_iter().filter(|unsquashed| *unsquashed).count() as u64;
        progress(summary.objects, total);
    }
    let patients: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.patient.as_str()).collect();
    summary.patients = patients.len() as u64;
    for name in rows.iter().flat_map(|row| &row.findings).map(|finding| finding.name) {
        *summary.findings.entry(name.to_owned()).or_default() += 1;
    }
    folder.publish().map_err(io("the folder --out"))?;
    Ok(summary)
}

fn pending(out: &Path) -> Result<PendingFolder, WrapError> {
    PendingFolder::beside(out).map_err(|source| match source.kind() {
        std::io::ErrorKind::DirectoryNotEmpty => {
            WrapError::Option { option: "out", cause: source.to_string() }
        }
        _ => WrapError::Io { what: "the folder --out", source },
    })
}
