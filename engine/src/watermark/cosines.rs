//! The low cosines of an image, whatever its size.

use crate::dicom::Frame;

/// Half waves that are looked at along a side, from 1 on.
pub(super) const MOST: usize = 56;

/// Of each cosine, by `(down - 1) * MOST + across - 1` half waves, its share of the image: the image's product
/// with a cosine of mean square 1, averaged over the pixels. So it does not depend on the image's size.
pub(super) type Coefficients = Vec<f64>;

/// Cosines along a side of `length` pixels, by pixel and then by half waves: √2 cos(π (2x + 1) u / 2n), those
/// of the discrete cosine transform of type II (Ahmed, Natarajan and Rao, IEEE Transactions on Computers C-23,
/// 1974).
fn cosines(length: usize) -> Vec<[f64; MOST]> {
    let at = |pixel: usize| {
        let phase = std::f64::consts::PI * (2 * pixel + 1) as f64 / (2 * length) as f64;
        let mut row = [0.0; MOST];
        for (index, value) in row.iter_mut().enumerate() {
            *value = std::f64::consts::SQRT_2 * (phase * (index + 1) as f64).cos();
        }
        row
    };
    (0..length).map(at).collect()
}

/// The cosines of a frame; none where it has no pixels or not as many as its sides say.
pub(super) fn analyse(frame: &Frame) -> Option<Coefficients> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    if frame.pixels.is_empty() || frame.pixels.len() != width * height {
        return None;
    }
    let (across, down) = (cosines(width), cosines(height));
    let mut sums = vec![0.0; MOST * MOST];
    for (row, down) in frame.pixels.chunks_exact(width).zip(&down) {
        let mut line = [0.0; MOST];
        for (pixel, across) in row.iter().zip(&across) {
            let pixel = f64::from(*pixel);
            for (sum, cosine) in line.iter_mut().zip(across) {
                *sum += pixel * cosine;
            }
        }
        for (sums, cosine) in sums.chunks_exact_mut(MOST).zip(down) {
            for (sum, line) in sums.iter_mut().zip(&line) {
                *sum += cosine * line;
            }
        }
    }
    let pixels = (width * height) as f64;
    Some(sums.into_iter().map(|sum| sum / pixels).collect())
}

/// The image of `width × height` pixels, row by row, that is the sum of the cosines.
pub(super) fn synthesise(coefficients: &[f64], width: usize, height: usize) -> Vec<f64> {
    let (across, down) = (cosines(width), cosines(height));
    let mut pixels = Vec::with_capacity(width * height);
    for down in &down {
        let mut line = [0.0; MOST];
        for (coefficients, cosine) in coefficients.chunks_exact(MOST).zip(down) {
            for (sum, coefficient) in line.iter_mut().zip(coefficients) {
                *sum += cosine * coefficient;
            }
        }
        for across in &across {
            pixels.push(line.iter().zip(across).map(|(line, cosine)| line * cosine).sum());
        }
    }
    pixels
}
