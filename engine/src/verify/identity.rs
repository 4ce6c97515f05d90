//! By what a registry knows a file again.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::dicom::{Frame, Header};

/// Grey values are told apart to this many steps: more than any form of file holds.
const STEPS: f32 = 65_535.0;

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// SHA-256 of the file, in hexadecimal.
    pub file_sha256: String,
    /// SHA-256 over width and height (little-endian, 32 bits each) and the grey values (little-endian, 16 bits each,
    /// 0 black): it stays the same where a file is written anew without loss.
    pub pixels_sha256: String,
    /// SOP Instance UID (0008,0018), of a DICOM object.
    pub sop_instance_uid: Option<String>,
}

impl Identity {
    pub(super) fn of(bytes: &[u8], header: Option<&Header>, frame: &Frame) -> Self {
        let mut pixels = Sha256::new();
        pixels.update(frame.width.to_le_bytes());
        pixels.update(frame.height.to_le_bytes());
        for value in &frame.pixels {
            pixels.update(((value.clamp(0.0, 1.0) * STEPS).round() as u16).to_le_bytes());
        }
        Self {
            file_sha256: hex::encode(Sha256::digest(bytes)),
            pixels_sha256: hex::encode(pixels.finalize()),
            sop_instance_uid: header.map(|header| header.sop_instance_uid.clone()),
        }
    }
}
