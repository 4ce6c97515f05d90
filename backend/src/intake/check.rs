//! Looks at every received file before the first is kept.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use skiagraph_engine::dicom::{self, Deidentifier, Header, ObjectReport, Radiograph, Shown};
use skiagraph_engine::quality::{self, Doubt, DoubtKind, Fingerprint, Frontal};

use super::archive::Walk;
use super::{Fault, IntakeError, Limits, ReceivedFile, Scratch, archive};
use crate::models::instances::Index;

/// A report of more faults than this helps nobody.
const MOST_FAULTS: usize = 20;
/// Bytes that tell what a file is: a preamble and `DICM` (PS3.10 7.1), or what stands there otherwise.
const TELLING: u64 = 132;

/// What looks at radiographs that come in; made once, for it is large.
pub struct Examiner {
    pub(super) deidentifier: Deidentifier,
    pub(super) frontal: Frontal,
}

impl std::fmt::Debug for Examiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiner").finish_non_exhaustive()
    }
}

/// A radiograph that passed, de-identified.
#[derive(Debug)]
pub struct Checked {
    /// Its bytes in the scratch folder.
    pub path: PathBuf,
    /// How many they are.
    pub bytes: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
    /// What the header says.
    pub header: Header,
    /// What was taken out.
    pub report: ObjectReport,
    /// What speaks against it, for a person to decide.
    pub doubts: Vec<Doubt>,
    /// What it looks like.
    pub fingerprint: Fingerprint,
    /// How viewers find it; `None` where it lacks the identifiers that they go by.
    pub index: Option<Index>,
}

/// Checks one object that came by itself, as archives send them, and de-identifies it where it lies. A
/// ZIP is none.
///
/// Blocking, as [`check`].
///
/// # Errors
/// `Refused` with its one fault, `TooLarge` where the object is.
pub fn check_object(
    file: ReceivedFile,
    limits: &Limits,
    examiner: &Examiner,
) -> Result<Checked, IntakeError> {
    if kind(&file.path)? != Kind::Dicom {
        return Err(IntakeError::Refused(vec![Fault::new(file.label, "no DICOM file")]));
    }
    let mut verdict = Verdict::new(examiner);
    check_size(&file, limits)?;
    let label = file.label.clone();
    verdict.look_at(file.label, file.path)?;
    let none = || IntakeError::Refused(vec![Fault::new(label, "nothing of it could be kept")]);
    verdict.into_result()?.pop().ok_or_else(none)
}

fn check_size(file: &ReceivedFile, limits: &Limits) -> Result<(), IntakeError> {
    if file.bytes <= limits.file_bytes {
        return Ok(());
    }
    let cause = format!("a DICOM file may have {} bytes", limits.file_bytes);
    Err(IntakeError::too_large(file.label.as_str(), cause))
}

/// Checks all files of an upload and de-identifies them in the scratch folder: all of them pass, or
/// none does.
///
/// Blocking: it reads and hashes every byte, and looks at every picture. Copies of one and the same file inside the upload are kept once;
/// what speaks against a radiograph as a frontal one of a chest comes back with it.
///
/// # Errors
/// `Refused` with up to twenty faults, `TooLarge` when ZIPs hold too many files.
pub fn check(
    files: &[ReceivedFile],
    scratch: &Scratch,
    limits: &Limits,
    examiner: &Examiner,
) -> Result<Vec<Checked>, IntakeError> {
    let mut verdict = Verdict::new(examiner);
    let mut budget = archive::Budget::new(limits, files.len());
    for file in files {
        match kind(&file.path)? {
            Kind::Dicom => {
                check_size(file, limits)?;
                verdict.look_at(file.label.clone(), file.path.clone())?;
            }
            Kind::Zip => {
                archive::expand(file, scratch, limits, &mut budget, &mut |entry| match entry {
                    Ok((label, path)) => match kind(&path)? {
                        Kind::Zip => {
                            let fault = Fault::new(label, "a ZIP inside a ZIP is not opened");
                            Ok(verdict.add(fault))
                        }
                        Kind::Dicom | Kind::Other => verdict.look_at(label, path),
                    },
                    Err(fault) => Ok(verdict.add(fault)),
                })?;
            }
            Kind::Other => {
                verdict.add(Fault::new(file.label.as_str(), "neither a DICOM file nor a ZIP"));
            }
        }
        if verdict.full() {
            break;
        }
    }
    verdict.into_result()
}

/// What a file is by its first bytes; its name is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dicom,
    Zip,
    Other,
}

