//! What keeps the clean sample that a network speaks of within bounds.

use candle_core::{Result, Tensor};

use super::config::SchedulerConfig;

/// How far the clean sample may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// Wherever it goes.
    None,
    /// It is cut off at this value, either side of nothing.
    Clip(f32),
    /// It is cut off where this share of its values lies below, and shrunk to 1: dynamic thresholding (Saharia
    /// et al., arXiv 2205.11487, section 2.3).
    Dynamic {
        /// The share.
        ratio: f64,
        /// Where it is cut off at the latest.
        most: f32,
    },
}

impl Limit {
    /// What the configuration of a class says that is cut off at a value where it says nothing of it, or is not.
    pub(super) fn clipping(
        config: &SchedulerConfig,
        absent: bool,
    ) -> std::result::Result<Self, String> {
        let range = config.number("clip_sample_range", 1.0)? as f32;
        if !(range.is_finite() && range > 0.0) {
            return Err("clip_sample_range: must lie above 0".into());
        }
        Ok(if config.flag("clip_sample", absent)? { Self::Clip(range) } else { Self::None })
    }

    /// Dynamic thresholding, where the configuration asks for it.
    pub(super) fn dynamic(config: &SchedulerConfig) -> std::result::Result<Self, String> {
        if !config.flag("thresholding", false)? {
            return Ok(Self::None);
        }
        let ratio = config.number("dynamic_thresholding_ratio", 0.995)?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err("dynamic_thresholding_ratio: must lie between 0 and 1".into());
        }
        let most = config.number("sample_max_value", 1.0)? as f32;
        if !(most.is_finite() && most > 0.0) {
            return Err("sample_max_value: must lie above 0".into());
        }
        Ok(Self::Dynamic { ratio, most })
    }

    /// The one or the other; thresholding goes before clipping.
    pub(super) fn of(config: &SchedulerConfig, clips: bool) -> std::result::Result<Self, String> {
        match Self::dynamic(config)? {
            Self::None => Self::clipping(config, clips),
            dynamic => Ok(dynamic),
        }
    }

    /// `clean` `[batch, …]` within the bounds; dynamic ones are each sample's own.
    pub(super) fn apply(self, clean: Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(clean),
            Self::Clip(range) => clean.clamp(-range, range),
            Self::Dynamic { ratio, most } => {
                let rows = clean.flatten_from(1)?;
                let bounds = rows
                    .abs()?
                    .to_vec2::<f32>()?
                    .into_iter()
                    // As torch's clamp, whose upper bound wins.
                    .map(|row| quantile(row, ratio).max(1.0).min(most))
                    .collect::<Vec<f32>>();
                let count = bounds.len();
                let bounds = Tensor::from_vec(bounds, (count, 1), rows.device())?;
                let bounds = bounds.broadcast_as(rows.shape())?;
                let limited = rows.minimum(&bounds)?.maximum(&bounds.neg()?)? / bounds;
                limited?.reshape(clean.shape())
            }
        }
    }
}

/// The value below which a share of `values` lies, between two of them by a straight line.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let at = (share * values.len().saturating_sub(1) as f64) as f32;
    let low = at.floor() as usize;
    let (Some(below), Some(above)) = (values.get(low), values.get(low + 1).or(values.get(low)))
    else {
        return 0.0;
    };
    below + (above - below) * (at - low as f32)
}
