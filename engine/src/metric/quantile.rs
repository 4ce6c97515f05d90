//! The spread of some values, in a few of them.

use super::error::MetricError;

/// The value below which the share `share` of `values` lies, between neighbours in a straight line, as NumPy's
/// `quantile`.
///
/// # Errors
/// Where there are no values, one is NaN, or the share does not lie between 0 and 1.
pub fn quantile(values: &[f64], share: f64) -> Result<f64, MetricError> {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return Err(MetricError::new("values", "there is none, or one is NaN"));
    }
    if !(0.0..=1.0).contains(&share) {
        return Err(MetricError::new("share", "must lie between 0 and 1"));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Ok(below + (above - below) * place.fract())
}