fn kind(path: &Path) -> Result<Kind, IntakeError> {
    let mut start = Vec::new();
    File::open(path)?.take(TELLING).read_to_end(&mut start)?;
    // A preamble may hold anything, so DICOM is asked for first.
    if dicom::is_dicom(&start) {
        return Ok(Kind::Dicom);
    }
    let zip = [&b"PK\x03\x04"[..], b"PK\x05\x06", b"PK\x07\x08"]
        .iter()
        .any(|signature| start.starts_with(signature));
    Ok(if zip { Kind::Zip } else { Kind::Other })
}

struct Verdict<'a> {
    examiner: &'a Examiner,
    checked: Vec<Checked>,
    /// Label by SHA-256.
    contents: HashMap<String, String>,
    /// Label by SOP instance.
    instances: HashMap<String, String>,
    faults: Vec<Fault>,
}

impl<'a> Verdict<'a> {
    fn new(examiner: &'a Examiner) -> Self {
        Self {
            examiner,
            checked: Vec::new(),
            contents: HashMap::new(),
            instances: HashMap::new(),
            faults: Vec::new(),
        }
    }

    fn full(&self) -> bool {
        self.faults.len() >= MOST_FAULTS
    }

    fn add(&mut self, fault: Fault) -> Walk {
        self.faults.push(fault);
        if self.full() { Walk::Stop } else { Walk::On }
    }

    fn look_at(&mut self, label: String, path: PathBuf) -> Result<Walk, IntakeError> {
        let bytes = fs::read(&path)?;
        let came = match dicom::inspect(&bytes) {
            Ok(header) => header,
            Err(error) => return Ok(self.add(Fault::new(label, error.to_string()))),
        };
        if came.synthetic {
            return Ok(self.add(Fault::new(
                label,
                "Synthetic Data (0008,001C) is YES: synthetic images do not enter training sets",
            )));
        }
        let sha256 = hex::encode(Sha256::digest(&bytes));
        if self.contents.contains_key(&sha256) {
            return Ok(Walk::On);
        }
        if let Some(other) = self.instances.get(&came.sop_instance_uid) {
            let cause = format!("the same SOP Instance UID as {other}, and other content");
            return Ok(self.add(Fault::new(label, cause)));
        }
        self.instances.insert(came.sop_instance_uid.clone(), label.clone());
        self.contents.insert(sha256, label.clone());
        let shown = self.examiner.deidentifier.deidentify_and_read(Cursor::new(&bytes));
        let (bytes, radiograph, report) = match shown {
            Ok(Shown::Clean { bytes, radiograph, report }) => (bytes, radiograph, report),
            Ok(Shown::Quarantined { reason }) => return Ok(self.add(Fault::new(label, reason))),
            Err(error) => return Ok(self.add(Fault::new(label, error.to_string()))),
        };
        fs::write(&path, &bytes)?;
        let fingerprint = Fingerprint::of(&radiograph.frame);
        self.checked.push(Checked {
            path,
            bytes: bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(&bytes)),
            doubts: self.doubts(&came, &radiograph, &report, &fingerprint),
            header: radiograph.header,
            report,
            fingerprint,
            index: dicom::describe(&bytes).ok().map(|described| Index::of(&described)),
        });
        Ok(Walk::On)
    }

    /// What speaks against a radiograph, worst first; `came` is its header before anything was taken out.
    fn doubts(
        &self,
        came: &Header,
        Radiograph { header, frame }: &Radiograph,
        report: &ObjectReport,
        fingerprint: &Fingerprint,
    ) -> Vec<Doubt> {
        let mut doubts = quality::doubts(header, frame, &self.examiner.frontal);
        // Every clean object says NO. Where letters were said to be and none were found, somebody has to
        // look.
        if came.burned_in_annotation == Some(true) && report.regions.is_empty() {
            doubts.push(Doubt {
                kind: DoubtKind::BurnedIn,
                cause:
                    "Burned In Annotation (0028,0301) was YES, and no letters were found to blank"
                        .to_owned(),
            });
        }
        if self.checked.iter().any(|other| other.fingerprint.is_near(fingerprint)) {
            doubts.push(Doubt {
                kind: DoubtKind::Duplicate,
                cause: "nearly the same picture as another of this upload".to_owned(),
            });
        }
        doubts
    }

    fn into_result(self) -> Result<Vec<Checked>, IntakeError> {
        if !self.faults.is_empty() {
            return Err(IntakeError::Refused(self.faults));
        }
        if self.checked.is_empty() {
            let fault = Fault::new("files", "there is no DICOM file in the upload");
            return Err(IntakeError::Refused(vec![fault]));
        }
        Ok(self.checked)
    }
}
