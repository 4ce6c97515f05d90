//! Appends a row to the chain.

use chrono::{SecondsFormat, Utc};
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QuerySelect, Set,
};
use serde_json::Value;
use skiagraph_compliance::audit::{Event, hash};

use super::{Actor, Entry};
use crate::entities::{audit_events, audit_head};

/// The head's only row.
pub(super) const HEAD: i32 = 1;

/// Writes the event into the transaction of what it tells of.
///
/// Appends are serial: the head's row is locked from here to the commit (on SQLite, which has no
/// row locks, the transaction must have begun as a writing one: [`crate::database::begin`]).
pub async fn append(
    transaction: &DatabaseTransaction,
    actor: &Actor,
    entry: Entry,
) -> Result<(), DbErr> {
    let head = audit_head::Entity::find_by_id(HEAD)
        .lock_exclusive()
        .one(transaction)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("the head of the audit log".to_owned()))?;
    let mut event = Event {
        sequence: head.sequence + 1,
        recorded_at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        actor_id: actor.id.clone(),
        actor_name: actor.name.clone(),
        actor_roles: actor.roles.clone(),
        action: entry.action.word().to_owned(),
        object_type: entry.object_type,
        object_id: entry.object_id,
        outcome: entry.outcome.word().to_owned(),
        detail: Value::Object(entry.detail).to_string(),
        source_address: actor.source_address.clone(),
        previous_hash: head.hash.clone(),
        hash: String::new(),
    };
    event.hash = hash(&event);

    let mut moved = head.into_active_model();
    moved.sequence = Set(event.sequence);
    moved.hash = Set(event.hash.clone());
    moved.update(transaction).await?;
    audit_events::Entity::insert(row(event)).exec_without_returning(transaction).await?;
    Ok(())
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
