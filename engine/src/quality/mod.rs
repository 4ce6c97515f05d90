//! Quality control of radiographs as they come in: what speaks against one, for a person to decide.
//!
//! Nothing here refuses. A [`Doubt`] names its kind, says its reason with the figure behind it, and leaves the
//! decision to whoever looks at the picture.

mod doubt;
mod exposure;
mod fingerprint;
mod frontal;
mod header;

#[cfg(test)]
mod tests;

pub use doubt::{Doubt, DoubtKind};
pub use fingerprint::{Fingerprint, NEAR, PARTS};
pub use frontal::{Frontal, Likeness, Posture};
pub use header::is_chest;

use crate::dicom::{Frame, Header};

/// Everything that speaks against a radiograph as a frontal one of a chest, worst first.
///
/// `described` is its header, `frame` its calibrated pixels. Duplicates are for whoever knows the other pictures: see
/// [`Fingerprint`].
pub fn doubts(described: &Header, frame: &Frame, frontal: &Frontal) -> Vec<Doubt> {
    let mut found = header::doubts(described);
    let said = |found: &[Doubt], kind| found.iter().any(|doubt: &Doubt| doubt.kind == kind);
    // A picture without contrast looks like nothing, and is told of once.
    let exposed = exposure::doubts(frame);
    if exposed.is_empty() {
        let likeness = frontal.look(frame);
        // What the header already calls another part or view need not look like a chest.
        let other = said(&found, DoubtKind::BodyPart) || said(&found, DoubtKind::Lateral);
        if !other {
            found.extend(likeness.doubts());
        }
    }
    found.extend(exposed);
    found.sort_by_key(|doubt| doubt.kind);
    found
}
