//! How near an image is to another.

use super::error::{MetricError, positive, same_length};

/// Standard deviation of the window of [`ssim`], in pixels (Wang et al. 2004, section III-B).
pub const SSIM_SIGMA: f64 = 1.5;
/// Pixels of the window to either side of its middle: 11 × 11 in all.
pub const SSIM_RADIUS: usize = 5;
/// Constants of the two factors, as shares of the range (Wang et al. 2004, section III-B).
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The mean over pixels of the squared difference of two images.
///
/// # Errors
/// Where they have not as many pixels, or none.
pub fn mean_squared_error(image: &[f32], other: &[f32]) -> Result<f64, MetricError> {
    same_length("other", image.len(), other.len())?;
    let squares: f64 =
        image.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    Ok(squares / image.len() as f64)
}

/// Peak signal-to-noise ratio in decibels of two images that differ by a mean squared error; infinite where that
/// is zero.
///
/// # Errors
/// Where `data_range` is no positive number.
pub fn psnr_of_error(mean_squared_error: f64, data_range: f64) -> Result<f64, MetricError> {
    positive(data_range)?;
    Ok(10.0 * (data_range * data_range / mean_squared_error).log10())
}

/// Peak signal-to-noise ratio in decibels, 10 log₁₀(range² / mean squared error); infinite where the images are
/// the same.
///
/// # Errors
/// Where they have not as many pixels, or none, or `data_range` is no positive number.
pub fn psnr(image: &[f32], other: &[f32], data_range: f64) -> Result<f64, MetricError> {
    psnr_of_error(mean_squared_error(image, other)?, data_range)
}

/// The window of [`ssim`] along one side: 11 weights of sum 1.
pub fn gaussian_window() -> [f64; 2 * SSIM_RADIUS + 1] {
    let mut window = [0.0; 2 * SSIM_RADIUS + 1];
    for (index, weight) in window.iter_mut().enumerate() {
        let distance = (index as f64 - SSIM_RADIUS as f64) / SSIM_SIGMA;
        *weight = (-0.5 * distance * distance).exp();
    }
    let sum: f64 = window.iter().sum();
    window.map(|weight| weight / sum)
}

/// Structural similarity of two images of `width` columns, 1 where they are the same (Wang, Bovik, Sheikh and
/// Simoncelli, IEEE Transactions on Image Processing 13, 2004): a Gaussian window of 11 × 11 pixels, averaged over
/// all places where it lies within the image.
///
/// # Errors
/// Where the images have not as many pixels, a side is shorter than the window, or `data_range` is no positive
/// number.
pub fn ssim(
    image: &[f32],
    other: &[f32],
    width: usize,
    data_range: f64,
) -> Result<f64, MetricError> {
    same_length("other", image.len(), other.len())?;
    positive(data_range)?;
    let window = gaussian_window();
    if width < window.len() || image.len() / width < window.len() {
        return Err(MetricError::new("width", "a side is shorter than the window of 11 pixels"));
    }
    if !image.len().is_multiple_of(width) {
        return Err(MetricError::new("width", "the last row is not whole"));
    }
    let product = |a: &[f32], b: &[f32]| -> Vec<f64> {
        let values =
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).collect::<Vec<_>>();
        smoothed(&values, width, &window)
    };
    let plain = |a: &[f32]| {
        let values: Vec<f64> = a.iter().map(|value| f64::from(*value)).collect();
        smoothed(&values, width, &window)
    };
    let (mean_a, mean_b) = (plain(image), plain(other));
    let (square_a, square_b) = (product(image, image), product(other, other));
    let both = product(image, other);
    let c1 = (K1 * data_range).powi(2);
    let c2 = (K2 * data_range).powi(2);
    let sum: f64 = (0..both.len())
        .map(|place| {
            let (a, b) = (mean_a[place], mean_b[place]);
            let variance_a = square_a[place] - a * a;
            let variance_b = square_b[place] - b * b;
            let covariance = both[place] - a * b;
            ((2.0 * a * b + c1) * (2.0 * covariance + c2))
                / ((a * a + b * b + c1) * (variance_a + variance_b + c2))
        })
        .sum();
    Ok(sum / both.len() as f64)
}

/// The weighted means at all places where the window lies within the image.
fn smoothed(values: &[f64], width: usize, window: &[f64]) -> Vec<f64> {
    let along: Vec<f64> = values
        .chunks_exact(width)
        .flat_map(|row| row.windows(window.len()).map(move |part| weighted(part.iter(), window)))
        .collect();
    let width = width - window.len() + 1;
    let rows = along.len() / width - window.len() + 1;
    (0..rows * width).map(|place| weighted(along[place..].iter().step_by(width), window)).collect()
}

fn weighted<'a>(values: impl Iterator<Item = &'a f64>, window: &[f64]) -> f64 {
    values.zip(window).map(|(value, weight)| value * weight).sum()
}
