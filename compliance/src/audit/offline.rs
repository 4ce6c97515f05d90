//! Verifies an export with nothing but its lines and the public key.
//!
//! A line is read to its row, and the line that this row makes is compared with it, so that the codes
//! and fields of a standard's form are held as well as the row. The rows then go through the chain. An
//! export of the whole log ends with a checkpoint; without it its end was cut off. An export of some
//! rows ends with a checkpoint that names them.
//!
//! What it cannot show: that rows came after the export was made, or that the file is an older export
//! than the one asked for. The time of the last signature says which it is.

use serde::Serialize;

use super::canonical::hash;
use super::checkpoint::{PublicKey, Seen};
use super::event::Event;
use super::export::{Exporter, Form, ScannedLine, Source, form_of};
use super::selection::{Selection, Selector};
use super::verify::{Break, Cause, Signatures, Verifier};

/// What the verification of an export came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows that were looked at.
    pub checked: u64,
    /// Whether it is the whole log up to its end, or some rows of it.
    pub whole: bool,
    /// The first broken row, if there is one.
    pub first_broken: Option<Break>,
    /// The signatures on the way.
    pub signatures: Signatures,
}

/// The lines are no export that can be verified.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAnExport {
    /// The first line begins none of the forms.
    #[error("line 1 begins no export of the audit log")]
    Form,
    /// There is no row.
    #[error("the export holds no row")]
    Empty,
}

/// Verifies an export line by line.
#[derive(Debug)]
pub struct ExportVerifier {
    key: PublicKey,
    exporter: Option<Exporter>,
    unfinished: String,
    last: Option<Event>,
    checked: u64,
    /// The chain, as long as it holds.
    chain: Option<Verifier>,
    chain_broken: Option<Break>,
    selected: Selected,
    /// A line whose fields are not those of its row.
    misstated: Option<Break>,
}

/// The walk over rows that need not follow each other.
#[derive(Debug, Default)]
struct Selected {
    rows: Selector,
    broken: Option<Break>,
}

impl ExportVerifier {
    /// Before the first line.
    pub fn new(key: PublicKey) -> Self {
        Self {
            chain: Some(Verifier::new(None, Some(key.clone()))),
            key,
            exporter: None,
            unfinished: String::new(),
            last: None,
            checked: 0,
            chain_broken: None,
            selected: Selected::default(),
            misstated: None,
        }
    }

    /// The form of the export, once its first line is known.
    pub fn form(&self) -> Option<Form> {
        self.exporter.as_ref().map(Exporter::form)
    }

    /// Looks at the next line; its end may be part of it.
    pub fn line(&mut self, line: &str) -> Result<(), NotAnExport> {
        let mut text = std::mem::take(&mut self.unfinished);
        text.push_str(line);
        let bare = text.trim_end_matches(['\r', '\n']);
        let exporter = if let Some(exporter) = &self.exporter {
            exporter
        } else {
            let form = form_of(bare).ok_or(NotAnExport::Form)?;
            self.exporter.insert(Exporter::new(form, Source::of(&self.key)))
        };
        match exporter.scan(bare) {
            ScannedLine::Frame => {}
            ScannedLine::Unfinished => {
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                self.unfinished = text;
            }
            ScannedLine::Unreadable => self.unreadable(),
            ScannedLine::Row(event) => {
                let as_written = exporter.writes(&event, bare);
                self.row(*event, as_written);
            }
        }
        Ok(())
    }

    /// Ends the walk.
    pub fn finish(mut self) -> Result<Report, NotAnExport> {
        if !self.unfinished.is_empty() {
            self.unreadable();
        }
        let Some(last) = self.last.take() else {
            let broken = self.chain_broken.ok_or(NotAnExport::Empty)?;
            return Ok(self.report(true, Some(broken), Signatures::default()));
        };
        let seen = if hash(&last) == last.hash { self.key.look(&last) } else { Seen::Bad };
        if let Seen::Good(Some(selection)) = seen {
            let signatures = Signatures {
                good: 1,
                foreign: 0,
                through: last.sequence - 1,
                signed_at: Some(last.recorded_at.clone()),
            };
            let broken = std::mem::take(&mut self.selected).finish(&selection);
            return Ok(self.report(false, broken, signatures));
        }
        let (mut broken, mut signatures) = (self.chain_broken, Signatures::default());
        if let Some(chain) = self.chain.take() {
            let verdict = chain.finish();
            signatures = verdict.signatures;
            broken = broken.or(verdict.first_broken);
        }
        // The checkpoint that ends every export is not there.
        if broken.is_none() && !matches!(seen, Seen::Good(None)) {
            broken = Some(Break { sequence: last.sequence + 1, cause: Cause::Missing });
        }
        Ok(self.report(true, broken, signatures))
    }

    fn report(&self, whole: bool, rows: Option<Break>, signatures: Signatures) -> Report {
        // Of two findings the first row counts; of two about one row that about the row itself.
        let first_broken = match (rows, self.misstated) {
            (Some(row), Some(line)) if line.sequence < row.sequence => Some(line),
            (Some(row), _) => Some(row),
            (None, line) => line,
        };
        Report { checked: self.checked, whole, first_broken, signatures }
    }

    fn row(&mut self, event: Event, as_written: bool) {
        self.checked += 1;
        if !as_written {
            let broken = Break { sequence: event.sequence, cause: Cause::Misstated };
            self.misstated.get_or_insert(broken);
        }
        match (&mut self.chain, self.chain_broken) {
            (Some(chain), None) => {
                if !chain.push(event.clone()) {
                    self.chain_broken =
                        self.chain.take().and_then(|chain| chain.finish().first_broken);
                }
            }
            // A row that was missed and comes later stands at another place of the file.
            (_, Some(Break { sequence, cause: Cause::Missing }))
                if event.sequence == sequence && hash(&event) == event.hash =>
            {
                self.chain_broken = Some(Break { sequence, cause: Cause::Reordered });
            }
            (_, _) => {}
        }
        if let Some(last) = self.last.replace(event) {
            let next = self.last.as_ref().map_or(0, |next| next.sequence);
            self.selected.push(&last, next);
        }
    }

    fn unreadable(&mut self) {
        self.checked += 1;
        let sequence = self.last.as_ref().map_or(0, |last| last.sequence) + 1;
        let broken = Break { sequence, cause: Cause::Unreadable };
        if self.chain_broken.is_none() {
            self.chain_broken = self.chain.take().and_then(|chain| chain.finish().first_broken);
        }
        self.chain_broken.get_or_insert(broken);
        self.selected.broken.get_or_insert(broken);
    }
}

impl Selected {
    /// A row that is not the last one, and the number of the row after it.
    fn push(&mut self, event: &Event, next: i64) {
        self.rows.push(event.sequence, &event.hash);
        let cause = if hash(event) != event.hash {
            Some((event.sequence, Cause::Changed))
        } else if next == event.sequence {
            Some((next, Cause::Inserted))
        } else if next < event.sequence {
            Some((next, Cause::Reordered))
        } else {
            None
        };
        if let Some((sequence, cause)) = cause {
            self.broken.get_or_insert(Break { sequence, cause });
        }
    }

    fn finish(self, named: &Selection) -> Option<Break> {
        self.broken.or_else(|| named.first_difference(&self.rows.finish()))
    }
}

#[cfg(test)]
mod tests;
