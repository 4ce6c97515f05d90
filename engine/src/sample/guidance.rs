//! Classifier-free guidance (Ho and Salimans, arXiv 2207.12598), brought back to the spread of the
//! unguided prediction where asked (Lin et al., arXiv 2305.08891, section 3.4).

use candle_core::{Result, Tensor};

/// How a prediction is led from the negative towards the prompt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guidance {
    pub(super) scale: f64,
    pub(super) rescale: f64,
}

impl Guidance {
    /// Whether the network is asked twice: a scale of 1 leads nowhere.
    pub(super) fn asks_twice(self) -> bool {
        self.scale > 1.0
    }

    /// `[2 · n, …]`, what n samples are led away from first and then what they are led towards, to `[n, …]`.
    pub(super) fn lead(self, predictions: &Tensor) -> Result<Tensor> {
        let samples = predictions.dim(0)? / 2;
        let away = predictions.narrow(0, 0, samples)?;
        let towards = predictions.narrow(0, samples, samples)?;
        let led = (&away + ((&towards - &away)? * self.scale)?)?;
        if self.rescale <= 0.0 {
            return Ok(led);
        }
        let each = (0..samples).map(|sample| {
            self.rescaled(&led.narrow(0, sample, 1)?, &towards.narrow(0, sample, 1)?)
        });
        Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 0)
    }

    /// The guided prediction of one sample, brought back towards the spread of the unguided one.
    fn rescaled(self, led: &Tensor, towards: &Tensor) -> Result<Tensor> {
        // The exposure of the guided prediction grows with the scale; its spread shows by how much.
        let spread = spread(led)?;
        if spread <= 0.0 {
            return Ok(led.clone());
        }
        let factor = self::spread(towards)? / spread;
        led * (self.rescale * factor + 1.0 - self.rescale)
    }
}

/// Standard deviation over all values.
fn spread(x: &Tensor) -> Result<f64> {
    let values = x.flatten_all()?.to_dtype(candle_core::DType::F64)?;
    let mean = values.mean_all()?.to_scalar::<f64>()?;
    let squares = (values - mean)?.sqr()?.mean_all()?.to_scalar::<f64>()?;
    Ok(squares.sqrt())
}
