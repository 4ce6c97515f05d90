//! How far the features of some images lie from those of others.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::error::MetricError;

/// Mean and covariance of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Gaussian {
    /// Of `features`, one image after the other, `width` values each; the covariance is the sample's, as NumPy's
    /// `cov`.
    ///
    /// # Errors
    /// Where a row is not whole, there are fewer than two, or a value is not finite.
    pub fn of(features: &[f32], width: usize) -> Result<Self, MetricError> {
        if width == 0 || !features.len().is_multiple_of(width) || features.len() / width < 2 {
            let cause = "must hold two images or more, of as many features each";
            return Err(MetricError::new("features", cause));
        }
        if features.iter().any(|value| !value.is_finite()) {
            return Err(MetricError::new("features", "one is not finite"));
        }
        let rows = features.len() / width;
        let mut centred =
            DMatrix::from_row_iterator(rows, width, features.iter().map(|value| f64::from(*value)));
        let mean = centred.row_mean();
        for mut row in centred.row_iter_mut() {
            row -= &mean;
        }
        let covariance = centred.tr_mul(&centred) / (rows - 1) as f64;
        Ok(Self { mean: mean.transpose(), covariance })
    }
}

/// The squared Fréchet distance of two normal distributions, |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁C₂)^½) (Dowson and
/// Landau, Journal of Multivariate Analysis 12, 1982; of features of images: Heusel et al., arXiv 1706.08500).
///
/// The trace of the root is taken from the symmetric √C₁ C₂ √C₁, which has the same eigenvalues as C₁C₂: that
/// stays real where fewer images than features leave the covariances singular, and the general root does not.
///
/// # Errors
/// Where they are not of as many features.
pub fn frechet_distance(one: &Gaussian, other: &Gaussian) -> Result<f64, MetricError> {
    if one.mean.len() != other.mean.len() {
        return Err(MetricError::new("other", "is of another number of features"));
    }
    let eigen = SymmetricEigen::new(one.covariance.clone());
    // What rounding put below zero is zero.
    let roots = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
    let root =
        &eigen.eigenvectors * DMatrix::from_diagonal(&roots) * eigen.eigenvectors.transpose();
    let product = &root * &other.covariance * &root;
    let product = (&product + product.transpose()) * 0.5;
    let cross: f64 =
        SymmetricEigen::new(product).eigenvalues.iter().map(|value| value.max(0.0).sqrt()).sum();
    let means = (&one.mean - &other.mean).norm_squared();
    Ok(means + one.covariance.trace() + other.covariance.trace() - 2.0 * cross)
}
