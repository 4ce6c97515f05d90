//! What an object shows once it is clean, told while its pixels are at hand.

use std::io::{Read, Seek};

use super::{Deidentified, Deidentifier, ObjectReport};
use crate::dicom::{DicomError, Radiograph, header, read, transform};

/// An object that was looked at, with what it shows.
#[derive(Debug)]
pub enum Shown {
    /// It is clean.
    Clean {
        /// The object, encoded.
        bytes: Vec<u8>,
        /// What [`read`] reads of these bytes.
        radiograph: Box<Radiograph>,
        /// What was done.
        report: ObjectReport,
    },
    /// It could not be shown clean.
    Quarantined {
        /// Why.
        reason: String,
    },
}

impl Deidentifier {
    /// [`Self::deidentify`], and [`read`] of the object that comes out: its pixels are decoded once for
    /// both.
    ///
    /// # Errors
    /// As [`Self::deidentify`] and [`read`]: of several frames none is chosen.
    pub fn deidentify_and_read<R: Read + Seek>(&self, source: R) -> Result<Shown, DicomError> {
        let mut seen = None;
        let done = self.apply(source, &mut |set, transfer_syntax, decoded| {
            if let Some(stored) = decoded {
                let header = header::header(set, transfer_syntax)?;
                let frame = transform::calibrate(set, &header, &stored, None)?;
                seen = Some(Radiograph { header, frame });
            }
            Ok(())
        })?;
        match done {
            Deidentified::Quarantined { reason, .. } => Ok(Shown::Quarantined { reason }),
            Deidentified::Clean { bytes, report, .. } => {
                let radiograph = match seen {
                    Some(radiograph) => radiograph,
                    None => read(&bytes)?,
                };
                Ok(Shown::Clean { bytes, radiograph: Box::new(radiograph), report })
            }
        }
    }
}
