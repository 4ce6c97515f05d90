//! Why a figure cannot be computed.

/// The numbers have no such figure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct MetricError {
    /// Which argument.
    pub field: &'static str,
    /// Why.
    pub cause: String,
}

impl MetricError {
    pub(super) fn new(field: &'static str, cause: impl Into<String>) -> Self {
        Self { field, cause: cause.into() }
    }
}

/// # Errors
/// Where the two have not as many values, or none.
pub(super) fn same_length(
    field: &'static str,
    first: usize,
    second: usize,
) -> Result<(), MetricError> {
    if first == 0 {
        return Err(MetricError::new(field, "holds no values"));
    }
    if first != second {
        let cause = format!("holds {second} values, and what it is compared with {first}");
        return Err(MetricError::new(field, cause));
    }
    Ok(())
}

/// # Errors
/// Where the range is no positive number.
pub(super) fn positive(range: f64) -> Result<(), MetricError> {
    if range > 0.0 && range.is_finite() {
        return Ok(());
    }
    Err(MetricError::new("data_range", "must be a positive number"))
}
