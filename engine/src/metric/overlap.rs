//! How far two masks are one.

use super::error::{MetricError, same_length};

/// Dice's coefficient of two masks, 2 |A ∩ B| / (|A| + |B|), between 0 and 1 (Dice, Ecology 26, 1945). Two empty
/// masks are the same: 1.
///
/// # Errors
/// Where they have not as many pixels, or none.
pub fn dice(mask: &[bool], other: &[bool]) -> Result<f64, MetricError> {
    same_length("other", mask.len(), other.len())?;
    let count = |mask: &[bool]| mask.iter().filter(|inside| **inside).count();
    let both = mask.iter().zip(other).filter(|(a, b)| **a && **b).count();
    let total = count(mask) + count(other);
    Ok(if total == 0 { 1.0 } else { 2.0 * both as f64 / total as f64 })
}
