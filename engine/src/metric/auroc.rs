//! How well scores part those that have something from those that have not.

use super::error::{MetricError, same_length};

/// The area under the receiver operating characteristic: how likely a positive has a higher score than a
/// negative, where ties count half (the Mann–Whitney statistic; Hanley and McNeil, Radiology 143, 1982).
/// `None` where there are no positives or no negatives, for then nothing is parted.
///
/// # Errors
/// Where there are not as many labels as scores, no scores, or a score is NaN.
pub fn auroc(scores: &[f32], positive: &[bool]) -> Result<Option<f64>, MetricError> {
    same_length("positive", scores.len(), positive.len())?;
    if scores.iter().any(|score| score.is_nan()) {
        return Err(MetricError::new("scores", "one is NaN"));
    }
    let mut order: Vec<(f32, bool)> =
        scores.iter().copied().zip(positive.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = positive.iter().filter(|positive| **positive).count() as f64;
    let negatives = scores.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Ok(None);
    }
    let mut ranks = 0.0;
    let mut below = 0usize;
    // Zero and minus zero are one score.
    for tied in order.chunk_by(|a, b| a.0 >= b.0) {
        // All that are tied have the mean of the ranks that they take, counted from 1.
        let rank = below as f64 + 0.5 * (tied.len() + 1) as f64;
        ranks += rank * tied.iter().filter(|(_, positive)| *positive).count() as f64;
        below += tied.len();
    }
    Ok(Some((ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)))
}
