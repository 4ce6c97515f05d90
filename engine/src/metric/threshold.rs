//! Where scores part those that have something from those that have not.

use super::error::{MetricError, same_length};

/// The threshold above which a score is best taken for positive: where sensitivity and specificity together are
/// greatest (Youden, Cancer 3, 1950), midway between the two scores that it parts; of equally good ones the
/// lowest. `None` where there are no positives or no negatives, or all scores are the same.
///
/// # Errors
/// Where there are not as many labels as scores, no scores, or a score is NaN.
pub fn youden_threshold(scores: &[f32], positive: &[bool]) -> Result<Option<f32>, MetricError> {
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
    // Below the threshold: positives are missed, negatives are told apart.
    let (mut missed, mut apart) = (0.0, 0.0);
    let mut best: Option<(f64, f32)> = None;
    for pair in order.windows(2) {
        let [(score, is_positive), (next, _)] = pair else { continue };
        if *is_positive {
            missed += 1.0;
        } else {
            apart += 1.0;
        }
        if next > score {
            let gain = apart / negatives - missed / positives;
            if best.is_none_or(|(least, _)| gain > least) {
                best = Some((gain, 0.5 * (score + next)));
            }
        }
    }
    Ok(best.map(|(_, threshold)| threshold))
}
