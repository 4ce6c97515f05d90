//! Figures by which images, masks and judgements are measured: pure functions of numbers.
//!
//! Whoever calls says the range of the data; nothing here knows a model or a file.

mod auroc;
mod error;
mod frechet;
mod overlap;
mod quantile;
mod similarity;
mod threshold;

#[cfg(test)]
mod tests;

pub use auroc::auroc;
pub use error::MetricError;
pub use frechet::{Gaussian, frechet_distance};
pub use overlap::dice;
pub use quantile::quantile;
pub use similarity::{
    SSIM_RADIUS, SSIM_SIGMA, gaussian_window, mean_squared_error, psnr, psnr_of_error, ssim,
};
pub use threshold::youden_threshold;
