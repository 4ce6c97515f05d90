//! Values of a configuration file, each with the error that names it.

use serde_json::{Map, Value};

/// A value of a file, where there is one that is not null.
pub(super) fn given<'a>(settings: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    settings.get(key).filter(|value| !value.is_null())
}

pub(super) fn number(settings: &Map<String, Value>, key: &str, absent: f64) -> Result<f64, String> {
    match given(settings, key) {
        None => Ok(absent),
        // DPM-Solver's files hold infinities, which are no JSON and come as words.
        Some(Value::String(word)) if word == "-inf" => Ok(f64::NEG_INFINITY),
        Some(value) => value.as_f64().ok_or_else(|| format!("{key}: must be a number")),
    }
}

pub(super) fn count(
    settings: &Map<String, Value>,
    key: &str,
    absent: usize,
) -> Result<usize, String> {
    match given(settings, key) {
        None => Ok(absent),
        Some(value) => value
            .as_u64()
            .map(|number| number as usize)
            .ok_or_else(|| format!("{key}: must be a whole number")),
    }
}

pub(super) fn flag(settings: &Map<String, Value>, key: &str, absent: bool) -> Result<bool, String> {
    match given(settings, key) {
        None => Ok(absent),
        Some(value) => value.as_bool().ok_or_else(|| format!("{key}: must be true or false")),
    }
}

pub(super) fn word<'a>(
    settings: &'a Map<String, Value>,
    key: &str,
    absent: &'a str,
) -> Result<&'a str, String> {
    match given(settings, key) {
        None => Ok(absent),
        Some(value) => value.as_str().ok_or_else(|| format!("{key}: must be a word")),
    }
}
