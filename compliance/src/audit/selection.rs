//! Which rows an export of some rows holds, and the hash over them.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::verify::{Break, Cause};

/// Runs of numbers that are named one by one; a selection of more says its count and hash alone.
const MOST_RUNS: usize = 4096;

/// The rows of an export that does not hold the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over their hashes in their order, each with a line feed.
    pub hash: String,
    /// Their numbers, as runs: `1-5,9`. None where there are too many runs to name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<String>,
}

impl Selection {
    /// The selection as it stands in what is signed.
    pub(super) fn statement(&self) -> String {
        let sequences = self.sequences.as_deref().unwrap_or("-");
        format!("{} {} {sequences}", self.rows, self.hash)
    }

    /// The first row in which `found` is not what this one names.
    pub(super) fn first_difference(&self, found: &Self) -> Option<Break> {
        if self == found {
            return None;
        }
        if let (Some(named), Some(there)) = (&self.sequences, &found.sequences) {
            let (mut named, mut there) = (numbers(named), numbers(there));
            loop {
                match (named.next(), there.next()) {
                    (None, None) => break,
                    (Some(wanted), Some(got)) if wanted == got => {}
                    (Some(wanted), Some(got)) if wanted > got => {
                        return Some(Break { sequence: got, cause: Cause::Inserted });
                    }
                    (Some(wanted), Some(_) | None) => {
                        return Some(Break { sequence: wanted, cause: Cause::Missing });
                    }
                    (None, Some(got)) => {
                        return Some(Break { sequence: got, cause: Cause::Inserted });
                    }
                }
            }
        }
        // The right rows by their numbers, and yet other hashes: one was rewritten, hash and all.
        let first = found.sequences.as_deref().and_then(|text| numbers(text).next());
        Some(Break { sequence: first.unwrap_or(1), cause: Cause::Rewritten })
    }
}

/// The numbers that runs name. What cannot be read names nothing.
fn numbers(runs: &str) -> impl Iterator<Item = i64> {
    runs.split(',')
        .filter_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Some(first.parse::<i64>().ok()?..=last.parse::<i64>().ok()?)
        })
        .flatten()
}

/// Makes a [`Selection`] row by row; holds no rows.
#[derive(Debug, Default)]
pub struct Selector {
    rows: u64,
    hash: Sha256,
    runs: Vec<(i64, i64)>,
}

impl Selector {
    /// The next row, in the order of the log.
    pub fn push(&mut self, sequence: i64, hash: &str) {
        self.rows += 1;
        self.hash.update(hash);
        self.hash.update("\n");
        if let Some((_, last)) = self.runs.last_mut()
            && *last + 1 == sequence
        {
            *last = sequence;
        } else if self.runs.len() <= MOST_RUNS {
            // One more than can be named is enough to know that they cannot be.
            self.runs.push((sequence, sequence));
        }
    }

    /// The rows that were pushed.
    pub fn finish(self) -> Selection {
        let mut sequences = String::new();
        for (first, last) in &self.runs {
            let comma = if sequences.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = if first == last {
                write!(sequences, "{comma}{first}")
            } else {
                write!(sequences, "{comma}{first}-{last}")
            };
        }
        Selection {
            rows: self.rows,
            hash: hex::encode(self.hash.finalize()),
            sequences: (self.runs.len() <= MOST_RUNS).then_some(sequences),
        }
    }
}
