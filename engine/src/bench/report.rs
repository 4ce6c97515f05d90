//! What a case took.

use std::fmt::Write as _;

use candle_core::{DType, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Answer;
use super::case::{Case, Precision};

/// The spread of the repetitions' times, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The shortest.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; nothing where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { min, median, max })
    }
}

/// What an answer is known by, without its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// SHA-256 over the values of all its tensors but the gradients, by their names' order, as
    /// little-endian singles, in hexadecimal.
    pub sha256: String,
    /// The mean of these values.
    pub mean: f64,
    /// The largest of their absolute values.
    pub largest: f64,
}

/// What begins the name of a gradient among an answer.
pub(super) const GRADIENT: &str = "gradient/";

impl Digest {
    pub(super) fn of(answer: &Answer) -> Result<Self> {
        let mut hash = Sha256::new();
        let (mut sum, mut count, mut largest) = (0f64, 0usize, 0f64);
        for (name, tensor) in answer {
            if name.starts_with(GRADIENT) {
                continue;
            }
            for value in tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()? {
                hash.update(value.to_le_bytes());
                sum += f64::from(value);
                count += 1;
                // `max` forgets NaN.
                let size = f64::from(value.abs());
                largest = if size.is_nan() { f64::INFINITY } else { largest.max(size) };
            }
        }
        let mean = sum / count.max(1) as f64;
        Ok(Self { sha256: hex::encode(hash.finalize()), mean, largest })
    }
}

/// What one operation took of a repetition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The operation; `elsewhere` is all that no operation of the kernels did.
    pub operation: String,
    /// How often it ran.
    pub calls: u64,
    /// How long in all, in seconds.
    pub seconds: f64,
    /// That as a share of the repetition.
    pub share: f64,
}

/// What a case took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Threads that shared the work.
    pub threads: usize,
    /// How often it was done before the clock started.
    pub warm_up: usize,
    /// How often it was timed.
    pub repeat: usize,
    /// From the start to a loaded network, in seconds.
    pub load_seconds: f64,
    /// The repetitions' times.
    pub seconds: Spread,
    /// Each of them, in order.
    pub each: Vec<f64>,
    /// The most memory that the process held from its start on, in bytes; absent where the system
    /// does not tell.
    pub peak_bytes: Option<u64>,
    /// The most while it was timed, loading left out.
    pub peak_timed_bytes: Option<u64>,
    /// What came out.
    pub digest: Digest,
    /// Where the time of one more repetition went; empty unless asked for.
    pub profile: Vec<Share>,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// It was timed.
    Measured(Measurement),
    /// The engine cannot do it in this number type.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// It could not be done.
    Failed {
        /// Why.
        cause: String,
    },
}

/// A case, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The case.
    pub case: Case,
    /// The number type.
    pub dtype: Precision,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Report {
    /// The report for a person: a line, and a table where there is a profile.
    pub fn words(&self) -> String {
        let mut text = format!("{:<15} {:<5} ", self.case, self.dtype);
        match &self.outcome {
            Outcome::Unsupported { reason } => {
                let _ = write!(text, "unsupported: {reason}");
            }
            Outcome::Failed { cause } => {
                let _ = write!(text, "failed: {cause}");
            }
            Outcome::Measured(it) => {
                let Spread { min, median, max } = it.seconds;
                let _ = write!(text, "{median:>9.3} s  ({min:.3} … {max:.3}, {}×)", it.repeat);
                if let Some(peak) = it.peak_bytes {
                    let _ = write!(text, "  peak {:.2} GiB", peak as f64 / f64::from(1 << 30));
                }
                for Share { operation, calls, seconds, share } in &it.profile {
                    let share = 100.0 * share;
                    let _ = write!(
                        text,
                        "\n  {share:>5.1} %  {seconds:>8.3} s  {calls:>6}×  {operation}"
                    );
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::{Device, Tensor};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_spread_is_the_ends_and_the_middle() {
        let of = |values: &[f64]| Spread::of(values).map(|it| (it.min, it.median, it.max));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(of(&[9.0, 1.0, 4.0]), Some((1.0, 4.0, 9.0)));
        assert_eq!(of(&[9.0, 1.0, 4.0, 2.0]), Some((1.0, 3.0, 9.0)));
    }

    #[test]
    fn a_digest_is_of_the_values_and_not_of_the_gradients() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let with = |gradient: f32| {
            let answer = Answer::from([
                ("loss".to_owned(), tensor(&[1.0, -3.0])),
                ("gradient/weight".to_owned(), tensor(&[gradient])),
            ]);
            Digest::of(&answer).unwrap()
        };
        assert_eq!(with(5.0), with(7.0));
        let digest = with(5.0);
        assert_eq!((digest.mean, digest.largest), (-1.0, 3.0));
        // sha256 of 0000803f 000040c0, by sha256sum.
        assert_eq!(
            digest.sha256,
            "00604e9894504c9d75ad0c1490c208967df3e92ccf40a990c64ced268a56f6ee"
        );
        let broken = Answer::from([("sample".to_owned(), tensor(&[f32::NAN]))]);
        assert!(Digest::of(&broken).unwrap().largest.is_infinite());
    }

    #[test]
    fn a_report_names_its_fields_and_comes_back_from_json() {
        let measurement = Measurement {
            threads: 2,
            warm_up: 1,
            repeat: 3,
            load_seconds: 0.5,
            seconds: Spread { min: 1.0, median: 2.0, max: 3.0 },
            each: vec![3.0, 1.0, 2.0],
            peak_bytes: Some(3 << 30),
            peak_timed_bytes: None,
            digest: Digest { sha256: "00".into(), mean: 0.0, largest: 1.0 },
            profile: vec![Share {
                operation: "convolution".into(),
                calls: 4,
                seconds: 1.5,
                share: 0.75,
            }],
        };
        let report = |outcome| Report { case: Case::Unet32, dtype: Precision::Bf16, outcome };
        let measured = report(Outcome::Measured(measurement));
        let value = serde_json::to_value(&measured).unwrap();
        assert_eq!(value["case"], "unet-32");
        assert_eq!(value["dtype"], "bf16");
        assert_eq!(value["status"], "measured");
        assert_eq!(value["seconds"], json!({ "min": 1.0, "median": 2.0, "max": 3.0 }));
        assert_eq!(value["peak_bytes"], 3u64 << 30);
        assert_eq!(value["peak_timed_bytes"], Value::Null);
        assert_eq!(serde_json::from_value::<Report>(value).unwrap(), measured);
        let words = measured.words();
        for part in ["unet-32", "2.000 s", "1.000 … 3.000", "3.00 GiB", "75.0 %", "convolution"] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let refused = report(Outcome::Unsupported { reason: "no matmul".into() });
        let value = serde_json::to_value(&refused).unwrap();
        assert_eq!(
            (&value["status"], &value["reason"]),
            (&json!("unsupported"), &json!("no matmul"))
        );
        assert!(refused.words().contains("unsupported: no matmul"));
    }
}
