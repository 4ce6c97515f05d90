//! Doing a case under the clock.

use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::DType;

use super::case::{Case, Precision};
use super::error::BenchError;
use super::inputs::Inputs;
use super::networks::Latents;
use super::report::{Digest, Measurement, Share, Spread};
use super::{Answer, Work, networks, training};
use crate::kernel::memory;
use crate::kernel::profile::{self, Entry};
use crate::model::{Bundle, save_weights};

/// What is to be timed, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// The case.
    pub case: Case,
    /// The number type.
    pub precision: Precision,
    /// The folder of the model, in diffusers' layout.
    pub model: PathBuf,
    /// The case's inputs; absent, they come from a seed.
    pub inputs: Option<PathBuf>,
    /// Where the first answer goes, in single precision.
    pub output: Option<PathBuf>,
    /// How often it is done before the clock starts.
    pub warm_up: usize,
    /// How often it is timed.
    pub repeat: usize,
    /// Whether a case that learns computes the network's blocks once more on the way back, in place of
    /// keeping what they computed.
    pub gradient_checkpointing: bool,
    /// Whether one more repetition is looked into.
    pub profile: bool,
}

/// Times a case in this process, whose peak of memory is then the case's.
///
/// # Errors
/// Where model or inputs cannot be used, the answer cannot be written, or the engine cannot do it in
/// this number type ([`BenchError::unsupported`]).
pub fn run(order: &Order) -> Result<Measurement, BenchError> {
    if order.repeat == 0 {
        return Err(BenchError::input("repeat", "must be 1 or more"));
    }
    let started = Instant::now();
    let mut work = prepare(order)?;
    let load_seconds = started.elapsed().as_secs_f64();
    let keep = order.output.is_some();
    let mut digest = None;
    let mut look = |answer: Answer| -> Result<(), BenchError> {
        if digest.is_none() {
            if let Some(path) = &order.output {
                write(path, &answer)?;
            }
            digest = Some(Digest::of(&answer)?);
        }
        Ok(())
    };
    for index in 0..order.warm_up {
        look(work(keep && index == 0)?)?;
    }
    let before = memory::peak();
    let forgot = memory::forget_peak();
    let mut each = Vec::with_capacity(order.repeat);
    for index in 0..order.repeat {
        let started = Instant::now();
        let answer = work(keep && order.warm_up == 0 && index == 0)?;
        each.push(started.elapsed().as_secs_f64());
        look(answer)?;
    }
    let after = memory::peak();
    let profile = if order.profile { look_into(&mut work)? } else { Vec::new() };
    let (Some(seconds), Some(digest)) = (Spread::of(&each), digest) else {
        return Err(BenchError::input("repeat", "must be 1 or more"));
    };
    Ok(Measurement {
        threads: rayon::current_num_threads(),
        warm_up: order.warm_up,
        repeat: order.repeat,
        load_seconds,
        seconds,
        each,
        peak_bytes: before.max(after),
        peak_timed_bytes: after.filter(|_| forgot),
        digest,
        profile,
    })
}

fn prepare(order: &Order) -> Result<Work, BenchError> {
    let inputs = Inputs::open(order.inputs.as_deref())?;
    let precision = order.precision;
    let checkpointing = order.gradient_checkpointing;
    if checkpointing && !order.case.learns() {
        let cause = format!("{} keeps nothing for a gradient", order.case);
        return Err(BenchError::input("gradient_checkpointing", cause));
    }
    let guided = |side| Latents { batch: 2, side };
    let small = Latents { batch: 8, side: 32 };
    let bundle = if order.case == Case::TextToImage {
        Bundle::glance(&order.model)?
    } else {
        Bundle::of_parts(&order.model)?
    };
    match order.case {
        Case::Unet32 => networks::unet(&bundle, guided(32), precision, &inputs),
        Case::Unet64 => networks::unet(&bundle, guided(64), precision, &inputs),
        Case::SmallForward => networks::unet(&bundle, small, precision, &inputs),
        Case::VaeDecode => networks::decode(&bundle, 64, precision, &inputs),
        Case::SmallTraining => training::whole(&bundle, small, precision, checkpointing, &inputs),
        Case::LoraTraining => {
            let latents = Latents { batch: 1, side: 32 };
            training::lora(&bundle, latents, precision, checkpointing, &inputs)
        }
        Case::TextToImage => networks::image(&bundle, precision),
    }
}

