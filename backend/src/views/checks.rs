//! Checking a request's fields: all of them, so that a form shows every fault at once.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::limits;
use crate::error::FieldError;

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub struct Checks {
    faults: Vec<FieldError>,
}

impl Checks {
    /// Nothing is wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a fault.
    pub fn fault(&mut self, field: impl Into<String>, cause: impl Into<String>) {
        self.faults.push(FieldError { field: field.into(), cause: cause.into() });
    }

    /// Notes a fault where `holds` is false.
    pub fn holds(&mut self, holds: bool, field: &str, cause: &str) {
        if !holds {
            self.fault(field, cause);
        }
    }

    /// A number within its range.
    pub fn within<T: PartialOrd + Display>(
        &mut self,
        field: &str,
        value: T,
        range: &RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            self.fault(field, format!("must lie between {} and {}", range.start(), range.end()));
        }
    }

    /// A number above 0 and up to `most`.
    pub fn positive<T: PartialOrd + Display + Default>(&mut self, field: &str, value: T, most: T) {
        if !(value > T::default() && value <= most) {
            self.fault(field, format!("must lie above 0 and at most at {most}"));
        }
    }

    /// A text of so many characters, without those around it that nobody sees. Control characters
    /// other than line ends are refused.
    pub fn text(&mut self, field: &str, text: &str, range: &RangeInclusive<usize>) -> String {
        let text = text.trim();
        // Counted only as far as the limit: a text may be as long as the body.
        let count = text.chars().take(range.end() + 1).count();
        if !range.contains(&count) {
            self.fault(field, format!("must have {} to {} characters", range.start(), range.end()));
        } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\r' && c != '\t') {
            self.fault(field, "holds control characters");
        }
        text.to_owned()
    }

    /// A whole number within its range, in its own type. The lower end stands in for a bad one:
    /// there is a fault then, and nobody sees it.
    pub fn integer<T>(&mut self, field: &str, value: i64, range: &RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        match T::try_from(value) {
            Ok(value) if range.contains(&value) => value,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.fault(field, format!("must lie between {least} and {most}"));
                *least
            }
        }
    }

    /// A seed: any whole number that is exact in every client.
    pub fn seed(&mut self, field: &str, value: i64) -> u64 {
        self.integer(field, value, &(0..=limits::MOST_SEED))
    }

    /// The value, where nothing is wrong.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.faults.is_empty() { Ok(value) } else { Err(self.faults) }
    }
}
