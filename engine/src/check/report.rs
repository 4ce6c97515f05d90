//! What a check found.

use serde::Serialize;

use candle_core::Tensor;

use super::error::CheckError;

/// The deviation of one output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The expected output's name in the reference file.
    pub output: String,
    /// The largest difference as a share of the expected output's largest value; infinite (`null` in
    /// JSON) where a value came out as none.
    pub deviation: f64,
    /// How an input was read, where there are two ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<&'static str>,
}

impl Measured {
    /// Holds `ours` against the expected output `name`. Where that is zero everywhere, the deviation is
    /// the largest of our values.
    ///
    /// # Errors
    /// Where the shapes differ.
    pub(super) fn of(name: &str, ours: &Tensor, expected: &Tensor) -> Result<Self, CheckError> {
        if ours.dims() != expected.dims() {
            return Err(CheckError::reference(
                name,
                format!("is {:?}, and the model makes {:?}", expected.dims(), ours.dims()),
            ));
        }
        let values = |x: &Tensor| x.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1();
        let (ours, expected): (Vec<f64>, Vec<f64>) = (values(ours)?, values(expected)?);
        let largest = expected.iter().fold(0f64, |most, value| most.max(value.abs()));
        let difference = ours
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs())
            // `max` forgets NaN.
            .map(|difference| if difference.is_nan() { f64::INFINITY } else { difference })
            .fold(0f64, f64::max);
        let deviation = if largest > 0.0 { difference / largest } else { difference };
        Ok(Self { output: name.to_owned(), deviation, reading: None })
    }
}

/// What start noise is, which a file does not say.
const READINGS: [&str; 2] = [
    "the noise is normal, and the scheduler spreads it",
    "the noise is spread as the scheduler begins with it",
];

/// The better of two measurements: start noise as a standard normal draw, which the scheduler's
/// `init_noise_sigma` spreads, and start noise that was spread already. Where `sigma` is 1 they are one.
pub(super) fn of_two_readings(
    sigma: f64,
    tolerance: f64,
    mut measure: impl FnMut(f64) -> Result<Measured, CheckError>,
) -> Result<Measured, CheckError> {
    let normal = measure(1.0)?;
    if (sigma - 1.0).abs() < f64::EPSILON {
        return Ok(normal);
    }
    // Noise that is hardly spread is within the tolerance by either reading; the nearer one is meant then.
    let told_apart = (sigma - 1.0).abs() > 10.0 * tolerance;
    if normal.deviation <= tolerance && told_apart {
        return Ok(Measured { reading: Some(READINGS[0]), ..normal });
    }
    let spread = measure(1.0 / sigma)?;
    let (better, reading) = if spread.deviation < normal.deviation {
        (spread, READINGS[1])
    } else {
        (normal, READINGS[0])
    };
    Ok(Measured { reading: Some(reading), ..better })
}

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartReport {
    /// The part, as the reference file calls it.
    pub part: String,
    /// The largest deviation of its outputs.
    pub deviation: f64,
    /// What it may be.
    pub tolerance: f64,
    /// Whether it is not more.
    pub ok: bool,
    /// Every output.
    pub outputs: Vec<Measured>,
}

impl PartReport {
    pub(super) fn new(part: String, outputs: Vec<Measured>, tolerance: f64) -> Self {
        let deviation = outputs.iter().map(|output| output.deviation).fold(0f64, f64::max);
        Self { part, deviation, tolerance, ok: deviation <= tolerance, outputs }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Every part that the reference file covers.
    pub parts: Vec<PartReport>,
    /// What a deviation may be.
    pub tolerance: f64,
    /// Whether all are within it.
    pub ok: bool,
    /// Tensors of the reference file that belong to no part that is known: nobody looked at them.
    pub unread: Vec<String>,
}

impl Report {
    pub(super) fn new(parts: Vec<PartReport>, tolerance: f64, unread: Vec<String>) -> Self {
        let ok = parts.iter().all(|part| part.ok);
        Self { parts, tolerance, ok, unread }
    }

    /// The report as a table, for a person.
    pub fn table(&self) -> String {
        let mut lines = vec![format!("{:<20} {:>10} {:>10}  ", "part", "deviation", "tolerance")];
        for part in &self.parts {
            let verdict = if part.ok { "ok" } else { "DEVIATES" };
            lines.push(format!(
                "{:<20} {:>10.2e} {:>10.0e}  {verdict}",
                part.part, part.deviation, part.tolerance
            ));
            for output in &part.outputs {
                let reading = output.reading.map_or(String::new(), |words| format!("  {words}"));
                if part.outputs.len() > 1 || output.reading.is_some() {
                    let name = output.output.rsplit('/').next().unwrap_or_default();
                    lines.push(format!("  {name:<18} {:>10.2e}{reading}", output.deviation));
                }
            }
        }
        if !self.unread.is_empty() {
            lines.push(format!("of no known part, not looked at: {}", self.unread.join(", ")));
        }
        lines.join("\n")
    }
}
