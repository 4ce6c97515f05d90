//! What a header says against a radiograph.

use super::{Doubt, DoubtKind};
use crate::dicom::Header;

/// What values of Body Part Examined (0018,0015) hold under which chests are found (PS3.16 Annex L, with what devices write),
/// alone or with more around it: CHESTABDOMEN, PORT CHEST.
const CHEST: [&str; 3] = ["CHEST", "THORAX", "LUNG"];
/// Defined terms of View Position (0018,5101) that are taken from the side (PS3.3 C.8.11.5), with what devices write.
const LATERAL: [&str; 6] = ["LL", "RL", "LLD", "RLD", "LATERAL", "LAT"];
/// The deviation index beyond which an exposure counts as far from its target (IEC 62494-1; AAPM report 116: repeat
/// above 3, or where a number of 10 log₁₀ means half or double the dose).
const MOST_DEVIATION: f32 = 3.0;

/// Whether a value of Body Part Examined (0018,0015) is of the chest.
pub fn is_chest(body_part: &str) -> bool {
    let part = body_part.to_uppercase();
    CHEST.iter().any(|known| part.contains(known))
}

pub(super) fn doubts(header: &Header) -> Vec<Doubt> {
    let mut found = Vec::new();
    if let Some(part) = &header.body_part
        && !is_chest(part)
    {
        found.push(Doubt::new(
            DoubtKind::BodyPart,
            "Body Part Examined (0018,0015) says another part than the chest",
        ));
    }
    if let Some(view) = &header.view_position
        && LATERAL.iter().any(|known| view.trim().eq_ignore_ascii_case(known))
    {
        found.push(Doubt::new(
            DoubtKind::Lateral,
            "View Position (0018,5101) says that it was taken from the side",
        ));
    }
    if header.burned_in_annotation == Some(true) {
        found.push(Doubt::new(DoubtKind::BurnedIn, "Burned In Annotation (0028,0301) is YES"));
    }
    if let Some(deviation) = header.deviation_index.filter(|index| index.abs() > MOST_DEVIATION) {
        found.push(Doubt::new(
            DoubtKind::Exposure,
            format!(
                "Deviation Index (0018,1413) is {deviation:.1}; {MOST_DEVIATION:.0} either way is \
                 in range"
            ),
        ));
    }
    found
}
