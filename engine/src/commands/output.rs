//! What a command shows: words and a progress bar for a person, JSON events for a program.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use skiagraph_engine::files;

/// Where a command's results, progress and errors go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: `event` with the fields of `value` in JSON, or the lines of `words`.
    pub(crate) fn result(
        &self,
        event: &str,
        value: &impl Serialize,
        words: &str,
    ) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let written = if self.json {
            let mut fields = json!({ "event": event });
            match (fields.as_object_mut(), serde_json::to_value(value)?) {
                (Some(fields), Value::Object(more)) => fields.extend(more),
                (Some(fields), other) => {
                    fields.insert("value".to_owned(), other);
                }
                (None, _) => {}
            }
            writeln!(out, "{fields}")
        } else {
            writeln!(out, "{}", words.trim_end())
        };
        match written {
            // Whoever reads has seen enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// An event of long work: one line of JSON, and nothing for a person, who sees the bar.
    pub(crate) fn event(&self, event: &impl Serialize) -> anyhow::Result<()> {
        if self.json {
            writeln!(io::stdout().lock(), "{}", serde_json::to_string(event)?)?;
        }
        Ok(())
    }

    /// Something to be known that is no error: for a person on standard error, beside the results.
    pub(crate) fn note(&self, value: &impl Serialize, words: &str) -> anyhow::Result<()> {
        if self.json {
            return self.result("note", value, words);
        }
        let _ = writeln!(io::stderr().lock(), "note: {words}");
        Ok(())
    }

    /// Whether results go to a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Where a long work's progress goes; `unit` is what it counts.
    pub(crate) fn progress(&self, unit: &'static str) -> Progress {
        let bar = (!self.json).then(|| {
            let template =
                format!("{{bar:32}} {{human_pos}}/{{human_len}} {unit}  {{per_sec}}  {{eta}} left");
            let style = ProgressStyle::with_template(&template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Progress { bar }
    }

    /// An error, on standard error; in JSON also as an event.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            let event = json!({ "event": "error", "cause": format!("{error:#}") });
            let _ = writeln!(io::stdout().lock(), "{event}");
        } else {
            let _ = writeln!(io::stderr().lock(), "error: {error:#}");
        }
    }
}

/// Writes `report.json` and `report.md` into `out`, which is made where it is not there.
pub(crate) fn write_report(out: &Path, report: &impl Serialize, page: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    for (name, bytes) in [("report.json", json.as_slice()), ("report.md", page.as_bytes())] {
        let path = out.join(name);
        files::replace(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Progress of a long work.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `done` of `total`.
    pub(crate) fn at(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        } else {
            let event = json!({ "event": "progress", "done": done, "total": total });
            let _ = writeln!(io::stdout().lock(), "{event}");
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
