//! The scheduler of a bundle on the model outputs of a reference file.

use candle_core::{Device, Result, Tensor, bail};

use super::error::CheckError;
use super::reference::Reference;
use super::report::Measured;
use crate::model::Bundle;
use crate::noise::{Ddim, NoiseSource, Schedule, ScheduleConfig};

const NOISE: &str = "scheduler/in/noise";
const OUTPUTS: &str = "scheduler/in/model_outputs";
const TRAJECTORY: &str = "scheduler/out/trajectory";

/// The draws that a reference file gives, one after the other.
pub(super) struct Given {
    prefix: String,
    draws: Vec<Tensor>,
    next: usize,
}

impl Given {
    /// The draws `prefix0`, `prefix1` …, after those in `first`.
    pub(super) fn new(
        first: Vec<Tensor>,
        prefix: &str,
        reference: &Reference,
        device: &Device,
    ) -> std::result::Result<Self, CheckError> {
        let mut draws = first;
        for index in 0..reference.count(prefix) {
            draws.push(reference.floats(&format!("{prefix}{index}"), device)?);
        }
        Ok(Self { prefix: prefix.to_owned(), draws, next: 0 })
    }
}

impl NoiseSource for Given {
    fn next(&mut self, like: &Tensor) -> Result<Tensor> {
        let Some(draw) = self.draws.get(self.next) else {
            bail!(
                "{}{}: is missing: the scheduler draws noise more often than the reference file says",
                self.prefix,
                self.next
            )
        };
        self.next += 1;
        if draw.elem_count() != like.elem_count() {
            bail!("{}: a draw is {:?}, and the sample {:?}", self.prefix, draw.dims(), like.dims())
        }
        draw.reshape(like.shape())?.to_dtype(like.dtype())
    }
}

/// The configuration that the reference file brings, or the bundle's own.
pub(super) fn config(
    bundle: &Bundle,
    reference: &Reference,
) -> std::result::Result<ScheduleConfig, CheckError> {
    let Some(text) = reference.entry("scheduler") else { return Ok(bundle.schedule()?) };
    let config: ScheduleConfig = serde_json::from_str(text)
        .map_err(|cause| CheckError::reference("scheduler", cause.to_string()))?;
    config.validate().map_err(|cause| CheckError::reference("scheduler", cause))?;
    Ok(config)
}

/// The trajectory.
pub(super) fn run(
    bundle: &Bundle,
    reference: &Reference,
    device: &Device,
) -> std::result::Result<Vec<Measured>, CheckError> {
    let config = config(bundle, reference)?;
    let noise = reference.floats(NOISE, device)?;
    let outputs = reference.floats(OUTPUTS, device)?;
    let expected = reference.floats(TRAJECTORY, device)?;
    let (calls, shape) = match outputs.dims().split_first() {
        Some((calls, shape)) if shape == noise.dims() => (*calls, shape.to_vec()),
        _ => {
            let cause =
                format!("is {:?}, and not steps of the noise's {:?}", outputs.dims(), noise.dims());
            return Err(CheckError::reference(OUTPUTS, cause));
        }
    };
    if expected.dims() != outputs.dims() {
        let cause = format!("is {:?}, and {OUTPUTS} {:?}", expected.dims(), outputs.dims());
        return Err(CheckError::reference(TRAJECTORY, cause));
    }
    let steps = reference.number::<usize>("steps")?.unwrap_or(calls);
    if !(1..=config.num_train_timesteps).contains(&steps) {
        return Err(CheckError::reference("steps", format!("{steps} cannot be taken")));
    }
    let sampler = Ddim::new(Schedule::new(config), steps);
    if calls > sampler.timesteps().len() {
        let cause = format!("has {calls} steps, and the scheduler {}", sampler.timesteps().len());
        return Err(CheckError::reference(OUTPUTS, cause));
    }
    let mut sample = noise;
    let mut made = Vec::with_capacity(calls);
    for index in 0..calls {
        sample = sampler.step(&outputs.get(index)?, index, &sample)?;
        made.push(sample.clone());
    }
    debug_assert_eq!(sample.dims(), shape);
    Ok(vec![Measured::of(TRAJECTORY, &Tensor::stack(&made, 0)?, &expected)?])
}
