//! Which device computes, the seeded random source, and how long work is stopped.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use candle_core::Device;
use serde::{Deserialize, Serialize};

/// The device that is asked for: `auto`, `cpu`, `cuda` (the first GPU) or `cuda:1`.
///
/// What nobody trains of the denoising networks is computed in bf16 on a GPU and in f32 on the CPU; whatever is
/// trained, the autoencoder and the text encoders are computed in f32 on both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first GPU, where the program was built for one and there is one; else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number, counted from 0 as the driver does.
    Cuda(usize),
}

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// It is none that can be asked for.
    #[error("device: must be auto, cpu, cuda or cuda:N, where N is the number of a GPU from 0 on")]
    Unknown,
    /// The program cannot use it.
    #[error(
        "device: this program was built for the CPU alone; ask for cpu, or build it with --features cuda"
    )]
    NotBuilt,
    /// It is not there, or does not work.
    #[error(
        "device: cuda:{number} cannot be used: {cause}; nvidia-smi lists the GPUs that there are"
    )]
    Absent {
        /// The GPU that was asked for.
        number: usize,
        /// What the driver says.
        cause: String,
    },
}

impl DeviceChoice {
    /// Makes the device ready.
    ///
    /// # Errors
    /// Where a GPU is asked for, and the program was built without CUDA or there is no such GPU.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto if !cfg!(feature = "cuda") => Ok(Device::Cpu),
            Self::Auto => Ok(Device::new_cuda(0).unwrap_or_else(|cause| {
                tracing::warn!(cause = words(&cause), "no GPU can be used; the CPU computes");
                Device::Cpu
            })),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(DeviceError::NotBuilt),
            Self::Cuda(number) => {
                let absent = |cause| DeviceError::Absent { number, cause: words(&cause) };
                Device::new_cuda(number).map_err(absent)
            }
        }
    }
}

/// An error without the backtrace that candle adds where the environment asks for one.
fn words(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => words(inner),
        other => other.to_string(),
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => {
                let number = other.strip_prefix("cuda:").and_then(|number| number.parse().ok());
                number.map(Self::Cuda).ok_or(DeviceError::Unknown)
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

/// Asks long work to stop. Cloned freely; every clone is the same request.
///
/// Work looks at it between steps, so it stops within one step.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that nobody has cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the work to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `count` draws from the standard normal distribution, by Box and Muller's method, from a random
/// source whose algorithm is fixed (ChaCha8): the same seed gives the same values on every machine.
pub fn normal(random: &mut impl rand::Rng, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 − u lies in (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * random.random::<f64>();
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn devices_are_asked_for_by_name() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
        for text in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:one", "metal"] {
            let error = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains("cuda:N"), "{text}: {error}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_and_auto_takes_what_is() {
        assert!(DeviceChoice::Cpu.open().unwrap().is_cpu());
        assert!(DeviceChoice::Auto.open().is_ok());
        let error = DeviceChoice::Cuda(4096).open().unwrap_err().to_string();
        let cause =
            if cfg!(feature = "cuda") { "cuda:4096 cannot be used" } else { "--features cuda" };
        assert!(error.contains(cause), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
