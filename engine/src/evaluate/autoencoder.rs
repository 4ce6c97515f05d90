//! How much of an image an autoencoder gives back.

use candle_core::{Device, Tensor};

use super::{BATCH, EvaluateError, Figures};
use crate::data::Images;
use crate::metric;
use crate::model::Vae;

/// Figures of images that were encoded to the mean of their latent and decoded again: `autoencoder_psnr_db`, of the
/// mean squared error over all images, and `autoencoder_ssim`, averaged over images.
///
/// # Errors
/// Where a computation fails, or the images are smaller than the window of SSIM.
pub fn autoencoder(vae: &Vae, images: &Images, device: &Device) -> Result<Figures, EvaluateError> {
    let indices: Vec<usize> = (0..images.len()).collect();
    let (mut originals, mut decoded) = (Vec::new(), Vec::new());
    for indices in indices.chunks(BATCH) {
        let image = images.tensor(indices, device)?;
        let (mean, _) = vae.encode(&image)?;
        decoded.push(vae.decode(&mean)?);
        originals.push(image);
    }
    reconstruction(&Tensor::cat(&originals, 0)?, &Tensor::cat(&decoded, 0)?)
}

/// The figures of [`autoencoder`] of `images` and what was made of them, `[n, 1, h, w]` between −1 and 1.
///
/// # Errors
/// Where a side is shorter than the window of SSIM, or the shapes differ.
pub fn reconstruction(images: &Tensor, decoded: &Tensor) -> Result<Figures, EvaluateError> {
    let (count, _, height, width) = images.dims4()?;
    // What is brighter than white or darker than black is never seen.
    let values = |x: &Tensor| x.clamp(-1f32, 1f32)?.flatten_all()?.to_vec1::<f32>();
    let (images, decoded) = (values(images)?, values(decoded)?);
    let psnr = metric::psnr(&images, &decoded, 2.0)?;
    let pixels = height * width;
    let mut similarity = 0.0;
    for (image, decoded) in images.chunks_exact(pixels).zip(decoded.chunks_exact(pixels)) {
        similarity += metric::ssim(image, decoded, width, 2.0)?;
    }
    Ok([
        ("autoencoder_psnr_db".to_owned(), psnr),
        ("autoencoder_ssim".to_owned(), similarity / count as f64),
    ]
    .into())
}
