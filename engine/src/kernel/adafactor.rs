//! Adafactor: a step like Adam's whose second moment is a row and a column in place of a matrix, and that keeps
//! no first moment (Shazeer and Stern, arXiv 1804.04235). Its state is a thousandth of the weight's size.

use candle_core::{D, DType, Result, Tensor, Var, bail};

/// The update's root mean square, at most (the paper's d).
const LARGEST_UPDATE: f64 = 1.0;
/// The weight's root mean square, at least, by which the rate is scaled (the paper's ε₂).
const SMALLEST_SCALE: f64 = 1e-3;
/// The exponent by which the second moment's memory grows (the paper's γ of β₂).
const MEMORY: f64 = -0.8;

/// The numbers of one Adafactor step.
#[derive(Debug, Clone, Copy)]
pub struct AdafactorStep {
    /// Step number from 1 on.
    pub step: u64,
    /// Learning rate of this step, relative to the weight's root mean square; at most 1/√step.
    pub learning_rate: f64,
    /// Weight decay, decoupled from the gradient.
    pub weight_decay: f64,
    /// Factor on the gradient, from clipping its norm.
    pub gradient_scale: f64,
}

/// The second moment of one weight: of a matrix, to which a convolution's kernel is flattened, the mean of each
/// row and each column; of a vector its own.
#[derive(Debug, Clone)]
pub struct Adafactor {
    /// `[rows + columns]` of a matrix `[rows, columns]`; in a vector's shape for a vector.
    pub state: Var,
}

/// Rows and columns of a weight that is taken as a matrix.
fn matrix(weight: &Tensor) -> Option<(usize, usize)> {
    let dims = weight.dims();
    (dims.len() > 1).then(|| (dims[0], dims[1..].iter().product()))
}

impl Adafactor {
    /// A fresh second moment for `weight`.
    pub fn new(weight: &Tensor) -> Result<Self> {
        let count = matrix(weight).map_or(weight.elem_count(), |(rows, columns)| rows + columns);
        Ok(Self { state: Var::zeros(count, DType::F32, weight.device())? })
    }

    /// Moves `weight` along `gradient`, as PyTorch's `torch.optim.Adafactor` does with the weight as a matrix.
    ///
    /// # Errors
    /// Where the shapes differ.
    pub fn apply(&self, weight: &Var, gradient: &Tensor, step: AdafactorStep) -> Result<()> {
        if gradient.shape() != weight.shape() {
            bail!(
                "a gradient of {:?} does not fit a weight of {:?}",
                gradient.shape(),
                weight.shape()
            );
        }
        let start = weight.as_detached_tensor();
        let gradient = (gradient.detach() * step.gradient_scale)?;
        let forget = (step.step as f64).powf(MEMORY);
        let epsilon = f64::from(f32::EPSILON);
        let mixed = |old: &Tensor, new: &Tensor| (old * (1.0 - forget))? + (new * forget)?;
        let squares = gradient.sqr()?;
        let state = self.state.as_detached_tensor();
        let (moment, estimate) = match matrix(&start) {
            None => {
                let moment = mixed(&state, &squares.flatten_all()?)?;
                let estimate = moment.reshape(start.shape())?;
                (moment, estimate)
            }
            Some((rows, columns)) => {
                let squares = squares.reshape((rows, columns))?;
                let row = mixed(&state.narrow(0, 0, rows)?, &squares.mean(1)?)?;
                let column = mixed(&state.narrow(0, rows, columns)?, &squares.mean(0)?)?;
                let mean = row.mean(0)?.clamp(epsilon, f64::MAX)?;
                let share = row.broadcast_div(&mean)?.unsqueeze(1)?;
                let estimate = share.broadcast_mul(&column.unsqueeze(0)?)?;
                (Tensor::cat(&[row, column], 0)?, estimate.reshape(start.shape())?)
            }
        };
        let update = (gradient / estimate.clamp(epsilon * epsilon, f64::MAX)?.sqrt()?)?;
        let rate = step.learning_rate.min(1.0 / (step.step as f64).sqrt());
        let along = rate * root_mean_square(&start)?.max(SMALLEST_SCALE);
        let too_large = (root_mean_square(&update)? / LARGEST_UPDATE).max(1.0);
        let kept = (start * (1.0 - step.learning_rate * step.weight_decay))?;
        weight.set(&(kept - (update * (along / too_large))?)?)?;
        self.state.set(&moment)
    }
}

fn root_mean_square(x: &Tensor) -> Result<f64> {
    let mean = x.flatten_all()?.sqr()?.mean(D::Minus1)?.to_scalar::<f32>()?;
    Ok(f64::from(mean).sqrt())
}