fn write(path: &Path, answer: &Answer) -> Result<(), BenchError> {
    save_weights(path, answer, DType::F32).map_err(|cause| BenchError::file(path, cause))
}

/// Where the time of a repetition goes, by operation, and how much of it goes elsewhere.
fn look_into(work: &mut Work) -> Result<Vec<Share>, BenchError> {
    profile::start();
    let started = Instant::now();
    let done = work(false);
    let whole = started.elapsed().as_secs_f64();
    let entries = profile::stop();
    done?;
    Ok(shares(&entries, whole))
}

fn shares(entries: &[Entry], whole: f64) -> Vec<Share> {
    let share = |operation: &str, calls, seconds: f64| Share {
        operation: operation.to_owned(),
        calls,
        seconds,
        share: seconds / whole.max(f64::MIN_POSITIVE),
    };
    let mut shares: Vec<Share> = entries
        .iter()
        .map(|entry| share(entry.operation, entry.calls, entry.nanoseconds as f64 / 1e9))
        .collect();
    let known: f64 = shares.iter().map(|share| share.seconds).sum();
    shares.push(share("elsewhere", 1, (whole - known).max(0.0)));
    shares
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::model::{Preset, write_preset};

    #[test]
    fn shares_add_up_to_the_whole() {
        let entry = |operation, nanoseconds| Entry { operation, calls: 3, nanoseconds };
        let shares = shares(&[entry("convolution", 600_000_000), entry("norm", 150_000_000)], 1.0);
        let names: Vec<&str> = shares.iter().map(|share| share.operation.as_str()).collect();
        assert_eq!(names, ["convolution", "norm", "elsewhere"]);
        assert!((shares.iter().map(|share| share.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((shares[2].share - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_step_answers_its_loss_and_a_gradient_for_every_weight() {
        let desk = tempfile::tempdir().unwrap();
        let model = desk.path().join("model");
        write_preset(&model, Preset::Tiny, &vec!["chest radiograph".to_owned(); 3], 1).unwrap();
        let order = |case| Order {
            case,
            precision: Precision::F32,
            model: model.clone(),
            inputs: None,
            output: Some(desk.path().join("answer.safetensors")),
            warm_up: 0,
            repeat: 2,
            gradient_checkpointing: false,
            profile: true,
        };
        for case in [Case::SmallTraining, Case::LoraTraining] {
            let order = order(case);
            let measured = run(&order).unwrap();
            assert_eq!((measured.repeat, measured.each.len()), (2, 2));
            assert_eq!(measured.profile.last().unwrap().operation, "elsewhere");
            let path = order.output.clone().unwrap();
            let answer = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
            let loss = f64::from(answer["loss"].to_scalar::<f32>().unwrap());
            assert!((loss - measured.digest.mean).abs() < 1e-12);
            let gradients = answer.len() - 1;
            assert!(gradients > 20, "{gradients} gradients");
            // It is the same step, however much of it is kept.
            run(&Order { gradient_checkpointing: true, ..order }).unwrap();
            let again = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
            assert_eq!(again.len(), answer.len());
            for (name, expected) in &answer {
                let norm = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>();
                let difference = norm(&(&again[name] - expected).unwrap()).unwrap();
                let size = norm(expected).unwrap();
                assert!(difference <= 1e-11 * size, "{name}: {difference} of {size}");
            }
        }
        let kept = Order { gradient_checkpointing: true, ..order(Case::SmallForward) };
        assert!(run(&kept).unwrap_err().to_string().contains("gradient_checkpointing"));
        let order = Order { precision: Precision::Bf16, ..order(Case::TextToImage) };
        assert!(run(&order).unwrap_err().unsupported().unwrap().contains("f32"));
    }
}
