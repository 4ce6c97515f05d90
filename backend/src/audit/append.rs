//! Appends a row to the chain.

use chrono::{SecondsFormat, Utc};
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QuerySelect, Set,
};
use serde_json::{Map, Value};
use skiagraph_compliance::audit::{Action, Event, INTERVAL, Selection, Signer, hash};

use super::{Actor, Entry};
use crate::entities::{audit_events, audit_head};

/// The head's only row.
pub(super) const HEAD: i32 = 1;

/// Who writes checkpoints.
const CHECKPOINT_PART: &str = "checkpoint";

/// Writes the event into the transaction of what it tells of; gives its number. A row whose number is
/// a multiple of [`INTERVAL`] is a checkpoint, which is written first.
///
/// Appends are serial: the head's row is locked from here to the commit (on SQLite, which has no
/// row locks, the transaction must have begun as a writing one: [`crate::database::begin`]).
pub async fn append(
    transaction: &DatabaseTransaction,
    signer: &Signer,
    actor: &Actor,
    entry: Entry,
) -> Result<i64, DbErr> {
    let mut head = locked_head(transaction).await?;
    if (head.sequence + 1) % INTERVAL == 0 {
        head = write_checkpoint(transaction, head, signer, None).await?;
    }
    let event = event(&head, actor, entry);
    Ok(write(transaction, head, event).await?.sequence)
}

/// Signs the log up to here, and the rows of an export; gives the number of the checkpoint.
pub async fn checkpoint(
    transaction: &DatabaseTransaction,
    signer: &Signer,
    selection: Option<Selection>,
) -> Result<i64, DbErr> {
    let head = locked_head(transaction).await?;
    Ok(write_checkpoint(transaction, head, signer, selection).await?.sequence)
}

/// The head, which is this transaction's until it ends.
pub(super) async fn locked_head(
    transaction: &DatabaseTransaction,
) -> Result<audit_head::Model, DbErr> {
    audit_head::Entity::find_by_id(HEAD)
        .lock_exclusive()
        .one(transaction)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the head of the audit log".to_owned()))
}

async fn write_checkpoint(
    transaction: &DatabaseTransaction,
    head: audit_head::Model,
    signer: &Signer,
    selection: Option<Selection>,
) -> Result<audit_head::Model, DbErr> {
    let entry = Entry::new(Action::Checkpoint, "audit_log");
    let mut event = event(&head, &Actor::system(CHECKPOINT_PART), entry);
    let detail = signer.detail(head.sequence, &head.hash, &event.recorded_at, selection);
    event.detail = text(detail);
    write(transaction, head, event).await
}

/// The event that follows the head, still without its hash.
fn event(head: &audit_head::Model, actor: &Actor, entry: Entry) -> Event {
    Event {
        sequence: head.sequence + 1,
        recorded_at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        actor_id: actor.id.clone(),
        actor_name: actor.name.clone(),
        actor_roles: actor.roles.clone(),
        action: entry.action.word().to_owned(),
        object_type: entry.object_type,
        object_id: entry.object_id,
        outcome: entry.outcome.word().to_owned(),
        detail: text(entry.detail),
        source_address: actor.source_address.clone(),
        previous_hash: head.hash.clone(),
        hash: String::new(),
    }
}

/// A detail as it is stored and hashed: every name in its place, in whatever order it was said.
fn text(detail: Map<String, Value>) -> String {
    let mut detail = Value::Object(detail);
    detail.sort_all_objects();
    detail.to_string()
}

/// Gives the event its hash, moves the head to it and inserts its row.
async fn write(
    transaction: &DatabaseTransaction,
    head: audit_head::Model,
    mut event: Event,
) -> Result<audit_head::Model, DbErr> {
    event.hash = hash(&event);
    let mut moved = head.into_active_model();
    moved.sequence = Set(event.sequence);
    moved.hash = Set(event.hash.clone());
    let head = moved.update(transaction).await?;
    audit_events::Entity::insert(row(event)).exec_without_returning(transaction).await?;
    Ok(head)
}

fn row(event: Event) -> audit_events::ActiveModel {
    audit_events::ActiveModel {
        sequence: Set(event.sequence),
        recorded_at: Set(event.recorded_at),
        actor_id: Set(event.actor_id),
        actor_name: Set(event.actor_name),
        actor_roles: Set(event.actor_roles),
        action: Set(event.action),
        object_type: Set(event.object_type),
        object_id: Set(event.object_id),
        outcome: Set(event.outcome),
        detail: Set(event.detail),
        source_address: Set(event.source_address),
        previous_hash: Set(event.previous_hash),
        hash: Set(event.hash),
    }
}

impl From<audit_events::Model> for Event {
    fn from(row: audit_events::Model) -> Self {
        Self {
            sequence: row.sequence,
            recorded_at: row.recorded_at,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            actor_roles: row.actor_roles,
            action: row.action,
            object_type: row.object_type,
            object_id: row.object_id,
            outcome: row.outcome,
            detail: row.detail,
            source_address: row.source_address,
            previous_hash: row.previous_hash,
            hash: row.hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The hash is over the letters: they do not hang on the order in which a handler said them.
    #[test]
    fn a_detail_has_one_form() {
        let Value::Object(detail) = json!({ "of": { "to": 2, "from": 1 }, "count": 3 }) else {
            unreachable!()
        };
        assert_eq!(text(detail), r#"{"count":3,"of":{"from":1,"to":2}}"#);
    }
}
