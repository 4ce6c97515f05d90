//! One AdamW step, with the weight's moving average, in two passes over memory.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use super::simd::dispatch;
use super::view::{on_cpu, slice};

/// Values one task takes.
const CHUNK: usize = 16 * 1024;

/// The numbers of one AdamW step (Loshchilov and Hutter, arXiv 1711.05101).
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    /// Step number from 1 on, for the bias correction.
    pub step: u64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
    /// Weight decay, decoupled from the gradient.
    pub weight_decay: f64,
    /// Factor on the gradient, from clipping its norm.
    pub gradient_scale: f64,
    /// What stays of the weight's moving average at this step, between 0 and 1.
    pub average_decay: f64,
}

/// The moments and the moving average of one weight.
#[derive(Debug, Clone)]
pub struct AdamW {
    /// `[3, weight's shape…]`: first moment, second moment, moving average of the weight.
    pub state: Var,
}

impl AdamW {
    /// Fresh moments for `weight`; its average starts as the weight itself.
    pub fn new(weight: &Tensor) -> Result<Self> {
        let weight = weight.detach();
        let zeros = weight.zeros_like()?;
        Ok(Self { state: Var::from_tensor(&Tensor::stack(&[&zeros, &zeros, &weight], 0)?)? })
    }

    /// The moving average of the weight, in the weight's shape.
    pub fn average(&self) -> Result<Tensor> {
        self.state.as_detached_tensor().get(2)
    }

    /// Moves `weight` along `gradient`, and the average after it.
    ///
    /// # Errors
    /// Where the shapes differ.
    pub fn apply(&self, weight: &Var, gradient: &Tensor, step: AdamWStep) -> Result<()> {
        if gradient.shape() != weight.shape() {
            bail!(
                "a gradient of {:?} does not fit a weight of {:?}",
                gradient.shape(),
                weight.shape()
            );
        }
        if on_cpu(&[weight, gradient, &self.state]) && weight.is_contiguous() {
            let gradient = gradient.contiguous()?;
            self.state.inplace_op3(&gradient, weight, &Moments(step))?;
            return weight.inplace_op2(&self.state, &Move(step));
        }
        self.apply_composed(weight, gradient, step)
    }

    pub(super) fn apply_composed(
        &self,
        weight: &Var,
        gradient: &Tensor,
        step: AdamWStep,
    ) -> Result<()> {
        let state = self.state.as_detached_tensor();
        let gradient = (gradient * step.gradient_scale)?;
        let first = ((state.get(0)? * step.beta1)? + (&gradient * (1.0 - step.beta1))?)?;
        let second = ((state.get(1)? * step.beta2)? + (gradient.sqr()? * (1.0 - step.beta2))?)?;
        let (first_scale, second_scale) = corrections(step);
        let direction =
            ((&first * first_scale)? / ((&second * second_scale)?.sqrt()? + step.epsilon)?)?;
        let kept = (weight.as_detached_tensor() * (1.0 - step.learning_rate * step.weight_decay))?;
        let moved = (kept - (direction * step.learning_rate)?)?;
        let average =
            ((state.get(2)? * step.average_decay)? + (&moved * (1.0 - step.average_decay))?)?;
        weight.set(&moved)?;
        self.state.set(&Tensor::stack(&[first, second, average], 0)?)
    }
}

/// 1/(1 − βᵗ) for both moments.
fn corrections(step: AdamWStep) -> (f64, f64) {
    let power = step.step.min(i32::MAX as u64) as i32;
    (1.0 / (1.0 - step.beta1.powi(power)), 1.0 / (1.0 - step.beta2.powi(power)))
}

/// The weight after the step, from its moments.
#[derive(Clone, Copy)]
struct Mover {
    keep: f32,
    first_scale: f32,
    second_scale: f32,
    epsilon: f32,
}

impl Mover {
    fn new(step: AdamWStep) -> Self {
        let (first_scale, second_scale) = corrections(step);
        Self {
            keep: (1.0 - step.learning_rate * step.weight_decay) as f32,
            first_scale: (step.learning_rate * first_scale) as f32,
            second_scale: second_scale as f32,
            epsilon: step.epsilon as f32,
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn moved(self, weight: f32, first: f32, second: f32) -> f32 {
        weight * self.keep
            - self.first_scale * first / ((second * self.second_scale).sqrt() + self.epsilon)
    }
}

dispatch! {
    fn update_moments(
        step: AdamWStep,
        mover: Mover,
        weight: &[f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        average: &mut [f32],
    ) {
        let (beta1, beta2) = (step.beta1 as f32, step.beta2 as f32);
        let (scale, stay) = (step.gradient_scale as f32, step.average_decay as f32);
        for i in 0..weight.len() {
            let gradient = gradient[i] * scale;
            first[i] = first[i] * beta1 + gradient * (1.0 - beta1);
            second[i] = second[i] * beta2 + gradient * gradient * (1.0 - beta2);
            let moved = mover.moved(weight[i], first[i], second[i]);
            average[i] = average[i] * stay + moved * (1.0 - stay);
        }
    }
}

dispatch! {
    fn move_weight(mover: Mover, weight: &mut [f32], first: &[f32], second: &[f32]) {
        for i in 0..weight.len() {
            weight[i] = mover.moved(weight[i], first[i], second[i]);
        }
    }
}

/// Updates the state from gradient and weight.
struct Moments(AdamWStep);

impl InplaceOp3 for Moments {
    fn name(&self) -> &'static str {
        "adamw_moments"
    }

    fn cpu_fwd(
        &self,
        state: &mut CpuStorage,
        state_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<()> {
        let (gradient, weight) = (slice(gradient, gradient_layout)?, slice(weight, weight_layout)?);
        let state = slice_mut(state, state_layout)?;
        let (first, rest) = state.split_at_mut(weight.len());
        let (second, average) = rest.split_at_mut(weight.len());
        let mover = Mover::new(self.0);
        weight
            .par_chunks(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(first.par_chunks_mut(CHUNK))
            .zip(second.par_chunks_mut(CHUNK))
            .zip(average.par_chunks_mut(CHUNK))
            .for_each(|((((weight, gradient), first), second), average)| {
                update_moments(self.0, mover, weight, gradient, first, second, average);
            });
        Ok(())
    }
}

/// Moves the weight by the updated state.
struct Move(AdamWStep);

impl InplaceOp2 for Move {
    fn name(&self) -> &'static str {
        "adamw_move"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        weight_layout: &Layout,
        state: &CpuStorage,
        state_layout: &Layout,
    ) -> Result<()> {
        let weight = slice_mut(weight, weight_layout)?;
        let (first, rest) = slice::<f32>(state, state_layout)?.split_at(weight.len());
        let second = &rest[..weight.len()];
        let mover = Mover::new(self.0);
        weight
            .par_chunks_mut(CHUNK)
            .zip(first.par_chunks(CHUNK))
            .zip(second.par_chunks(CHUNK))
            .for_each(|((weight, first), second)| move_weight(mover, weight, first, second));
        Ok(())
    }
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("an optimiser was handed a weight that is not contiguous");
    };
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[start..end]),
        _ => bail!("the fused optimiser works on f32"),
    }
}
