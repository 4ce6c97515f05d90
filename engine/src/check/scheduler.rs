//! The scheduler of a bundle on the model outputs of a reference file.

use candle_core::{Device, Result, Tensor, bail};

use super::error::CheckError;
use super::reference::Reference;
use super::report::{Measured, of_two_readings};
use crate::model::Bundle;
use crate::noise::{NoiseSource, SchedulerConfig};

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
    /// The draws `prefix0`, `prefix1` ….
    pub(super) fn new(
        prefix: &str,
        reference: &Reference,
        device: &Device,
    ) -> std::result::Result<Self, CheckError> {
        let draws = (0..reference.count(prefix))
            .map(|index| reference.floats(&format!("{prefix}{index}"), device))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self { prefix: prefix.to_owned(), draws, next: 0 })
    }

    /// What one sample of a batch of `of` draws, after its `first` draw.
    pub(super) fn of_sample(&self, first: Tensor, index: usize, of: usize) -> Result<Self> {
        let mut draws = vec![first];
        for draw in &self.draws {
            let of_all = of > 1 && draw.rank() == 4 && draw.dim(0)? == of;
            draws.push(if of_all { draw.narrow(0, index, 1)? } else { draw.clone() });
        }
        Ok(Self { prefix: self.prefix.clone(), draws, next: 0 })
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
) -> std::result::Result<SchedulerConfig, CheckError> {
    let Some(text) = reference.entry("scheduler") else { return Ok(bundle.scheduler()?) };
    let fault = |cause| CheckError::reference("scheduler", cause);
    if text.contains("\"_class_name\"") {
        return SchedulerConfig::parse(text.as_bytes()).map_err(fault);
    }
    // diffusers' `scheduler.config` is without its class: it is the bundle's own, then.
    let own = bundle.scheduler().map_err(|_| {
        fault("has no _class_name, and the folder has no scheduler that would tell".into())
    })?;
    SchedulerConfig::parse_as(text.as_bytes(), Some(own.class_name())).map_err(fault)
}

/// The trajectory.
pub(super) fn run(
    bundle: &Bundle,
    reference: &Reference,
    tolerance: f64,
    device: &Device,
) -> std::result::Result<Vec<Measured>, CheckError> {
    let config = config(bundle, reference)?;
    let noise = reference.floats(NOISE, device)?;
    let outputs = reference.floats(OUTPUTS, device)?;
    let expected = reference.floats(TRAJECTORY, device)?;
    let calls = match outputs.dims().split_first() {
        Some((calls, shape)) if shape == noise.dims() => *calls,
        Some(_) | None => {
            let cause =
                format!("is {:?}, and not steps of the noise's {:?}", outputs.dims(), noise.dims());
            return Err(CheckError::reference(OUTPUTS, cause));
        }
    };
    if expected.dims() != outputs.dims() {
        let cause = format!("is {:?}, and {OUTPUTS} {:?}", expected.dims(), outputs.dims());
        return Err(CheckError::reference(TRAJECTORY, cause));
    }
    let steps = match reference.number::<usize>("steps")? {
        Some(steps) => steps,
        None => steps_of(&config, calls)?,
    };
    let sampler =
        || config.sampler(steps).map_err(|cause| CheckError::reference("scheduler", cause));
    let first = sampler()?;
    let known = first.timesteps().len();
    if calls > known {
        let cause = format!("has {calls} steps, and the scheduler {known}");
        return Err(CheckError::reference(OUTPUTS, cause));
    }
    let sigma = first.init_noise_sigma();
    let measured = of_two_readings(sigma, tolerance, |factor| {
        let mut sampler = sampler()?;
        let mut draws = Given::new("scheduler/in/noise_", reference, device)?;
        let mut sample = (&noise * (sigma * factor))?;
        let mut made = Vec::with_capacity(calls);
        for index in 0..calls {
            sample = sampler.step(&outputs.get(index)?, index, &sample, &mut draws)?.sample;
            made.push(sample.clone());
        }
        Measured::of(TRAJECTORY, &Tensor::stack(&made, 0)?, &expected)
    })?;
    Ok(vec![measured])
}

/// The steps in which a scheduler calls the network `calls` times: some call it more often than they have
/// steps.
fn steps_of(config: &SchedulerConfig, calls: usize) -> std::result::Result<usize, CheckError> {
    let (once, kutta) = (calls.saturating_sub(1), calls.saturating_sub(9));
    let lengths = [calls, calls / 2 + 1, once, calls.div_ceil(2), kutta];
    let mut refused = None;
    for steps in lengths.into_iter().filter(|steps| *steps > 0) {
        match config.sampler(steps) {
            Ok(sampler) if sampler.timesteps().len() == calls => return Ok(steps),
            Ok(_) => (),
            Err(cause) => {
                refused.get_or_insert(cause);
            }
        }
    }
    let unmet = || format!("is missing, and no number of steps makes {calls} calls of the network");
    let (name, cause) = match refused {
        // Of the first length, which is the likeliest.
        Some(cause) => ("scheduler", cause),
        None => ("steps", unmet()),
    };
    Err(CheckError::reference(name, cause))
}
