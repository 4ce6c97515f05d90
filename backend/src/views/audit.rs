//! The audit log on the wire.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skiagraph_compliance::audit::{Action, Form, Outcome, Signatures, Verdict};
use utoipa::{IntoParams, ToSchema};

use crate::entities::audit_events;
use crate::error::{ApiError, FieldError};
use crate::models::audit::Filter;

/// Which events.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Identifier or name of who acted.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// Identifier or kind of what it was done to.
    pub object: Option<String>,
    /// `success`, `refused` or `failure`.
    pub outcome: Option<String>,
    /// Not before this time (RFC 3339) or day.
    pub from: Option<String>,
    /// Not after this time (RFC 3339) or the end of this day.
    pub to: Option<String>,
}

impl AuditQuery {
    /// The filter, or everything that is wrong with it.
    pub fn filter(&self) -> Result<Filter, ApiError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut errors = Vec::new();
        let action = given(&self.action);
        if action.as_deref().is_some_and(|word| Action::parse(word).is_none()) {
            let known: Vec<_> = Action::ALL.iter().map(|action| action.word()).collect();
            errors.push(FieldError::new("action", format!("must be one of {}", known.join(", "))));
        }
        let outcome = given(&self.outcome);
        if outcome.as_deref().is_some_and(|word| Outcome::parse(word).is_none()) {
            errors.push(FieldError::new("outcome", "must be success, refused or failure"));
        }
        let mut time = |field: &str, text: Option<String>, end: bool| {
            let text = text?;
            let read = instant(&text, end);
            if read.is_none() {
                errors.push(FieldError::new(field, "must be a time in RFC 3339 or a day"));
            }
            read
        };
        let from = time("from", given(&self.from), false);
        let to = time("to", given(&self.to), true);
        if !errors.is_empty() {
            return Err(errors.into());
        }
        Ok(Filter {
            actor: given(&self.actor),
            action,
            object: given(&self.object),
            outcome,
            from,
            to,
        })
    }
}

/// A time or a day in the form of the log's column.
fn instant(text: &str, end: bool) -> Option<String> {
    let time = if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        time.with_timezone(&Utc)
    } else {
        let day = text.parse::<NaiveDate>().ok()?;
        let last = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)?;
        day.and_time(if end { last } else { NaiveTime::MIN }).and_utc()
    };
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// How the log is to be exported.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `csv` (when not given), `jsonl`, `atna-xml`, `atna-xml-early` or `balp`.
    pub format: Option<String>,
}

impl ExportQuery {
    /// The form; refuses those that there are not.
    pub fn form(&self) -> Result<Form, ApiError> {
        let Some(word) = self.format.as_deref() else { return Ok(Form::Csv) };
        Form::parse(word).ok_or_else(|| {
            let known: Vec<_> = Form::ALL.iter().map(|form| form.word()).collect();
            ApiError::invalid("format", format!("must be one of {}", known.join(", ")))
        })
    }
}

/// An event of the log. The hash is over the stored letters: `detail` is their JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEventView {
    /// Its number, from 1, without gaps.
    pub sequence: i64,
    /// When it was written (RFC 3339, UTC).
    pub recorded_at: String,
    /// Who acted, where that is known.
    pub actor_id: Option<String>,
    /// The name of who acted.
    pub actor_name: String,
    /// Their roles at the time.
    pub actor_roles: Vec<String>,
    /// What was done.
    pub action: String,
    /// Its code in DICOM's CID 400.
    pub event_id: Option<&'static str>,
    /// What it was done to.
    pub object_type: String,
    /// Identifier of it; none for a list.
    pub object_id: Option<String>,
    /// `success`, `refused` or `failure`.
    pub outcome: String,
    /// More about it.
    pub detail: Value,
    /// The client's network address.
    pub source_address: Option<String>,
    /// Hash of the row before.
    pub previous_hash: String,
    /// Hash of this row.
    pub hash: String,
}

impl From<audit_events::Model> for AuditEventView {
    fn from(row: audit_events::Model) -> Self {
        Self {
            event_id: Action::parse(&row.action).map(|action| action.event_id().value),
            sequence: row.sequence,
            recorded_at: row.recorded_at,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            actor_roles: row.actor_roles.split_terminator(',').map(ToOwned::to_owned).collect(),
            action: row.action,
            object_type: row.object_type,
            object_id: row.object_id,
            outcome: row.outcome,
            detail: serde_json::from_str(&row.detail).unwrap_or(Value::String(row.detail)),
            source_address: row.source_address,
            previous_hash: row.previous_hash,
            hash: row.hash,
        }
    }
}

/// Whether the log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerdictView {
    /// Whether every row is as it was written, and none is missing.
    pub intact: bool,
    /// Rows that were looked at.
    pub checked: u64,
    /// The first broken row.
    pub first_broken: Option<BreakView>,
    /// The signatures on the way.
    pub signatures: SignaturesView,
}

/// The signatures of a log, and how far they reach.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignaturesView {
    /// First sixteen hexadecimal digits of the public key's SHA-256.
    pub key: String,
    /// Good ones.
    pub good: u64,
    /// Those of another key, which were passed over.
    pub foreign: u64,
    /// The last row that a good one covers; 0 where there is none.
    pub through: i64,
    /// When that one was made (RFC 3339, UTC).
    pub signed_at: Option<String>,
}

/// A broken row.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakView {
    /// Its number.
    pub sequence: i64,
    /// What happened to it.
    pub cause: &'static str,
}

impl VerdictView {
    /// A verdict under the key of this fingerprint.
    pub fn new(verdict: Verdict, key: String) -> Self {
        let Signatures { good, foreign, through, signed_at } = verdict.signatures.clone();
        Self {
            signatures: SignaturesView { key, good, foreign, through, signed_at },
            intact: verdict.intact(),
            checked: verdict.checked,
            first_broken: verdict
                .first_broken
                .map(|found| BreakView { sequence: found.sequence, cause: found.cause.words() }),
        }
    }
}
