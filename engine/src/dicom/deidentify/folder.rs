//! A folder of objects, de-identified into another; what cannot be shown clean goes into a third.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::summary::Summary;
use super::{Deidentified, Deidentifier, ObjectReport};
use crate::dicom::dicom_files;
use crate::files::{self, PendingFolder};

/// Objects that are in memory together.
const BATCH: usize = 4;

/// Where objects come from, and where they go.
#[derive(Debug, Clone)]
pub struct DeidentifyOptions {
    /// The folder of objects.
    pub input: PathBuf,
    /// The folder to make, of clean objects named by their new SOP Instance UIDs.
    pub out: PathBuf,
    /// The folder to make, of objects that could not be shown clean: as they came, under numbers, each with
    /// its reason beside it. It is made even where it stays empty.
    pub quarantine: PathBuf,
}

/// Why a folder was not de-identified; nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum DeidentifyFault {
    /// An option cannot be used.
    #[error("{option}: {cause}")]
    Option {
        /// Which.
        option: &'static str,
        /// Why.
        cause: String,
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

fn io(what: &'static str) -> impl Fn(std::io::Error) -> DeidentifyFault {
    move |source| DeidentifyFault::Io { what, source }
}

/// De-identifies every DICOM object under a folder; `progress` hears how many of how many are done.
///
/// Objects are taken in the order of their paths, and numbered from 1; no name of a file goes on, for it
/// may be a patient's.
///
/// # Errors
/// [`DeidentifyFault`] for folders that cannot be used. An object that is damaged or no radiograph is no
/// error but quarantined.
pub fn deidentify_folder(
    deidentifier: &Deidentifier,
    options: &DeidentifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, DeidentifyFault> {
    if options.out == options.quarantine {
        let cause = "the folder of clean objects".to_owned();
        return Err(DeidentifyFault::Option { option: "quarantine", cause });
    }
    let (paths, other_files) = dicom_files(&options.input).map_err(io("the folder of objects"))?;
    if paths.is_empty() {
        let cause = "no DICOM object in it".to_owned();
        return Err(DeidentifyFault::Option { option: "in", cause });
    }
    let out = pending(&options.out, "out")?;
    let quarantine = pending(&options.quarantine, "quarantine")?;
    private(quarantine.path()).map_err(io("the quarantine"))?;
    let mut summary = Summary::new(deidentifier.policy());
    summary.other_files = other_files;
    let mut known: HashMap<String, [u8; 32]> = HashMap::new();
    let total = paths.len() as u64;
    for (batch, paths_of_batch) in paths.chunks(BATCH).enumerate() {
        progress((batch * BATCH) as u64, total);
        let done: Vec<Deidentified> = paths_of_batch
            .par_iter()
            .map(|path| {
                let file = File::open(path).map_err(io("an object"))?;
                Ok(deidentifier.deidentify(file).unwrap_or_else(|error| {
                    Deidentified::Quarantined {
                        reason: error.to_string(),
                        report: ObjectReport::default(),
                    }
                }))
            })
            .collect::<Result<_, DeidentifyFault>>()?;
        for (index, one) in done.into_iter().enumerate() {
            let number = batch * BATCH + index + 1;
            let mut put_aside = |reason: String, report| {
                aside(&paths_of_batch[index], quarantine.path(), number, &reason)?;
                summary.quarantined(number, reason, report);
                Ok(())
            };
            match one {
                Deidentified::Quarantined { reason, report } => put_aside(reason, report)?,
                Deidentified::Clean { bytes, sop_instance_uid, report } => {
                    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
                    match known.get(&sop_instance_uid) {
                        Some(other) if *other == sha256 => summary.duplicate(),
                        Some(_) => {
                            let reason = "SOPInstanceUID (0008,0018): that of another object with other \
                                          content";
                            put_aside(reason.to_owned(), report)?;
                        }
                        None => {
                            let path = out.path().join(format!("{sop_instance_uid}.dcm"));
                            files::write(&path, &bytes).map_err(io("a clean object"))?;
                            known.insert(sop_instance_uid, sha256);
                            summary.clean(number, report);
                        }
                    }
                }
            }
        }
    }
    progress(total, total);
    quarantine.publish().map_err(io("the quarantine"))?;
    out.publish().map_err(io("the folder of clean objects"))?;
    Ok(summary)
}

fn pending(folder: &Path, option: &'static str) -> Result<PendingFolder, DeidentifyFault> {
    PendingFolder::beside(folder)
        .map_err(|error| DeidentifyFault::Option { option, cause: error.to_string() })
}

/// What is quarantined may name patients: its owner alone may look.
fn private(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn aside(
    object: &Path,
    quarantine: &Path,
    number: usize,
    reason: &str,
) -> Result<(), DeidentifyFault> {
    let name = |extension: &str| quarantine.join(format!("{number:06}.{extension}"));
    fs::copy(object, name("dcm")).map_err(io("a quarantined object"))?;
    files::write(&name("txt"), format!("{reason}\n").as_bytes())
        .map_err(io("a quarantined object's reason"))
}
