//! How much a picture looks like a frontal radiograph of a chest, and which way up it lies.
//!
//! A Gaussian for children and one for adults over the picture in 32 × 32 greys of zero mean and unit variance, each by
//! its strongest principal components and one variance for the rest (Tipping and Bishop, probabilistic principal
//! component analysis, Journal of the Royal Statistical Society B 61, 1999, equation 14). A picture whose negative or
//! turned copy is likelier than itself was stored the wrong way; one that is unlikely in every posture is something else.
//! `scripts/quality-frontal.py` fits them and prints how often either errs on held-out patients. They were fitted on the
//! paediatric radiographs of Kermany, Zhang and Goldbaum (Mendeley Data rscbjbr9sj v2, CC BY 4.0) and on adult ones of the
//! NIH Clinical Center (Wang et al., ChestX-ray8, CVPR 2017).

use super::{Doubt, DoubtKind};
use crate::dicom::Frame;

/// Sides of the reduced picture.
const SIDE: usize = 32;
const PLACES: usize = SIDE * SIDE;
/// What the script fitted.
static FITTED: &[u8] = include_bytes!("frontal.safetensors");

/// How a picture lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Posture {
    /// Quarter turns, clockwise, that were made to it.
    pub quarters: u8,
    /// Whether black and white are exchanged.
    pub inverted: bool,
}

/// A Gaussian of few components.
struct Gaussian {
    /// `[PLACES]`
    mean: Vec<f32>,
    /// Orthonormal rows, `[components × PLACES]`.
    components: Vec<f32>,
    /// Variance along each.
    variances: Vec<f32>,
    /// Variance along any other direction.
    rest: f32,
    /// The log density below which one in two hundred of the fitted pictures lies.
    least: f32,
}

impl Gaussian {
    /// Log density of `picture` without the constant that all have in common.
    fn log_density(&self, picture: &[f32]) -> f32 {
        let centred: Vec<f32> = picture.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        let (mut along, mut explained, mut volume) = (0f32, 0f32, 0f32);
        for (row, variance) in self.components.chunks_exact(PLACES).zip(&self.variances) {
            let share: f32 = row.iter().zip(&centred).map(|(w, x)| w * x).sum();
            explained += share * share;
            along += share * share / variance;
            volume += variance.ln();
        }
        let left = centred.iter().map(|x| x * x).sum::<f32>() - explained;
        let others = (PLACES - self.variances.len()) as f32;
        -0.5 * (along + left.max(0.0) / self.rest + volume + others * self.rest.ln())
    }
}

/// What a picture was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// The likeliest posture.
    pub posture: Posture,
    /// By how much its log density is above that of the picture as it is; 0 where that is the likeliest.
    pub gain: f32,
    /// Log density of the likeliest posture above the least that fitted pictures have; below 0 it looks like none of
    /// them.
    pub margin: f32,
}

/// Log density by which another posture must be likelier before anybody is asked. Of 627 radiographs of held-out patients
/// none reaches it as it is, and all do that were turned or inverted and look like a chest at all (99 %).
const LEAST_GAIN: f32 = 50.0;

impl Likeness {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        if self.margin < 0.0 {
            return vec![Doubt::new(
                DoubtKind::BodyPart,
                format!(
                    "it looks like no frontal radiograph of a chest (log density {:.0} below the \
                     least of those known)",
                    -self.margin
                ),
            )];
        }
        if self.gain < LEAST_GAIN {
            return Vec::new();
        }
        let mut found = Vec::new();
        let Posture { quarters, inverted } = self.posture;
        if inverted {
            found.push(Doubt::new(
                DoubtKind::Inverted,
                "it looks like a chest with black and white exchanged: Photometric Interpretation \
                 (0028,0004) may be wrong",
            ));
        }
        if quarters > 0 {
            found.push(Doubt::new(
                DoubtKind::Rotated,
                format!("it looks like a chest turned clockwise by {}°", 90 * u32::from(quarters)),
            ));
        }
        found
    }
}

/// The Gaussians that come with the program.
pub struct Frontal {
    gaussians: Vec<Gaussian>,
}

impl Frontal {
    /// # Errors
    /// Where the program was built with a damaged file.
    pub fn bundled() -> std::io::Result<Self> {
        let fault = |cause: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, cause);
        let stored = safetensors::SafeTensors::deserialize(FITTED)
            .map_err(|error| fault(&error.to_string()))?;
        let read = |name: String| -> std::io::Result<Vec<f32>> {
            let tensor = stored.tensor(&name).map_err(|error| fault(&error.to_string()))?;
            let halves = tensor.data().chunks_exact(2);
            Ok(match tensor.dtype() {
                safetensors::Dtype::F16 => halves
                    .map(|bytes| half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32())
                    .collect(),
                _ => return Err(fault("half precision is expected")),
            })
        };
        let gaussians = ["child", "adult"]
            .iter()
            .map(|who| {
                let of = |name: &str| read(format!("{who}.{name}"));
                let (scalars, variances) = (of("scalars")?, of("variances")?);
                let (mean, components) = (of("mean")?, of("components")?);
                let fits = mean.len() == PLACES && components.len() == variances.len() * PLACES;
                match (fits, scalars.as_slice()) {
                    (true, &[rest, least]) => {
                        Ok(Gaussian { mean, components, variances, rest, least })
                    }
                    _ => Err(fault("tensors of other sizes are expected")),
                }
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { gaussians })
    }

    /// What either Gaussian expects most, as a picture.
    #[cfg(test)]
    pub(super) fn expected(&self) -> Vec<Frame> {
        let frame = |gaussian: &Gaussian| {
            let pixels = gaussian.mean.iter().map(|grey| 0.5 + 0.2 * grey).collect();
            Frame { width: SIDE as u32, height: SIDE as u32, pixels }
        };
        self.gaussians.iter().map(frame).collect()
    }

    /// Compares the picture in all eight postures with what it should look like.
    pub fn look(&self, frame: &Frame) -> Likeness {
        let reduced = standardised(&frame.resized(SIDE as u32, SIDE as u32).pixels);
        let mut found = Likeness { posture: Posture::default(), gain: 0.0, margin: f32::MIN };
        let mut as_it_is = f32::MIN;
        let mut best = f32::MIN;
        let mut turned = reduced;
        for quarters in 0..4u8 {
            for inverted in [false, true] {
                let picture: Vec<f32> =
                    turned.iter().map(|x| if inverted { -x } else { *x }).collect();
                for gaussian in &self.gaussians {
                    let density = gaussian.log_density(&picture);
                    if quarters == 0 && !inverted {
                        as_it_is = as_it_is.max(density);
                    }
                    if density > best {
                        best = density;
                        // What lies right after so many turns back was turned by as many.
                        found.posture = Posture { quarters, inverted };
                        found.margin = density - gaussian.least;
                    }
                }
            }
            turned = back_by_a_quarter(&turned);
        }
        found.gain = best - as_it_is;
        found
    }
}

/// Zero mean and unit variance; a picture of one grey becomes zero.
fn standardised(pixels: &[f32]) -> Vec<f32> {
    let count = pixels.len() as f32;
    let mean = pixels.iter().sum::<f32>() / count;
    let variance = pixels.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
    let scale = 1.0 / variance.sqrt().max(1e-6);
    pixels.iter().map(|x| (x - mean) * scale).collect()
}

/// Turned against the clock by 90°.
fn back_by_a_quarter(picture: &[f32]) -> Vec<f32> {
    (0..PLACES).map(|place| picture[(place % SIDE) * SIDE + (SIDE - 1 - place / SIDE)]).collect()
}
